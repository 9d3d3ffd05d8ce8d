/** Tapes in folders of their own, and what is on them. */
import { readdir } from "node:fs/promises"
import { Chunk, Effect, Exit, Logger, Schema, Scope, Stream } from "effect"
import { TapeConfig } from "../../src/tape/TapeConfig.ts"
import { type Record, TapeReader } from "../../src/tape/TapeReader.ts"
import * as TapeWriter from "../../src/tape/TapeWriter.ts"
import type { MakeFile } from "../../src/tape/OpenSegment.ts"
import { numberOf } from "./Inputs.ts"

export const config: TapeConfig = Schema.decodeSync(TapeConfig)({ fsync: "never" })

/** A tape that is written, until its scope closes. */
export const write = (directory: string, changes: Partial<TapeConfig> = {}, makeFile?: MakeFile) =>
  TapeWriter.make({
    config: { ...config, ...changes },
    directory,
    program: "test",
    ...(makeFile === undefined ? {} : { makeFile })
  })

export const reader = (directory: string) => Effect.provide(TapeReader, TapeReader.layer(directory))

export const records = (directory: string, run: number, after = 0) =>
  Effect.flatMap(reader(directory), (reader) => Stream.runCollect(reader.records(run, after))).pipe(
    Effect.map((chunk): ReadonlyArray<Record> => Chunk.toReadonlyArray(chunk))
  )

/** The numbers of records and, where they are of a series, of their inputs: the same when nothing is amiss. */
export const numbers = (directory: string, run: number, after = 0) =>
  Effect.map(records(directory, run, after), (all) =>
    all.map(({ input, ordinal }) => ({ ordinal, n: numberOf(input) }))
  )

export const series = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ ordinal: from + i, n: from + i }))

/** Waits for something that another fiber brings about without the clock. */
export const eventually = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(
    Effect.repeat(
      Effect.zipLeft(
        holds,
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      ),
      {
        until: (held) => held
      }
    )
  )

/** What is logged, as `LEVEL message`, beside what happens. */
export const logging = <A, E, R>(effect: (logged: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const logged: Array<string> = []
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    const about = [...annotations].map(([key, value]) => ` ${key}=${String(value)}`).join("")
    logged.push(`${logLevel.label} ${String(message)}${about}`)
  })
  return Effect.provide(effect(logged), Logger.replace(Logger.defaultLogger, logger))
}

/** A resource that ends at will, or else with the scope. */
export const closable = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const value = yield* Scope.extend(effect, scope)
    return [value, Scope.close(scope, Exit.void)] as const
  })

export const files = (directory: string) => Effect.promise(async () => (await readdir(directory)).sort())
