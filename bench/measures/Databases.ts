/** The databases that rows are stored in while it is measured. */
import { type Candidate, taped } from "../Candidates.ts"
import { ending } from "../Ending.ts"
import type { Bench } from "../Measure.ts"
import * as Postgres from "../../test/support/Postgres.ts"

export interface Server {
  /** Writes into the database that was made last. */
  readonly candidate: () => Candidate
  /** Makes an empty database: what is stored already is not stored again, and would cost less. */
  readonly renew: () => Promise<void>
  /** Changes that lie in it, by its own count. */
  readonly count: () => Promise<number>
  readonly dispose: () => Promise<void>
}

/** A PostgreSQL server of its own that forces every commit to the disk, where the machine has the programs for one. */
export const postgres = async (bench: Bench): Promise<Server | undefined> => {
  if (!Postgres.available) {
    bench.say("PostgreSQL is not installed: what needs it is left out")
    return undefined
  }
  const server = await Postgres.start({
    fsync: "on",
    synchronous_commit: "on",
    shared_buffers: "256MB",
    max_wal_size: "4GB"
  })
  const { host, port, user } = server
  let made = 0
  const name = () => `bench_${made}`
  const renew = async () => {
    made++
    await server.createDatabase(name())
  }
  await renew()
  return {
    candidate: () => ({
      ...taped,
      name: "postgres",
      title: "**Parallax** with the tape, and rows in PostgreSQL (its own process apart)",
      extra: { storage: "postgres", host, port, user, database: name() }
    }),
    renew,
    count: async () => Number((await server.query("SELECT count(*) AS n FROM book_changes", name()))[0]?.["n"]),
    dispose: ending(server.dispose)
  }
}

/** The one inside the collector's own process. */
export const embedded: Candidate = {
  ...taped,
  name: "embedded",
  title: "**Parallax** with the tape, and rows in the embedded database",
  extra: { storage: "embedded" }
}
