/** Spreading a changing set of items over as many workers as it takes, moving as few of them as possible. */
import { Effect, FiberMap, Queue, Stream, type SubscriptionRef } from "effect"
import { type Emit, emitting } from "./Emitting.ts"

/** What changed for a shard that is running. */
export interface ShardChange<Item> {
  readonly added: ReadonlyArray<Item>
  readonly removed: ReadonlyArray<Item>
}

/** One worker's share. */
export interface Shard<Item> {
  /** From 1; a number that fell free is used again. */
  readonly index: number
  /** The items by id, always current. */
  readonly items: ReadonlyMap<string, Item>
  readonly changes: Queue.Dequeue<ShardChange<Item>>
}

export interface ShardsOptions<Item, A, R> {
  readonly desired: SubscriptionRef.SubscriptionRef<ReadonlyArray<Item>>
  readonly id: (item: Item) => string
  readonly perShard: number
  /** A shard's life, in which it emits: runs until the shard is empty, then it is interrupted. */
  readonly run: (shard: Shard<Item>, emit: Emit<A>) => Effect.Effect<void, never, R>
  /**
   * What to say beside the shard when items have left it. Without items left the shard has ended; else it is told as well,
   * by `changes`.
   */
  readonly onRemoved: (shard: Shard<Item>, removed: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<A>>
  /** Elements that may wait for the reader over all shards; then shards wait. */
  readonly bufferSize: number
}

/** Which items a set of shards gains and loses to hold exactly `desired`; shards beyond the existing ones are new. */
export const assign = <Item>(
  current: ReadonlyMap<number, ReadonlyMap<string, Item>>,
  desired: ReadonlyMap<string, Item>,
  perShard: number
): ReadonlyMap<number, ShardChange<Item>> => {
  const changes = new Map<number, { added: Array<Item>; removed: Array<Item> }>()
  const sizes = new Map<number, number>()
  const placed = new Set<string>()
  const changeOf = (index: number) => {
    let change = changes.get(index)
    if (change === undefined) changes.set(index, (change = { added: [], removed: [] }))
    return change
  }
  for (const [index, items] of current) {
    let size = items.size
    for (const [id, item] of items) {
      if (desired.has(id)) placed.add(id)
      else {
        changeOf(index).removed.push(item)
        size--
      }
    }
    sizes.set(index, size)
  }
  let index = 1
  for (const [id, item] of desired) {
    if (placed.has(id)) continue
    while ((sizes.get(index) ?? 0) >= perShard) index++
    changeOf(index).added.push(item)
    sizes.set(index, (sizes.get(index) ?? 0) + 1)
  }
  return changes
}

/** All shards' elements in one stream, each shard's in its own order. Shards come and go as `desired` changes. */
export const sharded = <Item, A, R>(options: ShardsOptions<Item, A, R>): Stream.Stream<A, never, R> =>
  emitting(
    (emit: Emit<A>) =>
      Effect.gen(function* () {
        const workers = yield* FiberMap.make<number, void, never>()
        interface Running extends Shard<Item> {
          readonly items: Map<string, Item>
          readonly changes: Queue.Queue<ShardChange<Item>>
        }
        const shards = new Map<number, Running>()

        const start = (index: number, items: ReadonlyArray<Item>) =>
          Effect.gen(function* () {
            const changes = yield* Queue.unbounded<ShardChange<Item>>()
            const shard = { index, items: new Map(items.map((item) => [options.id(item), item])), changes }
            shards.set(index, shard)
            yield* FiberMap.run(workers, index, options.run(shard, emit))
          })

        const change = (shard: Running, { added, removed }: ShardChange<Item>) =>
          Effect.gen(function* () {
            for (const item of removed) shard.items.delete(options.id(item))
            for (const item of added) shard.items.set(options.id(item), item)
            if (shard.items.size > 0) yield* shard.changes.offer({ added, removed })
            else {
              shards.delete(shard.index)
              yield* FiberMap.remove(workers, shard.index)
            }
            if (removed.length > 0) yield* emit(yield* options.onRemoved(shard, removed))
          })

        const follow = (items: ReadonlyArray<Item>) =>
          Effect.gen(function* () {
            const desired = new Map(items.map((item) => [options.id(item), item]))
            for (const shard of shards.values()) {
              for (const id of shard.items.keys()) {
                const item = desired.get(id)
                if (item !== undefined) shard.items.set(id, item)
              }
            }
            const current = new Map([...shards].map(([index, shard]) => [index, shard.items]))
            for (const [index, delta] of assign(current, desired, options.perShard)) {
              const shard = shards.get(index)
              yield* shard === undefined ? start(index, delta.added) : change(shard, delta)
            }
          })

        yield* Effect.forkScoped(Stream.runForEach(options.desired.changes, follow))
        // A shard has no end of its own; one that breaks must not be missed.
        yield* FiberMap.join(workers)
      }),
    options.bufferSize
  )
