/**
 * Reading JSON that others wrote: each value is what it should be, or a {@link Fault} that names where it stands. By hand,
 * for the hot path; faults are thrown inside a reader and never leave it.
 */
import { Either, ParseResult, Schema } from "effect"

/** A value that is not what the protocol says, and where in the message it stands. */
export class Fault {
  readonly path: string
  readonly problem: string
  constructor(path: string, problem: string) {
    this.path = path
    this.problem = problem
  }
}

export type Json = Readonly<Record<string, unknown>>

/** A value for people, cut to a few words. */
export const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? String(value)

/** The first of these keys of a value as an id for people, whatever stands there; `?` where nothing does. */
export const idAt = (value: unknown, ...keys: ReadonlyArray<string>): string => {
  const found = isObject(value)
    ? keys.map((key) => value[key]).find((id) => id !== undefined && id !== null)
    : undefined
  if (typeof found === "string") return found.slice(0, 80)
  return found === undefined ? "?" : shown(found)
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const object = (value: unknown, path: string): Json => {
  if (isObject(value)) return value
  throw new Fault(path, `an object expected, not ${shown(value)}`)
}

export const array = (value: unknown, path: string): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  throw new Fault(path, `a list expected, not ${shown(value)}`)
}

/** Decodes with a schema inside a reader. */
export const decodeWith =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (value: unknown): A =>
    Either.getOrThrowWith(Schema.decodeUnknownEither(schema)(value), (error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return new Fault(issue?.path.join(".") ?? "", issue?.message ?? "does not decode")
    })
