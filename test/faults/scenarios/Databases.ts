/** A database that is away, slow, full, contended, ambiguous or wrong. */
import { execFile } from "node:child_process"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Client } from "pg"
import type { Kit, Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { sleep, until } from "../Waiting.ts"
import type { World } from "../World.ts"
import { both } from "../Worlds.ts"

const run = promisify(execFile)

const losses = async (world: World): Promise<number> => (await world.collector.metric("parallax_rows_lost_total")) ?? 0

/** What stays in order while the database is in trouble: books live, and a word in health. */
const duringTrouble = async (world: World, kit: Kit) => {
  const books = await world.collector.books().catch(() => [])
  const live = books.filter(({ status }) => status === "live").length
  kit.check("books keep going", live > 0 && live > books.length * 0.9, `${live} of ${books.length} live`)
}

/** Waits until all that waited is stored. */
const drained = async (world: World, kit: Kit, within: number) => {
  const took = await world.stored(within + 5_000, 3_000)
  kit.measures.recover = took
  kit.check(`drained within ${within / 1000} s`, took !== undefined && took <= within, took ?? "never")
}

const noOverflow = async (world: World, kit: Kit) => {
  const lost = await losses(world)
  kit.check("no row dropped, not even with a word", lost === 0, `${lost} rows`)
}

/** Whether a message to the server is a `COMMIT`, as a simple query or a parsed statement. */
const isCommit = (data: Buffer): boolean => data.includes("COMMIT\0")

export const databases: ReadonlyArray<Scenario> = [
  {
    row: "30",
    fault: "Database down for 60 s at 5,000 ticks/s",
    injection: "the PostgreSQL server is stopped, and started again",
    promise:
      "ticks wait in bounded memory, then on disk; none lost; drained within 60 s of its return; books keep going",
    alone: async (kit, begin) => {
      const world = await begin({ markets: 40, rate: kit.short ? 300 : 1_700 })
      const outage = kit.short ? 5_000 : 60_000
      await sleep(3_000)
      const rows = () => world.sql((query) => query<{ n: number }>("SELECT count(*)::int AS n FROM book_changes"))
      const [before] = await rows()
      await sleep(2_000)
      const [after] = await rows()
      kit.note(`${Math.round((after!.n - before!.n) / 2)} changes a second were stored before`)
      const since = Date.now()
      const isKnown = async () => {
        const { parts } = await world.collector.health()
        return parts.some(({ part, state }) => part === "database" && state === "down")
      }
      await world.postgres.stop("fast")
      try {
        kit.measures.detect = await until(() => isKnown().catch(() => false), 20_000)
        kit.check("health says so within 5 s", (kit.measures.detect ?? 99_999) <= 5_000, kit.measures.detect)
        await sleep(Math.max(0, since + outage - Date.now()))
        await duringTrouble(world, kit)
      } finally {
        // The others need it too.
        await world.postgres.start()
      }
      await drained(world, kit, 60_000)
      await noOverflow(world, kit)
      await verify(world, kit, { growth: 400 * 1024 * 1024 })
    }
  },
  {
    row: "30s",
    fault: "Database down for 5 s",
    injection: "the proxy resets and refuses the database's connections",
    promise: "as 30",
    short: true,
    world: both,
    run: async (world, kit) => {
      world.databaseProxy.weather.refuse = true
      world.databaseProxy.reset()
      await sleep(5_000)
      await duringTrouble(world, kit)
      world.databaseProxy.clear()
      await drained(world, kit, 20_000)
      await noOverflow(world, kit)
      await verify(world, kit)
    }
  },
  {
    row: "31",
    fault: "Database slow: 2 s for each commit",
    injection: "the proxy holds back the answer to each COMMIT by 2 s, for 20 s",
    promise: "batches grow; what flows in is as fast as before; nothing lost",
    world: both,
    run: async (world, kit) => {
      world.databaseProxy.delayAnswer = (data) => (isCommit(data) ? 2_000 : 0)
      let commits = 0
      world.databaseProxy.judge = (data) => {
        if (isCommit(data)) commits++
        return "pass"
      }
      await sleep(kit.short ? 8_000 : 20_000)
      kit.check("commits were slow", commits > 0, `${commits} commits`)
      await duringTrouble(world, kit)
      world.databaseProxy.delayAnswer = () => 0
      world.databaseProxy.judge = () => "pass"
      await drained(world, kit, 20_000)
      await noOverflow(world, kit)
      await verify(world, kit)
    }
  },
  {
    row: "32",
    fault: "Database's disk full (53100)",
    injection:
      "the tick tables lie in a table space on a file system of 24 MB that another table fills; it is freed after 20 s",
    promise: "rows wait, an alert, no crash; stored when there is room",
    world: { ...both },
    run: async (world, kit) => {
      const directory = await mkdtemp(join(tmpdir(), "parallax-small-"))
      await run("mount", ["-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", directory])
      await chown(directory, 65_534, 65_534)
      try {
        const space = `small_${process.pid}`
        await world.postgres.query(`CREATE TABLESPACE ${space} LOCATION '${directory}'`)
        await world.sql(async (query) => {
          // The day's partitions come with the first rows.
          await until(async () => (await query("SELECT FROM book_changes LIMIT 1")).length > 0, 10_000)
          const parts = await query<{ name: string }>(`
            SELECT relid::regclass::text AS name
            FROM unnest('{book_changes,best_quotes,book_snapshots}'::regclass[]) AS t, pg_partition_tree(t)
            WHERE isleaf`)
          for (const { name } of parts) await query(`ALTER TABLE ${name} SET TABLESPACE ${space}`)
          await query(`CREATE TABLE ballast (t text) TABLESPACE ${space}`)
          await query(`ALTER TABLE ballast ALTER t SET STORAGE EXTERNAL`)
          let full = false
          for (let size = 1_000_000; size >= 1_000; size = full ? Math.floor(size / 4) : size) {
            full = await query(`INSERT INTO ballast SELECT repeat('x', ${size})`).then(
              () => false,
              () => true
            )
          }
        })
        const since = Date.now()
        const alerted = () =>
          world.collector.log().some((entry) => {
            const text = JSON.stringify(entry)
            return (
              Date.parse(String(entry["timestamp"] ?? entry["time"])) >= since - 1_000 && /53100|No space/.test(text)
            )
          })
        kit.measures.detect = await until(alerted, 20_000, 100)
        kit.check("an alert in the log", kit.measures.detect !== undefined)
        await sleep(Math.max(0, since + 20_000 - Date.now()))
        await duringTrouble(world, kit)
        await world.sql((query) => query("DROP TABLE ballast"))
        await run("mount", ["-o", "remount,size=1g", directory])
        await drained(world, kit, 60_000)
        await noOverflow(world, kit)
        await verify(world, kit)
      } finally {
        await world.dispose()
        await world.postgres.query(`DROP DATABASE ${world.database} WITH (FORCE)`).catch(() => {})
        await world.postgres.query(`DROP TABLESPACE small_${process.pid}`).catch(() => {})
        await run("umount", ["-l", directory]).catch(() => {})
        await rm(directory, { recursive: true, force: true })
      }
    }
  },
  {
    row: "33a",
    fault: "Deadlock (40P01)",
    injection: "a second session locks the tick tables in the other order, five times",
    promise: "tried again with jitter; exactly one set of rows",
    world: both,
    run: async (world, kit) => {
      const { host, port, user } = world.postgres
      const client = new Client({ host, port, user, database: world.database })
      client.on("error", () => {})
      await client.connect()
      // The other side is to be the victim: ours does not look.
      await client.query("SET deadlock_timeout = '60s'; SET lock_timeout = '20s'")
      const deadlocks = async () =>
        (
          await world.sql((query) =>
            query<{ n: number }>("SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()")
          )
        )[0]!.n
      const waiting = () =>
        world.sql((query) =>
          query<{ held: string; wanted: string }>(`
            SELECT h.relation::regclass::text AS held, w.relation::regclass::text AS wanted
            FROM pg_locks w JOIN pg_locks h USING (pid)
            WHERE NOT w.granted AND h.granted AND h.mode = 'RowExclusiveLock' AND h.relation <> w.relation
              AND h.relation::regclass::text IN ('book_changes', 'best_quotes', 'trades', 'book_snapshots')`)
        )
      const before = await deadlocks()
      let rounds = 0
      for (let round = 0; round < 12 && rounds < 5; round++) {
        await client.query("BEGIN; LOCK TABLE best_quotes IN SHARE ROW EXCLUSIVE MODE")
        let victim: { held: string } | undefined
        await until(async () => (victim = (await waiting())[0]) !== undefined, 1_500, 10)
        if (victim !== undefined) {
          await client.query(`LOCK TABLE ${victim.held} IN SHARE ROW EXCLUSIVE MODE`).catch(() => {})
          rounds++
        }
        await client.query("ROLLBACK")
        await sleep(300)
      }
      await client.end()
      await sleep(1_000)
      const happened = (await deadlocks()) - before
      kit.check("deadlocks happened", happened > 0, `${happened} in ${rounds} rounds`)
      await drained(world, kit, 20_000)
      await noOverflow(world, kit)
      await verify(world, kit)
    }
  },
  {
    row: "33b",
    fault: "Serialization failure (40001)",
    injection: "a trigger on the tick table raises 40001 at the first row of ten batches",
    promise: "tried again with jitter; exactly one set of rows",
    world: both,
    run: async (world, kit) => {
      await world.sql(async (query) => {
        await query("CREATE SEQUENCE blows")
        await query(`
          CREATE FUNCTION blow() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            IF nextval('blows') <= 10 THEN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END IF;
            RETURN NULL;
          END $$`)
        await query("CREATE TRIGGER blow BEFORE INSERT ON book_changes FOR EACH STATEMENT EXECUTE FUNCTION blow()")
      })
      const blown = async () =>
        Number((await world.sql((query) => query<{ n: string }>("SELECT last_value AS n FROM blows")))[0]!.n) > 10
      kit.measures.recover = await until(blown, 60_000, 100)
      kit.check("all ten passed within 60 s", kit.measures.recover !== undefined)
      await world.sql((query) => query("DROP TRIGGER blow ON book_changes; DROP FUNCTION blow; DROP SEQUENCE blows"))
      await noOverflow(world, kit)
      await verify(world, kit)
    }
  },
  {
    row: "34",
    fault: "Commit outcome unknown",
    injection:
      "the proxy passes COMMIT on and cuts the connection when the server has answered; then without passing it on",
    promise: "stored again under the same keys: no row doubled, none lost",
    short: true,
    world: both,
    run: async (world, kit) => {
      let cuts = 0
      for (const verdict of ["cut after", "cut", "cut after", "cut after"] as const) {
        let armed = true
        world.databaseProxy.judge = (data) => {
          if (!armed || !isCommit(data)) return "pass"
          armed = false
          cuts++
          return verdict
        }
        await until(() => !armed, 5_000)
        await sleep(1_500)
      }
      world.databaseProxy.judge = () => "pass"
      kit.check("commits were cut", cuts === 4, cuts)
      await drained(world, kit, 20_000)
      await noOverflow(world, kit)
      await verify(world, kit)
    }
  },
  {
    row: "35",
    fault: "Wrong or partial schema",
    injection: "a column, then a table is missing from a database whose migrations are noted as done",
    promise: "never ready, says what is wrong, from the start and not in mid-stream",
    alone: async (kit, begin) => {
      const world = await begin(both)
      const harms = [
        "ALTER TABLE book_changes RENAME COLUMN best_ask TO best_asks",
        "ALTER TABLE book_changes RENAME COLUMN best_asks TO best_ask; ALTER TABLE trades RENAME TO trades_old"
      ]
      for (const harm of harms) {
        world.collector.kill("SIGTERM")
        await world.collector.ended
        await world.sql((query) => query(harm))
        const next = await world.restart()
        const refused = await until(async () => next.exit() !== undefined, 3_000, 100)
        if (refused !== undefined) {
          kit.check("refuses to start, exit code 1", next.exit()?.code === 1, next.lines.at(-1))
          continue
        }
        await next.answering()
        const ready = await until(async () => (await next.health()).status === 200, 10_000, 250)
        const { parts } = await next.health()
        const named = parts.some(({ detail }) => /best_ask|trades|schema|column|relation/i.test(detail))
        kit.check(
          "never ready",
          ready === undefined,
          `ready after ${ready} ms; ${parts.map((p) => `${p.part} ${p.state}`)}`
        )
        kit.check(
          "says what is missing",
          named,
          parts
            .map(({ detail }) => detail)
            .join("; ")
            .slice(0, 200)
        )
      }
    }
  },
  {
    row: "36",
    fault: "Broker down for 5 min, or slow",
    injection: "–",
    promise: "the outbox fills to its cap, what flows in is not touched, drained in order",
    absent: "there is no broker yet"
  },
  {
    row: "37",
    fault: "Broker acknowledged, then lost",
    injection: "–",
    promise: "PostgreSQL is the source of truth; published again from the offset",
    absent: "there is no broker yet"
  }
]
