import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Effect, Exit, Fiber, Logger, Ref, Scope, Stream, TestClock } from "effect"
import { type Batch, Bus, unrecorded } from "../../src/bus/Bus.ts"
import { snapshot, trade } from "../support/Events.ts"

const batch = (n: number): Batch => unrecorded([trade(n, "0.4 1")])
const times = (batches: Iterable<Batch>) =>
  Array.from(batches).flatMap(({ events }) => events.map((event) => event.receivedTime))
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

const readAll = (count: number) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const stream = yield* bus.subscribe
    return yield* Effect.forkScoped(Effect.map(Stream.runCollect(Stream.take(stream, count)), times))
  })

describe("Bus", () => {
  it.scoped("brings every subscriber every batch, in order", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const [one, two] = [yield* readAll(500), yield* readAll(500)]
      yield* Effect.forEach(upTo(500), (n) => bus.publish(batch(n)), { discard: true })
      assert.deepStrictEqual(yield* Fiber.join(one), upTo(500))
      assert.deepStrictEqual(yield* Fiber.join(two), upTo(500))
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("counts from the subscription on, not from the first read", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      yield* bus.publish(batch(1))
      const stream = yield* bus.subscribe
      yield* bus.publish(batch(2))
      yield* bus.publish(batch(3))
      assert.deepStrictEqual(times(yield* Stream.runCollect(Stream.take(stream, 2))), [2, 3])
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("does not carry empty batches", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const stream = yield* bus.subscribe
      yield* bus.publish(unrecorded([]))
      yield* bus.publish(batch(1))
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(stream, 1))), [batch(1)])
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("does not hold up a publisher when nobody listens", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      yield* Effect.forEach(upTo(5000), (n) => bus.publish(batch(n)), { discard: true })
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("makes publishers wait for the slowest subscriber, and loses nothing", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const slow = yield* bus.subscribe
      const published = yield* Ref.make(0)
      const publisher = yield* Effect.forkScoped(
        Effect.forEach(upTo(2000), (n) => Effect.zipRight(bus.publish(batch(n)), Ref.set(published, n)), {
          discard: true
        })
      )
      yield* TestClock.adjust("1 minutes")
      const held = yield* Ref.get(published)
      assert.isBelow(held, 2000)
      assert.isAtLeast(held, 1024)
      const read = yield* Stream.runCollect(Stream.take(slow, 2000))
      assert.deepStrictEqual(times(read), upTo(2000))
      yield* Fiber.join(publisher)
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("lets publishers go on when the subscriber that held them up leaves", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const scope = yield* Scope.make()
      yield* Effect.asVoid(Scope.extend(bus.subscribe, scope))
      const publisher = yield* Effect.forkScoped(
        Effect.forEach(upTo(2000), (n) => bus.publish(batch(n)), { discard: true })
      )
      yield* TestClock.adjust("1 seconds")
      assert.isNull(publisher.unsafePoll())
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(publisher)
    }).pipe(Effect.provide(Bus.layer))
  )
})

describe("a subscriber to some events", () => {
  it.scoped("has these only, and is not held to account for others", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const stream = yield* bus.subscribeTo((event) => event._tag === "BookSnapshot")
      const mixed = unrecorded([trade(1, "0.4 1"), snapshot(2, "0.4 1"), trade(3, "0.4 1")])
      yield* Effect.forEach(upTo(5000), (n) => bus.publish(batch(n)), { discard: true })
      yield* bus.publish(mixed)
      yield* bus.publish(batch(4))
      yield* bus.publish(unrecorded([snapshot(5, "0.4 1")]))
      assert.deepStrictEqual(times(yield* Stream.runCollect(Stream.take(stream, 2))), [2, 5])
    }).pipe(Effect.provide(Bus.layer))
  )
})

describe("a listener", () => {
  it.scoped("hears of every batch in the turn in which it is published, until the scope closes", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const heard: Array<number> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* bus.listen("a test", ({ events }) => heard.push(...events.map(({ receivedTime }) => receivedTime)))
          yield* bus.publish(batch(1))
          assert.deepStrictEqual(heard, [1])
          yield* bus.publish(batch(2))
          assert.deepStrictEqual(heard, [1, 2])
        })
      )
      yield* bus.publish(batch(3))
      assert.deepStrictEqual(heard, [1, 2])
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("that throws is told of by name, and harms nobody else", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${Cause.pretty(cause)}`))
    return Effect.gen(function* () {
      const bus = yield* Bus
      const heard: Array<number> = []
      yield* bus.listen("a clumsy one", () => {
        throw new Error("dropped it")
      })
      yield* bus.listen("a test", ({ events }) => heard.push(...events.map(({ receivedTime }) => receivedTime)))
      const reader = yield* readAll(2)
      yield* bus.publish(batch(1))
      yield* bus.publish(batch(2))
      assert.deepStrictEqual(
        [heard, yield* Fiber.join(reader)],
        [
          [1, 2],
          [1, 2]
        ]
      )
      assert.lengthOf(lines, 2)
      assert.include(lines[0], "a clumsy one could not use an event")
      assert.include(lines[0], "dropped it")
    }).pipe(Effect.provide([Bus.layer, Logger.replace(Logger.defaultLogger, logger)]))
  })
})

describe("what waits for a subscriber", () => {
  it.scoped("is bounded by its events, however many are in a batch", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const slow = yield* bus.subscribe
      const large = unrecorded(Array.from({ length: 10_000 }, (_, n) => trade(n, "0.4 1")))
      const publisher = yield* Effect.forkScoped(Effect.repeatN(bus.publish(large), 9))
      yield* TestClock.adjust("1 seconds")
      assert.isNull(publisher.unsafePoll())
      const read: Array<number> = []
      // What a subscriber works on still counts, so that a slow one is not a reason to publish more.
      yield* Effect.forkScoped(
        Stream.runForEach(slow, ({ events }) =>
          Effect.delay(
            Effect.sync(() => read.push(events.length)),
            "1 seconds"
          )
        )
      )
      yield* TestClock.adjust("2 seconds")
      assert.isNull(publisher.unsafePoll())
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(
        read,
        Array.from({ length: 10 }, () => 10_000)
      )
      yield* Fiber.join(publisher)
    }).pipe(Effect.provide(Bus.layer))
  )

  it.scoped("counts a snapshot by its levels", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      yield* Effect.asVoid(bus.subscribe)
      const deep = snapshot(0, Array.from({ length: 90 }, (_, n) => `0.${10 + (n % 40)} 1`).join(", "))
      const dump = unrecorded(Array.from({ length: 200 }, () => deep))
      const published = yield* Ref.make(0)
      yield* Effect.forkScoped(
        Effect.repeatN(
          Effect.zipRight(
            bus.publish(dump),
            Ref.update(published, (n) => n + 1)
          ),
          99
        )
      )
      yield* TestClock.adjust("1 seconds")
      assert.isBelow(yield* Ref.get(published), 10)
    }).pipe(Effect.provide(Bus.layer))
  )
})
