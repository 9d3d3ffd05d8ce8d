/** The process itself: ended, killed, short of memory or time, with a clock that jumps. */
import type { Kit, Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { now, sleep, until } from "../Waiting.ts"
import type { World, WorldOptions } from "../World.ts"
import { both } from "../Worlds.ts"

const MEGABYTE = 1024 * 1024

/** Up to when everything of a venue that was said is stored or conceded, as the last run noted. */
const wholeUntil = async (world: World): Promise<number> => {
  const [row] = await world.sql((query) =>
    query<{ t: number | null }>(
      "SELECT (extract(epoch FROM min(whole_until)) * 1000)::float8 AS t FROM run_venues WHERE run_id = (SELECT max(id) FROM runs)"
    )
  )
  return row?.t ?? 0
}

/** Highest delay of the event loop that the program itself reports, in milliseconds. */
const loopDelay = async (world: World): Promise<number> =>
  1000 * ((await world.collector.metric("nodejs_eventloop_lag_p99_seconds")) ?? Number.NaN)

const answers = (world: World): Promise<boolean> =>
  world.collector.get("/health/live").then(
    () => true,
    () => false
  )

const kills = async (world: World, kit: Kit, count: number) => {
  const times: Array<number> = []
  for (let i = 0; i < count; i++) {
    await sleep(300 + world.prng.int(1_500))
    world.collector.kill("SIGKILL")
    await world.collector.ended
    const start = now()
    const next = await world.restart()
    const live = await world.allLive(20_000)
    if (live === undefined) {
      kit.check("live after each kill", false, `not after kill ${i + 1}: ${next.lines.at(-1)}`)
      return
    }
    times.push(Math.round(now() - start))
  }
  kit.measures.recover = Math.max(...times)
  times.sort((a, b) => a - b)
  kit.note(`${count} kills; live again after ${times[Math.floor(times.length / 2)]} ms in the median`)
  // The short form runs wherever tests do, beside other work.
  const within = kit.short ? 15_000 : 5_000
  kit.check(
    `live within ${within / 1000} s of each restart`,
    kit.measures.recover <= within,
    `${kit.measures.recover} ms`
  )
}

const killed: WorldOptions = { venues: ["polymarket", "kalshi"], markets: 10, rate: 150 }

export const processes: ReadonlyArray<Scenario> = [
  {
    row: "5",
    fault: "Slow consumer: the program gets 5 % of the time that it needs",
    injection: "a module loaded before the program holds its event loop for 95 of every 100 ms, for 15 s",
    promise: "the sockets are paused at a bound; memory grows by at most 64 MB; nothing lost silently",
    world: { markets: 40, rate: 1_500, preload: true },
    run: async (world, kit) => {
      await sleep(8_000)
      world.invariants.reset()
      world.collector.tell({ slow: 0.95 })
      await sleep(15_000)
      world.collector.tell({ slow: 0 })
      const start = now()
      const live = await world.allLive(30_000)
      kit.measures.recover = live === undefined ? undefined : Math.round(now() - start)
      kit.check("live within 10 s of its end", (kit.measures.recover ?? 99_999) <= 10_000, kit.measures.recover)
      // A book of a program that is this late is late; that it is called live is what is measured.
      await verify(world, kit, { growth: 64 * MEGABYTE, wrongFor: 16_000 })
    }
  },
  {
    row: "28",
    fault: "All connections cut at once",
    injection: "the venue drops all sockets of a collector that keeps one book on each",
    promise: "at most 10 handshakes a second; event-loop delay p99 at most 100 ms; all live again",
    world: { markets: 75, rate: 80, settings: { PLATFORMS_POLYMARKET_MAX_ASSETS_PER_CONNECTION: 1 }, awaitLive: false },
    run: async (world, kit) => {
      const all = async () => (await world.simulators.polymarket.stats()).connections >= 150
      const first = (await until(all, 60_000, 250)) === undefined ? undefined : await world.allLive(20_000)
      const { connections } = await world.simulators.polymarket.stats()
      kit.check("live at first", first !== undefined)
      const since = Date.now()
      await world.simulators.polymarket.inject({ fault: "drop" })
      kit.measures.detect = await until(
        async () => (await world.collector.books()).every(({ status }) => status !== "live"),
        3_000
      )
      await sleep(500)
      kit.measures.recover = await world.allLive(90_000)
      kit.check("all live after", kit.measures.recover !== undefined)
      const times = world.proxies.polymarket.arrivals.flatMap(({ time }) => (time >= since ? [time] : []))
      const most = Math.max(
        ...times.map((time) => times.filter((other) => other >= time && other < time + 1_000).length)
      )
      kit.note(`${connections} connections, ${times.length} handshakes, at most ${most} within a second`)
      kit.check("at most 10 handshakes a second", most <= 11, most)
      const delay = await loopDelay(world)
      kit.check("event-loop delay p99 at most 100 ms", delay <= 100, `${delay.toFixed(0)} ms`)
      await verify(world, kit)
    }
  },
  {
    row: "29",
    fault: "Clock steps of ±5 min",
    injection: "a module loaded before the program shifts its wall clock by +5 min, then by −5 min, then back",
    promise: "order and timeouts follow the monotonic clock; books live throughout; sockets stay; signatures made anew",
    world: both,
    run: async (world, kit) => {
      const since = Date.now()
      const connectionsOf = async () => (await world.collector.connections()).map(({ connection }) => connection).join()
      const before = await connectionsOf()
      for (const clock of [300_000, -300_000, 0]) {
        world.collector.tell({ clock })
        await sleep(4_000)
        const books = (await world.collector.books()).filter(({ statusReason }) => !/resolved/.test(statusReason))
        const live = books.filter(({ status }) => status === "live").length
        kit.check(`books stay live at ${clock / 60_000} min`, live === books.length, `${live} of ${books.length}`)
      }
      kit.check("no connection was replaced", (await connectionsOf()) === before)
      world.collector.tell({ clock: 300_000 })
      await world.simulators.kalshi.inject({ fault: "drop" })
      await sleep(300)
      const live = await world.allLive(35_000)
      kit.measures.recover = live
      kit.check("a signature with a clock 5 min ahead is mended", live !== undefined, live)
      world.collector.tell({ clock: 0 })
      kit.check("all live after", (await world.allLive(35_000)) !== undefined)
      const { text } = await world.collector.get("/metrics")
      kit.check("a metric of the clock's skew", /skew/.test(text))
      kit.note(`${(await world.events(since)).filter(({ kind }) => kind === "gap").length} gaps on record`)
      await verify(world, kit)
    }
  },
  {
    row: "38",
    fault: "SIGTERM under load",
    injection: "SIGTERM while both venues trade",
    promise: "readiness off, sockets closed, all stored, exit code 0 within 10 s; nothing lost",
    short: true,
    alone: async (kit, begin) => {
      const world = await begin({ venues: ["polymarket", "kalshi"], markets: 30, rate: kit.short ? 300 : 1_200 })
      await sleep(3_000)
      const asked = Date.now()
      const start = now()
      world.collector.kill("SIGTERM")
      const exit = await Promise.race([world.collector.ended, sleep(35_000).then(() => undefined)])
      kit.measures.recover = Math.round(now() - start)
      kit.check("exit code 0", exit?.code === 0, JSON.stringify(exit))
      kit.check("within 10 s", kit.measures.recover <= 10_000, `${kit.measures.recover} ms`)
      const whole = await wholeUntil(world)
      kit.check("whole until the end", whole >= asked - 1_000, `${Math.round(whole - asked)} ms after the signal`)
      const { connections } = await world.simulators.polymarket.stats()
      kit.check("sockets closed", connections === 0, connections)
      await verify(world, kit, { ended: true, until: Math.min(whole, asked) - 50 })
    }
  },
  {
    row: "39",
    fault: "SIGKILL, over and over",
    injection: "kill -9 at seeded moments while both venues trade, and a start after each",
    promise: "live within 5 s of the restart; no row doubled; a loss only as a recorded gap",
    short: true,
    alone: async (kit, begin) => {
      const world = await begin(killed)
      // History begins with the first row.
      await sleep(3_000)
      await kills(world, kit, kit.kills)
      await verify(world, kit)
    }
  },
  {
    row: "40",
    fault: "Short of memory",
    injection: "a heap of 256 MB, both venues busy, the database away for 30 s",
    promise: "what it cannot hold it sheds before the heap is full, and says so; no abort",
    alone: async (kit, begin) => {
      const world = await begin({ venues: ["polymarket", "kalshi"], markets: 60, rate: 1_500, heap: 256 })
      await sleep(3_000)
      world.databaseProxy.weather.refuse = true
      world.databaseProxy.reset()
      const died = await until(() => world.collector.exit() !== undefined, 30_000, 100)
      kit.check("no abort", died === undefined, died === undefined ? "alive" : `ended after ${died} ms`)
      const used = await world.collector.metric("nodejs_heap_size_used_bytes").catch(() => undefined)
      kit.note(`heap in use at the end: ${Math.round((used ?? 0) / MEGABYTE)} MB`)
      world.databaseProxy.clear()
      if (died === undefined) {
        kit.measures.recover = await world.stored(60_000, 5_000)
        kit.check("all stored within 60 s", kit.measures.recover !== undefined)
        kit.check("all live after", (await world.allLive(30_000)) !== undefined)
      }
      await verify(world, kit, { growth: 400 * MEGABYTE, ended: died !== undefined })
    }
  },
  {
    row: "41",
    fault: "Event loop blocked for 5 s",
    injection: "a module loaded before the program runs a busy loop",
    promise: "reported; books are stale until it has caught up",
    world: both,
    run: async (world, kit) => {
      const since = Date.now()
      const lines = world.collector.lines.length
      world.collector.tell({ block: 5_000 })
      await sleep(200)
      const answered = await until(async () => answers(world), 10_000)
      kit.note(`the first answer came after ${answered} ms`)
      const live = await world.allLive(5_000)
      kit.measures.recover = live === undefined ? undefined : Date.now() - since
      kit.check("live within 2 s of its end", (kit.measures.recover ?? 99_999) <= 7_500, kit.measures.recover)
      const said = world.collector.lines.slice(lines).some((line) => /event.?loop|blocked|stall/i.test(line))
      kit.check("the block is reported", said, "nothing in the log")
      await sleep(1_500)
      const stale = (await world.events(since)).some(({ kind }) => kind === "stale")
      kit.check("books were stale until caught up", stale, "they were called live at once")
      await verify(world, kit, { wrongFor: 5_500 })
    }
  }
]
