/**
 * `/_control`, by which a test asks and commands a running server: `GET stats`, `GET books/:id` for a book as it is
 * whatever the faults in force make clients see, `GET books` for all of them at one instant, `GET said?from=` for what
 * was said on the sockets, `POST faults` with one command or a list of them, and `POST trading` with `true` or `false`.
 */
import * as Faults from "./Faults.ts"
import type { Fault } from "./Faults.ts"
import { type Reply, type Request, failure, json, text } from "./Rest.ts"
import type { Said } from "./Said.ts"

const PREFIX = "/_control/"

/** Whether a path is for this endpoint, which no fault slows or refuses. */
export const isControl = (path: string): boolean => path.startsWith(PREFIX)

/** What the endpoint reaches of a server. */
export interface Controlled {
  readonly stats: () => unknown
  readonly trueBook: (id: string) => Reply
  /** The ids of all books. */
  readonly bookIds: () => ReadonlyArray<string>
  readonly said: Said
  readonly trade: (on: boolean) => void
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

/** All books, with the position in what was said that they stand at. */
const books = ({ bookIds, said, trueBook }: Controlled): Reply => {
  const all = bookIds().flatMap((id) => {
    const { body, status } = trueBook(id)
    return status === 200 ? [`${JSON.stringify(id)}:${body}`] : []
  })
  return text(`{"position":${said.next()},"books":{${all.join(",")}}}`)
}

const trading = (server: Controlled, body: string): Reply => {
  if (body !== "true" && body !== "false") return failure(400, "true or false is expected")
  server.trade(body === "true")
  return json(200, { trading: body === "true" })
}

export const answer = (server: Controlled, { body, method, path, query }: Request): Reply => {
  const [, , what, id = ""] = path.split("/")
  if (what === "stats") return json(200, server.stats())
  if (what === "books") return id === "" ? books(server) : server.trueBook(id)
  if (what === "said") {
    const sayings = server.said.from(Number(query.get("from") ?? 0))
    return json(200, { next: server.said.next(), sayings })
  }
  if (what === "trading" && method === "POST") return trading(server, body)
  if (what !== "faults" || method !== "POST") return server.notFound
  const decoded = decode(body)
  if ("refusal" in decoded) return decoded.refusal
  decoded.faults.forEach(server.inject)
  return json(200, { injected: decoded.faults.length })
}
