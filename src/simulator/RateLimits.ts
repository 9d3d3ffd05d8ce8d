/** Polymarket's published REST limits over fixed windows of ten seconds (venue reference, Polymarket §10). */

const WINDOW = 10_000

/** A scope that the venue meters; a request counts in every scope that it matches. */
interface Scope {
  readonly limit: number
  readonly matches: (path: string) => boolean
}

const exactly =
  (...paths: ReadonlyArray<string>) =>
  (path: string) =>
    paths.includes(path)
const under =
  (...prefixes: ReadonlyArray<string>) =>
  (path: string) =>
    prefixes.some((prefix) => path.startsWith(prefix))

const scopes: ReadonlyArray<Scope> = [
  { limit: 15_000, matches: () => true },
  { limit: 9_000, matches: (path) => !path.startsWith("/gamma") },
  { limit: 100, matches: exactly("/ok") },
  { limit: 1_500, matches: exactly("/book") },
  { limit: 1_500, matches: exactly("/price") },
  { limit: 1_500, matches: exactly("/midpoint") },
  { limit: 500, matches: exactly("/books") },
  { limit: 200, matches: exactly("/tick-size") },
  { limit: 4_000, matches: under("/gamma") },
  { limit: 300, matches: under("/gamma/markets") },
  { limit: 900, matches: under("/gamma/markets", "/gamma/events") },
  { limit: 200, matches: under("/gamma/tags", "/gamma/comments") }
]

export interface RateLimits {
  /** Counts a request; the seconds to wait when a limit is exceeded, `undefined` otherwise. */
  readonly take: (path: string, now: number) => number | undefined
}

export const make = (): RateLimits => {
  const used = scopes.map(() => 0)
  let started = Number.NEGATIVE_INFINITY
  return {
    take: (path, now) => {
      if (now - started >= WINDOW || now < started) {
        started = now
        used.fill(0)
      }
      let exceeded = false
      scopes.forEach((scope, index) => {
        if (!scope.matches(path)) return
        used[index]!++
        if (used[index]! > scope.limit) exceeded = true
      })
      return exceeded ? Math.max(1, Math.ceil((started + WINDOW - now) / 1000)) : undefined
    }
  }
}

/** At most `limit` events in any window of one second. */
export const perSecond = (limit: number): ((now: number) => boolean) => {
  const recent: Array<number> = []
  return (now) => {
    while (recent.length > 0 && now - recent[0]! >= 1000) recent.shift()
    if (recent.length >= limit) return false
    recent.push(now)
    return true
  }
}
