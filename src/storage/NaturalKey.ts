/** What makes a tick the same tick when it comes twice: see the tables' `digest`. */

const rotate = (n: number, by: number): number => (n << by) | (n >>> (32 - by))

const finish = (n: number): number => {
  let h = n
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}

/** 64 bits over numbers and texts, as two lanes of MurmurHash3's rounds. Not for secrets; it never leaves the tables. */
export class Digest {
  private first = 0
  private second = 0

  start(): this {
    this.first = 0x2c1b3c6d
    this.second = 0x297a2d39
    return this
  }

  private mix(word: number): void {
    const one = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
    this.first = (Math.imul(rotate(this.first ^ one, 13), 5) + 0xe6546b64) | 0
    const two = Math.imul(rotate(Math.imul(word, 0xab0e9789), 16), 0x38b34ae5)
    this.second = (Math.imul(rotate(this.second ^ two, 17), 5) + 0x561ccd1b) | 0
  }

  /** An integer up to 2^53 in size. */
  number(value: number): this {
    const low = value | 0
    this.mix(low)
    // Most fit 32 bits, of which the rest are the sign.
    this.mix(low === value ? low >> 31 : Math.floor(value / 0x1_0000_0000) | 0)
    return this
  }

  /** `null` differs from every text, the empty one included. */
  text(value: string | null): this {
    if (value === null) return this.number(-1)
    this.number(value.length)
    for (let i = 0; i < value.length; i++) this.mix(value.charCodeAt(i))
    return this
  }

  get high(): number {
    return finish(this.first)
  }

  get low(): number {
    return finish(this.second)
  }
}

/** The contents that a slot took on, in order; a single one stands for itself. */
type History = number | Array<number>

/**
 * What had come within one millisecond of the venue's clock: by slot (a level), the contents it took on, in order.
 * Plain data, so that it can be put away and taken up again. Mostly there is one, which needs no map.
 */
export interface Moment {
  time: number
  slot: number
  content: number
  /** All of them, the first included, once there are several. */
  seen: Map<number, History> | undefined
}

export const moment = (): Moment => ({ time: Number.NaN, slot: 0, content: 0, seen: undefined })

/**
 * Notes a content, and counts how often it had come and gone within the millisecond. What follows on itself is the same
 * message again and counts once; what comes back after something else is a new one.
 *
 * `slot` is what changes, `content` what it changes to.
 */
export const occurrence = (moment: Moment, time: number, slot: number, content: number): number => {
  if (time !== moment.time) {
    moment.time = time
    moment.slot = slot
    moment.content = content
    if (moment.seen !== undefined && moment.seen.size > 0) moment.seen.clear()
    return 0
  }
  if (moment.seen === undefined || moment.seen.size === 0) {
    if (slot === moment.slot && content === moment.content) return 0
    moment.seen ??= new Map()
    moment.seen.set(moment.slot, moment.content)
  }
  const earlier = moment.seen.get(slot)
  if (earlier === undefined) {
    moment.seen.set(slot, content)
    return 0
  }
  if (earlier === content) return 0
  if (typeof earlier === "number") {
    moment.seen.set(slot, [earlier, content])
    return 0
  }
  if (earlier[earlier.length - 1] !== content) earlier.push(content)
  let count = -1
  for (const one of earlier) if (one === content) count++
  return count
}
