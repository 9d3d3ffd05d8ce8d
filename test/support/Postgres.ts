/** A PostgreSQL server of the test's own, on a loopback port, where the machine has the programs for one. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { existsSync, readdirSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { Client } from "pg"

const run = promisify(execFile)

/** Debian's place for the programs, the newest first, or a directory named by `PG_BIN`. */
const findPrograms = (): string | undefined => {
  const root = "/usr/lib/postgresql"
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const places = [process.env["PG_BIN"] ?? "", ...versions.map((version) => join(root, version, "bin"))]
  return places.find((place) => place !== "" && existsSync(join(place, "initdb")))
}

const programs = findPrograms()

/** Whether {@link start} can work here. */
export const available = programs !== undefined

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534
const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

export interface Postgres {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Starts the server, and waits until it answers. */
  readonly start: () => Promise<void>
  /** Ends it: `fast` breaks off what runs, `immediate` is a crash. */
  readonly stop: (how?: "fast" | "immediate") => Promise<void>
  /** Runs a statement on a connection of its own, in the database that is there or in another one. */
  readonly query: (sql: string, database?: string) => Promise<ReadonlyArray<Record<string, unknown>>>
  /** Makes an empty database. */
  readonly createDatabase: (name: string) => Promise<void>
  /** Stops it and removes what it kept. */
  readonly dispose: () => Promise<void>
}

/** Makes a cluster in a temporary directory and starts it. `settings` are of `postgresql.conf`. */
export const start = async (settings: Record<string, string> = {}): Promise<Postgres> => {
  if (programs === undefined) throw new Error("PostgreSQL is not installed")
  const directory = await mkdtemp(join(tmpdir(), "parallax-postgres-"))
  const data = join(directory, "data")
  if (identity.uid !== undefined) await chown(directory, NOBODY, NOBODY)
  const options = ["--pgdata", data, "--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8"]
  await run(join(programs, "initdb"), [...options, "--locale", "C"], { ...identity, cwd: directory })
  const host = "127.0.0.1"
  const port = await freePort()
  const user = "postgres"
  let server: ChildProcess | undefined

  const query = async (sql: string, database = "postgres") => {
    const client = new Client({ host, port, user, database })
    client.on("error", () => {})
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }
  const begin = async () => {
    const all = { listen_addresses: host, unix_socket_directories: directory, ...settings }
    const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    server = spawn(join(programs, "postgres"), ["-D", data, "-p", String(port), ...flags], {
      ...identity,
      cwd: directory,
      stdio: "ignore"
    })
    for (let attempt = 0; ; attempt++) {
      try {
        await query("SELECT 1")
        return
      } catch (error) {
        if (attempt === 200) throw error
        await sleep(50)
      }
    }
  }
  const stop: Postgres["stop"] = async (how = "fast") => {
    if (server === undefined) return
    const ended = once(server, "exit")
    server.kill(how === "fast" ? "SIGINT" : "SIGQUIT")
    server = undefined
    await ended
  }
  await begin()
  return {
    host,
    port,
    user,
    database: "postgres",
    start: begin,
    stop,
    query,
    createDatabase: async (name) => {
      await query(`CREATE DATABASE ${name}`)
    },
    dispose: async () => {
      await stop("immediate")
      await rm(directory, { recursive: true, force: true })
    }
  }
}
