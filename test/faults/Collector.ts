/** The program under test as a child process, known by its public contracts alone: configuration, HTTP, log, exit code. */
import { createServer, type AddressInfo } from "node:net"
import { once } from "node:events"
import * as Program from "./Program.ts"
import { inRoot } from "./Root.ts"
import { mustHold } from "./Waiting.ts"

export interface Level {
  readonly price: string
  readonly size: string
}

/** What the API says of a book. */
export interface Book {
  readonly instrumentId: string
  readonly status: "live" | "stale" | "suspect" | "resyncing"
  readonly statusSince: string
  readonly statusReason: string
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly venueTime: string | null
  readonly receivedTime: string | null
}

export interface BookSummary {
  readonly instrumentId: string
  readonly status: Book["status"]
  readonly statusReason: string
}

export interface Connection {
  readonly slot: string
  readonly connection: string
  readonly state: string
  readonly attempts: number
  readonly reason: string
  readonly messages: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, number>>
}

export interface Part {
  readonly part: string
  readonly venue: string | null
  readonly state: string
  readonly detail: string
}

export interface Collector extends Program.Program {
  readonly url: string
  readonly get: (path: string) => Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }>
  readonly book: (id: string) => Promise<Book | undefined>
  readonly books: () => Promise<ReadonlyArray<BookSummary>>
  readonly connections: () => Promise<ReadonlyArray<Connection>>
  /** Faults that connections have counted, by kind. */
  readonly errors: () => Promise<Readonly<Record<string, number>>>
  readonly health: () => Promise<{ readonly status: number; readonly parts: ReadonlyArray<Part> }>
  /** The sum of a metric over all its labels; `undefined` when there is no such metric. */
  readonly metric: (name: string, label?: string) => Promise<number | undefined>
  /** Log entries, parsed. */
  readonly log: () => ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Waits until it answers; what it took. */
  readonly answering: (within?: number) => Promise<number>
}

export interface CollectorOptions {
  /** Keys of the configuration as their variables, without the prefix. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
  readonly dataDir: string
  /** Megabytes of heap. */
  readonly heap?: number
  /** Loads what can shift its clock, break its name lookup and block its event loop. */
  readonly preload?: boolean
  readonly prefix?: ReadonlyArray<string>
  readonly host?: string
  readonly env?: Readonly<Record<string, string>>
}

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

export const environment = (settings: CollectorOptions["settings"]): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([key, value]) => [`PARALLAX_${key}`, String(value)]))

/** What a request may take: the program is on loopback, but a busy one answers late. */
const PATIENCE = 10_000

export const start = async (options: CollectorOptions): Promise<Collector> => {
  const port = await freePort()
  const host = options.host ?? "127.0.0.1"
  // Where other machines could reach it, it asks for one.
  const token = options.host === undefined ? "" : "only-for-the-faults"
  const program = Program.start({
    args: [inRoot("dist/main.js"), "start"],
    nodeOptions: [
      ...(options.heap === undefined ? [] : [`--max-old-space-size=${options.heap}`]),
      ...(options.preload === true ? ["--import", inRoot("test/faults/Preload.mjs")] : [])
    ],
    env: {
      ...environment({
        HTTP_HOST: host,
        HTTP_PORT: port,
        HTTP_TOKEN: token,
        LOG_FORMAT: "json",
        DATA_DIR: options.dataDir,
        ...options.settings
      }),
      ...options.env
    },
    cwd: options.dataDir,
    channel: options.preload === true,
    ...(options.prefix === undefined ? {} : { prefix: options.prefix })
  })
  const url = `http://${host}:${port}`
  const get: Collector["get"] = async (path) => {
    const headers: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(PATIENCE) })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  const json = async <A>(path: string): Promise<A> => JSON.parse((await get(path)).text) as A

  const books: Collector["books"] = async () => {
    const all: Array<BookSummary> = []
    let cursor: string | null = null
    do {
      const path: string = `/api/v1/books?limit=1000${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`
      const page: { books: Array<BookSummary>; nextCursor: string | null } = await json(path)
      all.push(...page.books)
      cursor = page.nextCursor
    } while (cursor !== null)
    return all
  }
  const connections: Collector["connections"] = async () => {
    const { feeds } = await json<{ feeds: Array<{ connections: Array<Connection> }> }>("/api/v1/feeds")
    return feeds.flatMap((feed) => feed.connections)
  }
  const answering: Collector["answering"] = (within = 20_000) =>
    mustHold(
      "the collector's HTTP",
      async () => {
        if (program.exit() !== undefined) throw new Error(`the collector ended: ${program.lines.slice(-5).join("\n")}`)
        return get("/health/live").then(
          () => true,
          () => false
        )
      },
      within
    )
  return {
    ...program,
    url,
    get,
    books,
    connections,
    answering,
    book: async (id) => {
      const { status, text } = await get(`/api/v1/books/${encodeURIComponent(id)}`)
      return status === 200 ? (JSON.parse(text) as Book) : undefined
    },
    errors: async () => {
      const sums: Record<string, number> = {}
      for (const { errors } of await connections()) {
        for (const [kind, count] of Object.entries(errors)) sums[kind] = (sums[kind] ?? 0) + count
      }
      return sums
    },
    health: async () => {
      const { status, text } = await get("/health/ready")
      return { status, parts: (JSON.parse(text) as { parts: Array<Part> }).parts }
    },
    metric: async (name, label = "") => {
      const { text } = await get("/metrics")
      const samples = text.split("\n").filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)))
      const wanted = samples.filter((line) => line.includes(label))
      return wanted.length === 0 ? undefined : wanted.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
    },
    log: () =>
      program.lines.flatMap((line) => {
        try {
          return [JSON.parse(line) as Record<string, unknown>]
        } catch {
          return []
        }
      })
  }
}
