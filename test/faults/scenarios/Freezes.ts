/** Connections that stay open and carry nothing, or not all. */
import * as Namespace from "../Namespace.ts"
import { outage } from "../Outage.ts"
import type { Scenario } from "../Scenario.ts"
import { fingerprintOf } from "../Truth.ts"
import { verify } from "../Verdict.ts"
import { sleep, until } from "../Waiting.ts"
import { both } from "../Worlds.ts"

export const freezes: ReadonlyArray<Scenario> = [
  {
    row: "2a",
    fault: "Half-open connections: a hole on the way",
    injection: "the proxy swallows everything on the open connections of both venues and tells nobody",
    promise: "noticed within 15 s, live again 3 s later",
    world: both,
    run: async (world, kit) => {
      const since = Date.now()
      const course = await outage(world, kit, {
        inject: async () => {
          world.proxies.polymarket.swallow()
          world.proxies.kalshi.swallow()
        },
        detectWithin: 15_500,
        recoverWithin: 40_000
      })
      await until(async () => {
        const ends = (await world.events(since)).filter(({ kind }) => kind === "disconnected")
        return new Set(ends.map(({ venue }) => venue)).size === 2
      }, 40_000)
      const ends = (await world.events(since)).filter(
        ({ from, kind }) => kind === "disconnected" && from >= course.since
      )
      for (const venue of ["polymarket", "kalshi"]) {
        const end = ends.find((one) => one.venue === venue)
        const took = end === undefined ? undefined : Math.round(end.from - course.since)
        kit.check(`${venue} noticed within 15 s`, took !== undefined && took <= 15_500, `${took} ms`)
      }
      kit.measures.detect = Math.max(...ends.map(({ from }) => Math.round(from - course.since)))
      kit.check("all live after", (await world.allLive(5_000)) !== undefined)
      kit.measures.recover = Date.now() - course.since
      await verify(world, kit, { wrongFor: 16_000 })
    }
  },
  {
    row: "2b",
    fault: "Half-open connections: packets dropped",
    injection: "the collector runs in a network namespace; iptables drops the packets of its connection to the venue",
    promise: "noticed within 15 s; live again 15 s after packets pass",
    alone: async (kit, begin) => {
      const namespace = await Namespace.make()
      if (namespace === undefined) return kit.note("this machine allows no network namespaces; see the row above")
      const { drop, here, prefix, there } = namespace
      try {
        const world = await begin({ markets: 8, rate: 80, prefix, host: there, proxyHost: here })
        const { port } = world.proxies.polymarket
        await outage(world, kit, {
          inject: () => drop(port, true),
          heal: () => drop(port, false),
          detectWithin: 15_500,
          recoverWithin: 15_000
        })
        await verify(world, kit, { wrongFor: 16_000 })
      } finally {
        await namespace.dispose()
      }
    }
  },
  {
    row: "3",
    fault: "Silent freeze while PONG arrives",
    injection: "both venues' sockets answer pings and carry no data; REST shows the books as they were, too",
    promise: "noticed within 35 s by the silence after a busy stretch, without help from REST; connected again",
    world: both,
    run: async (world, kit) => {
      // A rhythm has to be known before its end can tell anything.
      await sleep(15_000)
      const since = Date.now()
      const venuesNoticed = async () =>
        new Set((await world.events(since)).flatMap(({ kind, venue }) => (kind === "disconnected" ? [venue] : []))).size
      await outage(world, kit, {
        inject: () =>
          Promise.all([
            world.simulators.polymarket.inject({ fault: "stall", rest: true }),
            world.simulators.kalshi.inject({ fault: "stall", rest: true })
          ]),
        detectWithin: 35_000,
        recoverWithin: 45_000
      })
      // One venue may be noticed a little after the other; what is healed before that was never frozen for long enough.
      const noticed = await until(
        async () => (await venuesNoticed()) === 2,
        Math.max(1_000, since + 36_500 - Date.now()),
        100
      )
      kit.check("both venues noticed within 35 s", noticed !== undefined)
      kit.check("all live after", (await world.allLive(10_000)) !== undefined)
      await world.simulators.polymarket.inject({ fault: "heal" })
      await world.simulators.kalshi.inject({ fault: "heal" })
      await verify(world, kit, { wrongFor: 36_000 })
    }
  },
  {
    row: "4",
    fault: "One token frozen on a socket that is alive",
    injection: "both venues say nothing more about one busy market, while the rest goes on",
    promise: "a REST probe of quiet tokens finds it within 60 s",
    world: both,
    run: async (world, kit) => {
      for (const venue of ["polymarket", "kalshi"] as const) {
        const simulator = world.simulators[venue]
        // The market that changes most.
        const before = (await simulator.books()).books
        await sleep(3_000)
        const after = (await simulator.books()).books
        const moved = (id: string) => Number(after[id]?.timestamp ?? 0) - Number(before[id]?.timestamp ?? 0)
        const kept = new Set((await world.collector.books()).map(({ instrumentId }) => instrumentId))
        const token = Object.keys(after)
          .filter((one) => kept.has(`${venue}:${one}`))
          .sort((a, b) => moved(b) - moved(a))[0]!
        const since = Date.now()
        await simulator.inject({ fault: "freeze", tokenId: token })
        const id = `${venue}:${token}`
        // Found is what is no longer called live, or is again what the venue has, in spite of the freeze.
        let differed = false
        const isFound = async () => {
          const [book, truth] = await Promise.all([world.collector.book(id), simulator.book(token)])
          if (Date.now() - since < 2_000) return false
          // The market may come to its end meanwhile, of which the socket says nothing either.
          if (book?.status !== "live") return true
          if (truth === undefined) return false
          const differs = fingerprintOf(book) !== fingerprintOf(truth)
          differed ||= differs
          return differed && !differs
        }
        const took = await until(isFound, 65_000, 200)
        kit.check(`${venue}: found within 60 s`, took !== undefined && took <= 60_000, took ?? "never")
        if (took !== undefined) kit.measures.detect = Math.max(kit.measures.detect ?? 0, took)
        await simulator.inject({ fault: "heal" })
        if (took === undefined) {
          const stale = await world.collector.book(id)
          const { text } = await world.collector.get("/metrics")
          const looks = text.split("\n").filter((line) => line.startsWith("parallax_probe_looks_total"))
          kit.note(`${venue}: ${id} is called ${stale?.status}, ${stale?.statusReason}, of ${stale?.receivedTime}`)
          kit.note(looks.join(", "))
          const asked = world.rest[venue].requests.filter(({ time }) => time >= since)
          kit.note(asked.map(({ time, url }) => `${time - since} ms ${url.slice(0, 60)}`).join(", "))
        }
      }
      kit.measures.recover = await world.allLive(60_000)
      kit.check("all live within 60 s of the end", kit.measures.recover !== undefined)
      await verify(world, kit, { wrongFor: 61_000 })
    }
  }
]
