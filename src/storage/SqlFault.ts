/** What an `SqlError` means for whoever wants to try again. */
import { SqlError } from "@effect/sql/SqlError"
import { Cause, Effect, Option } from "effect"

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined

/** The five characters by which PostgreSQL names a fault, or `null` when no server said anything. */
export const sqlState = (error: SqlError): string | null => {
  const code = field(error.cause, "code")
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && field(error.cause, "severity") !== undefined
    ? code
    : null
}

/**
 * The values themselves are at fault (data exception, integrity violation, a limit of the server's): the same values
 * will be refused again. Everything else may pass on another attempt: a lost connection above all, but also a deadlock
 * (40P01), a disk that is full (53100), too many connections (53300), a lock not had in time (55P03), a server that is
 * shut down (57P01) or only read from (25006), and tables that are not as they should be (42) until somebody sees to it.
 */
export const isDataFault = (error: SqlError): boolean => {
  const state = sqlState(error)
  return state !== null && /^(22|23|54)/.test(state)
}

/** A key is there already. */
export const isDuplicate = (error: unknown): boolean => error instanceof SqlError && sqlState(error) === "23505"

/** The tables are not as they should be, or not open to us: no waiting mends that, only somebody who sees to it. */
export const isSchemaFault = (error: SqlError): boolean => sqlState(error)?.startsWith("42") ?? false

const STATEMENT_CANCELED = "57014"
const OUT_OF_MEMORY = "53200"

/** It took too long, or too much memory: less at once may pass. */
export const isTooMuch = (error: SqlError): boolean => {
  const state = sqlState(error)
  return state === STATEMENT_CANCELED || state === OUT_OF_MEMORY
}

/** The connection or the server is at fault rather than the statement. */
export const isConnectionFault = (error: SqlError): boolean => {
  const state = sqlState(error)
  return state === null || (state !== STATEMENT_CANCELED && /^(08|53|57|58|XX)/.test(state))
}

/** One line for a person. A refused connection to several addresses has its text in the parts only. */
export const describe = (error: SqlError): string => {
  const { cause } = error
  const parts = field(cause, "errors")
  const texts = (Array.isArray(parts) ? parts : [cause]).map((part) => {
    const message = field(part, "message")
    const text = typeof message === "string" && message !== "" ? message : String(field(part, "code") ?? part)
    // What is said of a `ROLLBACK` on a link that broke before it, in place of why it broke.
    return text.endsWith("is not queryable") ? "the connection was lost" : text
  })
  const state = sqlState(error)
  return `${[...new Set(texts)].join(", ")}${state === null ? "" : ` (${state})`}`
}

/** The `SqlError` in a defect, if there is one at the bottom of it. */
const sqlErrorIn = (defect: unknown): SqlError | undefined => {
  for (let at = defect, depth = 0; depth < 5 && at !== undefined; at = field(at, "cause"), depth++) {
    if (at instanceof SqlError) return at
  }
  return undefined
}

/**
 * Gives an effect back the errors that the SQL library lets die: a `COMMIT` or `ROLLBACK` that failed, and a failed
 * migration. An interruption stays one.
 */
export const recoverDefects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchSomeCause(effect, (cause) => {
    if (Cause.isInterrupted(cause)) return Option.none()
    for (const defect of Cause.defects(cause)) {
      const error = sqlErrorIn(defect)
      if (error !== undefined) return Option.some(Effect.fail(error))
    }
    return Option.none()
  })
