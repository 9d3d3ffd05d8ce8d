import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck as fc, Queue, Stream, SubscriptionRef, TestClock } from "effect"
import { assign, type Shard, sharded } from "../../src/resilience/Shards.ts"

const asMap = (ids: Iterable<string>) => new Map(Array.from(ids, (id) => [id, id]))

/** What a set of shards holds after the changes; empty shards are gone. */
const applied = (
  current: ReadonlyMap<number, ReadonlyMap<string, string>>,
  changes: ReturnType<typeof assign<string>>
): ReadonlyMap<number, ReadonlySet<string>> => {
  const out = new Map(Array.from(current, ([index, items]) => [index, new Set(items.keys())] as const))
  for (const [index, { added, removed }] of changes) {
    const items = out.get(index) ?? new Set()
    for (const id of removed) assert.isTrue(items.delete(id), "only what is there is removed")
    for (const id of added) {
      assert.isFalse(items.has(id), "only what is not there is added")
      items.add(id)
    }
    if (items.size === 0) out.delete(index)
    else out.set(index, items)
  }
  return out
}

describe("the assignment", () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 60 }).map(String), { maxLength: 40 })

  it("holds exactly what is wanted, nowhere above the capacity, and moves nothing that may stay", () => {
    fc.assert(
      fc.property(fc.array(ids, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 7 }), (wanted, perShard) => {
        let shards: ReadonlyMap<number, ReadonlySet<string>> = new Map()
        for (const desired of wanted) {
          const current = new Map(Array.from(shards, ([index, items]) => [index, asMap(items)] as const))
          const before = new Map(Array.from(shards).flatMap(([index, items]) => [...items].map((id) => [id, index])))
          shards = applied(current, assign(current, asMap(desired), perShard))
          const held = [...shards.values()].flatMap((items) => [...items])
          assert.sameMembers(held, desired)
          for (const [index, items] of shards) {
            assert.isAtMost(items.size, perShard)
            for (const id of items) if (before.has(id)) assert.strictEqual(index, before.get(id), "it stayed")
          }
          // A new shard is begun only when those before it are full.
          const begun = [...shards.keys()].filter((index) => !current.has(index)).sort((a, b) => a - b)
          for (const index of begun) {
            for (let i = 1; i < index; i++) assert.strictEqual(shards.get(i)?.size, perShard)
          }
        }
      }),
      { numRuns: 500 }
    )
  })

  it("changes nothing when nothing changed", () => {
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 7 }), (desired, perShard) => {
        const shards = applied(new Map(), assign(new Map(), asMap(desired), perShard))
        const current = new Map(Array.from(shards, ([index, items]) => [index, asMap(items)] as const))
        assert.strictEqual(assign(current, asMap(desired), perShard).size, 0)
      })
    )
  })
})

interface Item {
  readonly id: string
  readonly about?: string
}
const items = (...ids: ReadonlyArray<string>): ReadonlyArray<Item> => ids.map((id) => ({ id }))

/** Shards that say what happens to them, and what came out. */
const start = (
  first: ReadonlyArray<Item>,
  perShard: number,
  run?: (shard: Shard<Item>) => Stream.Stream<string>,
  bufferSize = 1000
) =>
  Effect.gen(function* () {
    const desired = yield* SubscriptionRef.make(first)
    const out: Array<string> = []
    const ended: Array<number> = []
    const shards = new Map<number, Shard<Item>>()
    const tellChanges = (shard: Shard<Item>) =>
      Stream.fromQueue(shard.changes).pipe(
        Stream.map(({ added, removed }) => {
          const names = (all: ReadonlyArray<Item>) => all.map(({ id }) => id).join("")
          return `${shard.index} +${names(added)} -${names(removed)}`
        })
      )
    const stream = sharded<Item, string, never>({
      desired,
      id: ({ id }) => id,
      perShard,
      bufferSize,
      run: (shard, emit) => {
        shards.set(shard.index, shard)
        const begin = `${shard.index} begins with ${[...shard.items.keys()].join("")}`
        return Stream.concat(Stream.make(begin), (run ?? tellChanges)(shard)).pipe(
          Stream.ensuring(Effect.sync(() => ended.push(shard.index))),
          Stream.runForEachChunk(emit)
        )
      },
      onRemoved: (shard, removed) => Effect.succeed([`${shard.index} has lost ${removed.map(({ id }) => id).join("")}`])
    })
    const fiber = yield* Effect.forkScoped(Stream.runForEach(stream, (word) => Effect.sync(() => out.push(word))))
    yield* TestClock.adjust("1 millis")
    const want = (...all: ReadonlyArray<Item>) =>
      Effect.zipRight(SubscriptionRef.set(desired, all), TestClock.adjust("1 millis"))
    return { desired, ended, fiber, out, shards, want }
  })

