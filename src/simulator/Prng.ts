/**
 * A seeded stream of random numbers: the same seed gives the same exchange on every machine. (sfc32, seeded through
 * splitmix32.)
 */

export interface Prng {
  /** A number of 0 up to, not including, 1. */
  readonly next: () => number
  /** An integer of 0 up to, not including, `n`. */
  readonly int: (n: number) => number
  /** True with this probability. */
  readonly chance: (probability: number) => boolean
  /** Standard normal: mean 0, deviation 1. */
  readonly normal: () => number
  /** Exponential with mean 1. */
  readonly exponential: () => number
  /** One of a list that is not empty. */
  readonly pick: <A>(items: readonly [A, ...ReadonlyArray<A>]) => A
  /** Lower-case hexadecimal digits. */
  readonly hex: (digits: number) => string
}

const splitmix = (seed: number) => () => {
  seed = (seed + 0x9e3779b9) | 0
  let z = seed
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}

/** An independent stream for every pair of seed and purpose. */
export const make = (seed: number, purpose = ""): Prng => {
  let mixed = Math.trunc(seed) | 0
  for (let i = 0; i < purpose.length; i++) mixed = Math.imul(mixed ^ purpose.charCodeAt(i), 0x01000193)
  const source = splitmix(mixed)
  let a = source() | 0
  let b = source() | 0
  let c = source() | 0
  let counter = 1
  const uint32 = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) uint32()
  const next = () => uint32() / 4294967296
  const int = (n: number) => Math.floor(next() * n)
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    // The sum of twelve uniforms: close enough to normal for prices.
    normal: () => {
      let sum = -6
      for (let i = 0; i < 12; i++) sum += next()
      return sum
    },
    exponential: () => -Math.log(1 - next()),
    pick: (items) => items[int(items.length)]!,
    hex: (digits) => {
      let out = ""
      while (out.length < digits) out += uint32().toString(16).padStart(8, "0")
      return out.slice(0, digits)
    }
  }
}
