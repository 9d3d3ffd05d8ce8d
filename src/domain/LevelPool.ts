/**
 * The memory in which the levels of many books lie: twelve bytes a level, in a few large blocks. Arrays of each book's own
 * take sixteen and their heads besides, and the garbage collector has to look at all of them.
 *
 * What is given back is used again by whichever side needs as much room next; nothing is moved to close gaps, so that a
 * pool holds what its sides of each room held at most. Plain data, which `node:v8` saves whole.
 */

/** Prices and sizes in parallel, in millionths. */
export interface Block {
  prices: Int32Array
  sizes: Float64Array
}

/** Some of a block: `room` levels from `from` on, of which the first `length` are in use. */
export interface Place {
  block: Block
  from: number
  room: number
  length: number
}

export interface LevelPool {
  /** One at least. */
  readonly blocks: Array<Block>
  /** Levels of the last block that were given out. */
  used: number
  /** Places that were given back, by their room. */
  readonly free: Map<number, Array<Readonly<Place>>>
}

/** What a pool begins with, enough for one book; each block after it is twice as large, up to 384 KB. */
const FIRST_BLOCK = 64
const LARGEST_BLOCK = 32_768
const LEAST_ROOM = 4

const blockOf = (levels: number): Block => ({ prices: new Int32Array(levels), sizes: new Float64Array(levels) })

export const make = (): LevelPool => ({ blocks: [blockOf(FIRST_BLOCK)], used: 0, free: new Map() })

/** A place without room. */
export const nowhere = ({ blocks }: LevelPool): Place => ({ block: blocks[0]!, from: 0, room: 0, length: 0 })

/** The room that so many levels are given: at most a quarter more than they need, and four at least. */
const roomFor = (length: number): number => {
  if (length <= LEAST_ROOM) return LEAST_ROOM
  const step = Math.max(2, 1 << (29 - Math.clz32(length - 1)))
  return Math.ceil(length / step) * step
}

const take = (pool: LevelPool, room: number): Readonly<Place> => {
  const given = pool.free.get(room)?.pop()
  if (given !== undefined) return given
  let block = pool.blocks[pool.blocks.length - 1]!
  if (pool.used + room > block.prices.length) {
    block = blockOf(Math.max(room, Math.min(LARGEST_BLOCK, 2 * block.prices.length)))
    pool.blocks.push(block)
    pool.used = 0
  }
  const from = pool.used
  pool.used += room
  return { block, from, room, length: 0 }
}

const giveBack = (pool: LevelPool, { block, from, room }: Readonly<Place>): void => {
  if (room === 0) return
  const free = pool.free.get(room)
  const place = { block, from, room, length: 0 }
  if (free === undefined) pool.free.set(room, [place])
  else free.push(place)
}

const become = (place: Place, { block, from, length, room }: Readonly<Place>): void => {
  place.block = block
  place.from = from
  place.room = room
  place.length = length
}

/** Empties a place and sees to it that it has room for so many levels, and not more than twice what they are given. */
export const clear = (pool: LevelPool, place: Place, levels: number): void => {
  place.length = 0
  const room = levels === 0 ? 0 : roomFor(levels)
  if (place.room >= room && place.room <= 2 * room) return
  giveBack(pool, place)
  become(place, room === 0 ? nowhere(pool) : take(pool, room))
}

const grow = (pool: LevelPool, place: Place): void => {
  const larger = take(pool, roomFor(place.room + 1))
  const { block, from, length } = place
  larger.block.prices.set(block.prices.subarray(from, from + length), larger.from)
  larger.block.sizes.set(block.sizes.subarray(from, from + length), larger.from)
  giveBack(pool, place)
  become(place, { ...larger, length })
}

/** Makes a level the one at `index`, before those that are there from it on. */
export const insert = (pool: LevelPool, place: Place, index: number, price: number, size: number): void => {
  if (place.length === place.room) grow(pool, place)
  const { prices, sizes } = place.block
  const at = place.from + index
  for (let i = place.from + place.length; i > at; i--) {
    prices[i] = prices[i - 1]!
    sizes[i] = sizes[i - 1]!
  }
  prices[at] = price
  sizes[at] = size
  place.length++
}

export const remove = (place: Place, index: number): void => {
  const { prices, sizes } = place.block
  place.length--
  const last = place.from + place.length
  for (let i = place.from + index; i < last; i++) {
    prices[i] = prices[i + 1]!
    sizes[i] = sizes[i + 1]!
  }
}

/** Gives a pool memory of its own: one that was restored lies in what it was restored from, and would keep all of that. */
export const detach = ({ blocks }: LevelPool): void => {
  for (const block of blocks) {
    block.prices = block.prices.slice()
    block.sizes = block.sizes.slice()
  }
}
