import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { hanging, stage } from "../../src/cli/Shutdown.ts"

class Inner extends Context.Tag("parallax/test/cli/Shutdown.test/Inner")<Inner, string>() {}

const closing = (name: string, closed: Array<string>) => Effect.addFinalizer(() => Effect.sync(() => closed.push(name)))

const remembering = (entries: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => entries.push(String(message)))
  )

describe("a stage", () => {
  it.effect("gives what its layer gives, and closes it before what it was built on", () =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const database = Layer.scoped(Inner, Effect.as(closing("database", closed), "rows"))
      const server = Layer.scopedDiscard(Effect.zipRight(Inner, closing("server", closed)))
      const both = stage("server")(server).pipe(Layer.provideMerge(stage("database")(database)))
      assert.strictEqual(yield* Effect.provide(Inner, both), "rows")
      assert.deepStrictEqual(closed, ["server", "database"])
      assert.deepStrictEqual(hanging(), [])
    })
  )

  it.effect("is named while it does not end", () =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      const stuck = Layer.scopedDiscard(Effect.addFinalizer(() => Deferred.await(release)))
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(stage("sockets")(stuck), scope)
      const fiber = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(hanging(), ["sockets"])
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(hanging(), [])
    })
  )

  it.effect("that closes badly is said, and keeps no other from closing", () =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const entries: Array<string> = []
      const database = Layer.scoped(Inner, Effect.as(closing("database", closed), "rows"))
      const broken = Layer.scopedDiscard(
        Effect.zipRight(
          Inner,
          Effect.addFinalizer(() => Effect.die("no"))
        )
      )
      const both = stage("server")(broken).pipe(Layer.provideMerge(stage("database")(database)))
      yield* Effect.provide(Effect.exit(Effect.provide(Inner, both)), remembering(entries))
      assert.deepStrictEqual(closed, ["database"])
      assert.deepStrictEqual(entries, ["closed badly", "closed"])
    })
  )
})
