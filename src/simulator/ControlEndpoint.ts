/**
 * `/_control`, by which a test asks and commands a running server: `GET stats`, `GET books/:id` for a book as it is
 * whatever the faults in force make clients see, and `POST faults` with one command or a list of them.
 */
import * as Faults from "./Faults.ts"
import type { Fault } from "./Faults.ts"
import { type Reply, type Request, failure, json } from "./Rest.ts"

const PREFIX = "/_control/"

/** Whether a path is for this endpoint, which no fault slows or refuses. */
export const isControl = (path: string): boolean => path.startsWith(PREFIX)

/** What the endpoint reaches of a server. */
export interface Controlled {
  readonly stats: () => unknown
  readonly trueBook: (id: string) => Reply
  readonly inject: (fault: Fault) => void
  readonly notFound: Reply
}

/** The faults of a request: all or none. */
const decode = (body: string): { readonly faults: ReadonlyArray<Fault> } | { readonly refusal: Reply } => {
  let input: unknown
  try {
    input = JSON.parse(body)
  } catch {
    return { refusal: failure(400, "not JSON") }
  }
  const commands: ReadonlyArray<unknown> = Array.isArray(input) ? input : [input]
  const decoded = commands.map(Faults.decode)
  const problems = decoded.flatMap((one, index) =>
    "problems" in one ? one.problems.map((problem) => ({ command: index, ...problem })) : []
  )
  if (problems.length > 0) return { refusal: json(400, { error: "bad fault", problems }) }
  return { faults: decoded.flatMap((one) => ("fault" in one ? [one.fault] : [])) }
}

export const answer = (server: Controlled, { body, method, path }: Request): Reply => {
  const [, , what, id = ""] = path.split("/")
  if (what === "stats") return json(200, server.stats())
  if (what === "books") return server.trueBook(id)
  if (what !== "faults" || method !== "POST") return server.notFound
  const decoded = decode(body)
  if ("refusal" in decoded) return decoded.refusal
  decoded.faults.forEach(server.inject)
  return json(200, { injected: decoded.faults.length })
}
