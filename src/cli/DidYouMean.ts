/** Suggestions for a misspelt name. */

/** The number of letters to insert, remove or replace to get from one word to the other. */
export const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

/** `; did you mean …?` with the nearest of the candidates, or nothing when none is near. */
export const closest = (name: string, candidates: Iterable<string>): string => {
  const near = [...candidates]
    .map((candidate) => ({ candidate, far: distance(name.toLowerCase().slice(0, 200), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.min(3, Math.floor(candidate.length / 3))))
    .sort((a, b) => a.far - b.far)
  return near[0] === undefined ? "" : `; did you mean ${near[0].candidate}?`
}
