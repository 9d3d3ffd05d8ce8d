/**
 * The thread of the embedded database. PGlite computes synchronously: in the main thread a busy one would stop sockets
 * and timers for seconds. Requests are answered one at a time, in the order they came.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import { PGlite } from "@electric-sql/pglite"
import type { Fault, Reply, Request, Result, WorkerOptions } from "./PgliteProtocol.ts"

const BIGINT = 20

const faultOf = (error: unknown): Fault => {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code, severity, detail, constraint, table, column } = error as Partial<Fault>
  const given = Object.entries({ code, severity, detail, constraint, table, column })
  return { message: error.message, ...Object.fromEntries(given.filter(([, value]) => typeof value === "string")) }
}

const perform = async (database: PGlite, request: Request): Promise<Result> => {
  switch (request.op) {
    case "query": {
      const result = await database.query<unknown>(request.sql, [...request.params], {
        rowMode: request.arrays ? "array" : "object"
      })
      return { rows: result.rows, rowCount: result.affectedRows ?? 0 }
    }
    case "exec": {
      const results = await database.exec(request.sql)
      const last = results.at(-1)
      return { rows: last?.rows ?? [], rowCount: last?.affectedRows ?? 0 }
    }
    case "copy": {
      const sql = `COPY ${request.target} FROM '/dev/blob' WITH (FORMAT binary)`
      const blob = new Blob([request.bytes as Uint8Array<ArrayBuffer>])
      const result = await database.query(sql, [], { blob })
      return { rows: [], rowCount: result.affectedRows ?? 0 }
    }
    case "close": {
      await database.close()
      return { rows: [], rowCount: 0 }
    }
  }
}

const serve = async (port: MessagePort, options: WorkerOptions): Promise<void> => {
  const reply = async (id: number, work: () => Promise<Result>): Promise<void> => {
    let message: Reply
    try {
      message = { id, ok: true, result: await work() }
    } catch (error) {
      message = { id, ok: false, fault: faultOf(error) }
    }
    port.postMessage(message)
  }
  // As `pg` gives it: a 64-bit integer does not fit a number.
  const opening = PGlite.create({ dataDir: options.directory, parsers: { [BIGINT]: (text: string) => text } })
  let turn = reply(0, () => opening.then(() => ({ rows: [], rowCount: 0 })))
  port.on("message", (request: Request) => {
    turn = turn.then(() => reply(request.id, async () => perform(await opening, request)))
  })
}

if (parentPort !== null) await serve(parentPort, workerData as WorkerOptions)
