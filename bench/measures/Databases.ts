/** The databases that rows are stored in while it is measured. */
import { type Candidate, taped } from "../Candidates.ts"
import type { Bench } from "../Measure.ts"
import * as Postgres from "../../test/support/Postgres.ts"

export interface Stored {
  readonly candidate: Candidate
  /** Ticks that lie in its tables, asked of the database itself; `undefined` where nobody else may ask. */
  readonly count: () => Promise<number | undefined>
  readonly dispose: () => Promise<void>
}

/** A PostgreSQL server of its own that forces every commit to the disk, where the machine has the programs for one. */
export const postgres = async (bench: Bench): Promise<Stored | undefined> => {
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
  const { database, host, port, user } = server
  return {
    candidate: {
      ...taped,
      name: "postgres",
      title: "**Parallax** with the tape, and rows in PostgreSQL (its own process apart)",
      extra: { storage: "postgres", host, port, user, database }
    },
    count: async () => Number((await server.query("SELECT count(*) AS n FROM book_changes"))[0]?.["n"]),
    dispose: server.dispose
  }
}

/** The one inside the collector's own process. */
export const embedded: Candidate = {
  ...taped,
  name: "embedded",
  title: "**Parallax** with the tape, and rows in the embedded database",
  extra: { storage: "embedded" }
}
