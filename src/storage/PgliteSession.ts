/** One running database thread, from its start to its end. */
import { existsSync } from "node:fs"
import { Worker } from "node:worker_threads"
import { SqlError } from "@effect/sql/SqlError"
import { Data, Effect } from "effect"
import type { Fault, Reply, Request, Result, WorkerOptions } from "./PgliteProtocol.ts"

/** What the database itself reported. Fields as `pg` names them. */
export class PgliteError extends Data.TaggedError("PgliteError")<Fault> {}

/** The thread is gone: with the statement that was running and with every one that waited. */
export class ThreadEnded extends Data.TaggedError("ThreadEnded")<{ readonly reason: string }> {
  override get message(): string {
    return `the embedded database's thread ended: ${this.reason}`
  }
}

type Question = Request extends infer R ? (R extends unknown ? Omit<R, "id"> : never) : never

export interface PgliteSession {
  /** Once false it stays so. */
  readonly alive: () => boolean
  /**
   * Asks in turn. An interruption waits for the answer, because a running statement cannot be stopped and whoever comes
   * next must find the connection idle.
   */
  readonly ask: (question: Question) => Effect.Effect<Result, SqlError>
  /** Closes the database and ends the thread. */
  readonly close: Effect.Effect<void>
  /** Ends the thread at once, whatever it does. */
  readonly kill: Effect.Effect<void>
}

/** The built thread: beside the bundle that this module is part of, or in `dist` when it runs from source. */
const workerUrl = (): URL => {
  const beside = new URL("./PgliteWorker.js", import.meta.url)
  return existsSync(beside) ? beside : new URL("../../dist/PgliteWorker.js", import.meta.url)
}

const CLOSE_LIMIT = "10 seconds"

/** Starts a thread and opens the directory, which is made when it does not exist. */
export const open = (directory: string): Effect.Effect<PgliteSession, SqlError> =>
  Effect.gen(function* () {
    const pending = new Map<number, (reply: Reply) => void>()
    let lastId = 0
    let ended: string | undefined

    const workerData: WorkerOptions = { directory }
    const worker = new Worker(workerUrl(), { workerData, execArgv: [], name: "parallax-database" })
    const end = (reason: string): void => {
      ended ??= reason
      const waiting = [...pending]
      pending.clear()
      for (const [id, answer] of waiting) answer({ id, ok: false, fault: { message: ended } })
    }
    worker.on("message", (reply: Reply) => {
      const answer = pending.get(reply.id)
      pending.delete(reply.id)
      answer?.(reply)
    })
    worker.on("error", (error: unknown) => end(error instanceof Error ? error.message : String(error)))
    worker.on("exit", (code) => end(`exit code ${code}`))

    const settle = (reply: Reply, what: string): Effect.Effect<Result, SqlError> => {
      if (reply.ok) return Effect.succeed(reply.result)
      const cause = ended === undefined ? new PgliteError(reply.fault) : new ThreadEnded({ reason: ended })
      return Effect.fail(new SqlError({ cause, message: what }))
    }
    const answerOf = (id: number, what: string, send: () => void): Effect.Effect<Result, SqlError> =>
      Effect.async<Result, SqlError>((resume) => {
        let release: (() => void) | undefined
        let answered = false
        pending.set(id, (reply) => {
          answered = true
          resume(settle(reply, what))
          release?.()
        })
        send()
        return Effect.async<void>((done) => {
          if (answered) done(Effect.void)
          else release = () => done(Effect.void)
        })
      })
    const ask = (question: Question): Effect.Effect<Result, SqlError> =>
      Effect.suspend(() => {
        if (ended !== undefined) return settle({ id: 0, ok: false, fault: { message: ended } }, "Failed to execute")
        const id = ++lastId
        return answerOf(id, "Failed to execute statement", () => {
          if (question.op !== "copy") return worker.postMessage({ ...question, id })
          // A copy of just these bytes, handed over: posting a view would clone all that it is a view of.
          const bytes = new Uint8Array(question.bytes)
          return worker.postMessage({ ...question, bytes, id }, [bytes.buffer])
        })
      })

    const kill = Effect.promise(() => worker.terminate()).pipe(Effect.asVoid)
    const close = ask({ op: "close" }).pipe(
      Effect.disconnect,
      // Inside the time limit, where a fiber of its own runs: outside it, an interrupted program would end here.
      Effect.interruptible,
      Effect.timeout(CLOSE_LIMIT),
      Effect.ignore,
      Effect.zipRight(kill)
    )
    yield* answerOf(0, `Failed to open the database in ${directory}`, () => {}).pipe(Effect.tapError(() => kill))
    return { alive: () => ended === undefined, ask, close, kill }
  })