describe("shards", () => {
  it.scoped("begin as many as it takes", () =>
    Effect.gen(function* () {
      const { out } = yield* start(items("a", "b", "c", "d", "e"), 2)
      assert.deepStrictEqual([...out].sort(), ["1 begins with ab", "2 begins with cd", "3 begins with e"])
    })
  )

  it.scoped("follow what is wanted, each told of its own changes only", () =>
    Effect.gen(function* () {
      const { out, want } = yield* start(items("a", "b", "c"), 2)
      out.length = 0
      yield* want(...items("b", "c", "d"))
      assert.deepStrictEqual(out, ["1 has lost a", "1 +d -a"])
      yield* want(...items("b", "c", "d"))
      assert.deepStrictEqual(out, ["1 has lost a", "1 +d -a"], "nothing new, nothing said")
      yield* want(...items("b", "c", "d", "e", "f"))
      assert.sameMembers(out.slice(2), ["2 +e -", "3 begins with f"])
    })
  )

  it.scoped("end when nothing is left of them, and their number is used again", () =>
    Effect.gen(function* () {
      const { ended, out, want } = yield* start(items("a", "b", "c"), 1)
      out.length = 0
      yield* want(...items("a", "c"))
      assert.deepStrictEqual(out, ["2 has lost b"])
      assert.deepStrictEqual(ended, [2])
      yield* want(...items("a", "c", "d"))
      assert.deepStrictEqual(out.slice(1), ["2 begins with d"])
      yield* want()
      assert.sameMembers(ended, [2, 1, 2, 3])
    })
  )

  it.scoped("know the newest of what is said about an item that stays", () =>
    Effect.gen(function* () {
      const { out, shards, want } = yield* start(items("a"), 1)
      yield* want({ id: "a", about: "new" })
      assert.strictEqual(shards.get(1)?.items.get("a")?.about, "new")
      assert.strictEqual(out.length, 1, "which is no change of what it holds")
    })
  )

  it.scoped("keep each its own order while they speak all at once", () =>
    Effect.gen(function* () {
      const count = 300
      const speak = (shard: Shard<Item>) =>
        Stream.range(1, count).pipe(
          Stream.rechunk(shard.index),
          Stream.map((n) => `${shard.index}:${n}`),
          Stream.concat(Stream.never)
        )
      const { out } = yield* start(items("a", "b", "c"), 1, speak, 16)
      yield* TestClock.adjust("1 millis")
      for (const index of [1, 2, 3]) {
        const words = out.filter((word) => word.startsWith(`${index}:`))
        assert.deepStrictEqual(
          words,
          Array.from({ length: count }, (_, i) => `${index}:${i + 1}`)
        )
      }
    })
  )

  it.scoped("wait for a reader that is behind, and lose nothing", () =>
    Effect.gen(function* () {
      let made = 0
      const desired = yield* SubscriptionRef.make(items("a"))
      const stream = sharded<Item, number, never>({
        desired,
        id: ({ id }) => id,
        perShard: 1,
        bufferSize: 10,
        run: (_, emit) =>
          Stream.iterate(1, (n) => n + 1).pipe(
            Stream.rechunk(1),
            Stream.map((n) => (made = n)),
            Stream.runForEachChunk(emit)
          ),
        onRemoved: () => Effect.succeed([])
      })
      const queue = yield* Queue.bounded<number>(1)
      const taken: Array<number> = []
      yield* Effect.forkScoped(Stream.runForEach(stream, (n) => queue.offer(n)))
      yield* TestClock.adjust("1 millis")
      assert.isAtMost(made, 40, "it does not run ahead")
      for (let i = 0; i < 200; i++) taken.push(yield* Queue.take(queue))
      assert.deepStrictEqual(
        taken,
        Array.from({ length: 200 }, (_, i) => i + 1)
      )
    })
  )

  it.scoped("end with the stream that reads them", () =>
    Effect.gen(function* () {
      const { ended } = yield* Effect.scoped(start(items("a", "b"), 1))
      assert.sameMembers(ended, [1, 2])
    })
  )

  it.scoped("are not left behind when one of them breaks", () =>
    Effect.gen(function* () {
      const { fiber } = yield* start(items("a", "b"), 1, ({ index }) =>
        index === 2 ? Stream.dieMessage("a bug") : Stream.never
      )
      yield* TestClock.adjust("1 millis")
      const exit = fiber.unsafePoll()
      assert.isTrue(exit !== null && Exit.isFailure(exit), "whoever reads learns of it")
    })
  )
})
