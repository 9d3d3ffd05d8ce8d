/** Venues that close, refuse, are busy, broken or cannot be found. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FaultProxy } from "../FaultProxy.ts"
import { outage } from "../Outage.ts"
import type { Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { sleep, until } from "../Waiting.ts"
import type { World } from "../World.ts"
import { both } from "../Worlds.ts"

/** Times of the handshakes that came since a time. */
const handshakes = ({ arrivals }: FaultProxy, since: number): ReadonlyArray<number> =>
  arrivals.flatMap(({ time }) => (time >= since ? [time] : []))

const spacings = (times: ReadonlyArray<number>): ReadonlyArray<number> =>
  times.slice(1).map((time, i) => time - times[i]!)

const tries = (world: World, since: number): number =>
  Object.values(world.proxies).reduce((sum, proxy) => sum + handshakes(proxy, since).length, 0)

/** What a venue that is broken for a while may cost, and what the end of it brings. */
const broken = async (
  world: World,
  kit: Parameters<NonNullable<Scenario["run"]>>[1],
  milliseconds: number,
  begin: () => Promise<unknown>,
  end: () => Promise<unknown>
) => {
  const since = Date.now()
  await outage(world, kit, {
    inject: begin,
    heal: async () => {
      await sleep(Math.max(0, since + milliseconds - Date.now()))
      const minutes = (Date.now() - since) / 60_000
      for (const [venue, proxy] of Object.entries(world.proxies)) {
        const times = handshakes(proxy, since)
        const perMinute = times.length / Math.max(1, minutes)
        kit.check(`${venue}: at most 12 tries a minute over all sockets`, perMinute <= 12, `${times.length} tries`)
        kit.check(`${venue}: delays of at most 30 s`, Math.max(0, ...spacings(times)) <= 31_000)
      }
      await end()
    },
    detectWithin: 1_000,
    recoverWithin: 35_000
  })
}

const closings = ["1013", "1012", "1006"] as const

/** A pair of files, as PEM: a certificate that ran out, and one that is good when its own authority is trusted. */
const certificates = () => {
  const dir = mkdtempSync(join(tmpdir(), "parallax-certificates-"))
  const settings = [
    "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256",
    "policy=any\ncopy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n"
  ]
  writeFileSync(join(dir, "settings"), settings.join("\n"))
  writeFileSync(join(dir, "index"), "")
  writeFileSync(join(dir, "serial"), "01")
  const openssl = (...words: ReadonlyArray<string>) => execFileSync("openssl", words, { stdio: "ignore", cwd: dir })
  const make = (name: string, from: string, until: string) => {
    const [key, request, cert] = [`${name}.key`, `${name}.csr`, `${name}.pem`]
    const subject = ["-subj", "/CN=venue.test", "-addext", "subjectAltName=IP:127.0.0.1"]
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-new", ...curve, "-keyout", key, "-out", request, ...subject)
    const signing = ["-batch", "-selfsign", "-notext", "-config", "settings", "-keyfile", key]
    openssl("ca", ...signing, "-in", request, "-out", cert, "-startdate", from, "-enddate", until)
    return { key: readFileSync(join(dir, key), "utf8"), cert: readFileSync(join(dir, cert), "utf8") }
  }
  const bad = make("bad", "20200101000000Z", "20200201000000Z")
  const good = make("good", "20200101000000Z", "20491231000000Z")
  // Both are trusted, so that nothing but its age speaks against the bad one.
  const trusted = join(dir, "trusted.pem")
  writeFileSync(trusted, bad.cert + good.cert)
  return { bad, good, trusted, remove: () => rmSync(dir, { recursive: true }) }
}

export const refusals: ReadonlyArray<Scenario> = [
  ...closings.map((code): Scenario => ({
    row: `6${"abc"[closings.indexOf(code)]}`,
    fault: `Close ${code}`,
    injection: code === "1006" ? "both venues cut the connection" : `both venues close with ${code}`,
    promise: "backs off with jitter and connects again; live within 2 s",
    short: code === "1013",
    world: both,
    run: async (world, kit) => {
      const fault = code === "1006" ? { fault: "drop" } : { fault: "close", code: Number(code) }
      await outage(world, kit, {
        inject: () => Promise.all([world.simulators.polymarket.inject(fault), world.simulators.kalshi.inject(fault)]),
        detectWithin: 500,
        recoverWithin: 2_000
      })
      await verify(world, kit)
    }
  })),
  {
    row: "6d",
    fault: "Close 1008",
    injection: "both venues close with 1008",
    promise: "stops, says so in the log and in health; no further handshake",
    alone: async (kit, begin) => {
      const world = await begin(both)
      const since = Date.now()
      const fault = { fault: "close", code: 1008 }
      await world.simulators.polymarket.inject(fault)
      await world.simulators.kalshi.inject(fault)
      kit.measures.detect = await until(
        async () => (await world.collector.books()).every(({ status }) => status !== "live"),
        3_000
      )
      kit.check("all stale within 0.5 s", (kit.measures.detect ?? 9_999) <= 500, kit.measures.detect)
      await sleep(12_000)
      kit.check("no handshake in 12 s", tries(world, since) === 0, tries(world, since))
      const alerts = world.collector.log().filter((entry) => /refuses/.test(JSON.stringify(entry)))
      kit.check("an alert for each venue", alerts.length >= 2, alerts.length)
      const { parts, status } = await world.collector.health()
      const down = parts.filter(({ part, state }) => part === "feed" && state === "down")
      kit.check(
        "health is 503 and names both feeds",
        status === 503 && down.length === 2,
        `${status}, ${down.length} down`
      )
      // What is missed from here on becomes a gap when the feed is back.
      await verify(world, kit, { until: since - 100 })
    }
  },
  {
    row: "7",
    fault: "429 with Retry-After on the handshake and on REST",
    injection: "3 s, an HTTP date, 0, and a body of HTML, in turn; then 429 on REST while a book needs a snapshot",
    promise: "waits at least as long as asked; one try in that time",
    world: { markets: 8, rate: 80 },
    run: async (world, kit) => {
      const { polymarket } = world.simulators
      const cases = [
        { name: "3 s", retryAfter: () => 3, least: 2_950, durationMs: 2_500 },
        {
          name: "an HTTP date",
          retryAfter: () => new Date(Date.now() + 4_000).toUTCString(),
          // It is set before the sockets are cut, and a date has no parts of a second.
          least: 2_400,
          durationMs: 2_500
        },
        { name: "0", retryAfter: () => 0, least: 100, durationMs: 600 },
        { name: "3 s, HTML", retryAfter: () => 3, least: 2_950, durationMs: 2_500, body: "html" }
      ]
      for (const { name, least, retryAfter, ...more } of cases) {
        await sleep(6_000)
        const since = Date.now()
        await polymarket.inject(
          { fault: "rate_limited", on: "upgrade", retryAfter: retryAfter(), ...more },
          { fault: "drop" }
        )
        const live = await world.allLive(12_000)
        await until(async () => handshakes(world.proxies.polymarket, since).length >= 2, 10_000)
        const times = handshakes(world.proxies.polymarket, since)
        const [first] = spacings(times)
        kit.check(`${name}: waits`, first !== undefined && first >= least, `${first} ms, ${times.length} tries`)
        kit.check(`${name}: live again`, live !== undefined && (await world.allLive(15_000)) !== undefined)
      }
      const since = Date.now()
      const rest = world.rest.polymarket
      rest.instead = (url) =>
        url.startsWith("/book") && Date.now() - since < 5_000
          ? { status: 429, headers: { "retry-after": "4" }, body: "<html>slow down</html>" }
          : undefined
      for (let i = 0; i < 6; i++) {
        await polymarket.inject({ fault: "truncated" })
        await sleep(500)
      }
      await sleep(4_000)
      const asked = rest.requests.filter(({ time, url }) => time >= since && url.startsWith("/book"))
      const byBook = new Map<string, Array<number>>()
      for (const { time, url } of asked) byBook.set(url, [...(byBook.get(url) ?? []), time])
      const soonest = Math.min(...[...byBook.values()].flatMap((times) => spacings(times)))
      kit.check("REST: no book is asked for again sooner than 4 s", !(soonest < 3_950), `${soonest} ms`)
      // Both books of a market are asked for at once: the second is on its way before the first is refused.
      const first = asked[0]?.time ?? since
      const again = asked.filter(({ time }) => time - first > 200 && time - first < 3_950).length
      kit.check("REST: no other try in the time asked for, over all books", again === 0, `${again} tries in 4 s`)
      rest.clear()
      kit.measures.recover = await world.allLive(40_000)
      kit.check("all live after", kit.measures.recover !== undefined)
      await verify(world, kit)
    }
  },
  {
    row: "8",
    fault: "60 s of 5xx",
    injection: "both venues answer handshakes and REST with 503 and cut their sockets",
    promise: "exponential with jitter, at most 30 s; at most 12 tries a minute over all sockets; recovers alone",
    world: { ...both, settings: { PLATFORMS_POLYMARKET_MAX_ASSETS_PER_CONNECTION: 4 } },
    run: async (world, kit) => {
      await broken(
        world,
        kit,
        60_000,
        () =>
          Promise.all(
            Object.values(world.simulators).map((simulator) =>
              simulator.inject({ fault: "refuse", status: 503 }, { fault: "unavailable" }, { fault: "drop" })
            )
          ),
        () => Promise.all(Object.values(world.simulators).map((simulator) => simulator.inject({ fault: "heal" })))
      )
      await verify(world, kit)
    }
  },
  {
    row: "9",
    fault: "401 on the handshake",
    injection: "both venues refuse the handshake with 401 after a cut",
    promise: "one try, then it stops, says so in the log and in health",
    alone: async (kit, begin) => {
      const world = await begin(both)
      await sleep(1_000)
      const since = Date.now()
      const faults = [{ fault: "refuse", status: 401 }, { fault: "drop" }]
      await world.simulators.polymarket.inject(...faults)
      await world.simulators.kalshi.inject(...faults)
      kit.measures.detect = await until(
        async () => (await world.collector.books()).every(({ status }) => status !== "live"),
        3_000
      )
      kit.check("all stale within 0.5 s", (kit.measures.detect ?? 9_999) <= 500, kit.measures.detect)
      await sleep(12_000)
      for (const [venue, proxy] of Object.entries(world.proxies)) {
        const times = handshakes(proxy, since)
        kit.check(`${venue}: one try`, times.length === 1, times.length)
      }
      const alerts = world.collector.log().filter((entry) => /refuses/.test(JSON.stringify(entry)))
      kit.check("an alert for each venue", alerts.length >= 2, alerts.length)
      const { status } = await world.collector.health()
      kit.check("health is 503", status === 503, status)
      await verify(world, kit, { until: since - 100 })
    }
  },
  {
    row: "10",
    fault: "Name lookup fails for 60 s",
    injection:
      "the lookup of the venue's name answers ENOTFOUND (a module loaded before the program), and sockets are cut",
    promise: "as 8; recovers alone",
    world: { markets: 8, rate: 80, preload: true, proxyName: "venue.test" },
    run: async (world, kit) => {
      await broken(
        world,
        kit,
        60_000,
        async () => {
          world.collector.tell({ dns: "broken" })
          await sleep(50)
          await world.simulators.polymarket.inject({ fault: "drop" })
        },
        async () => world.collector.tell({ dns: "well" })
      )
      await verify(world, kit)
    }
  },
  {
    row: "11",
    fault: "Expired certificate",
    injection: "the venue's socket shows a certificate of its own that has run out, later a good one",
    promise: "refused, with a clear word; nothing is ever sent in the clear; live once the certificate is good",
    alone: async (kit, begin) => {
      const { bad, good, remove, trusted } = certificates()
      let shown = bad
      try {
        const world = await begin({
          markets: 8,
          rate: 80,
          tls: () => shown,
          awaitLive: false,
          env: { NODE_EXTRA_CA_CERTS: trusted }
        })
        await sleep(8_000)
        const books = await world.collector.books()
        const live = books.filter(({ status }) => status === "live")
        kit.check("nothing is live", live.length === 0, live.length)
        const reasons = (await world.collector.connections()).map(({ reason }) => reason)
        kit.check(
          "the reason names the certificate",
          reasons.some((text) => /certificate/i.test(text)),
          reasons[0]
        )
        const lines = world.proxies.polymarket.arrivals.map(({ firstLine }) => firstLine)
        kit.check(
          "nothing in the clear",
          lines.every((line) => !line.startsWith("GET")),
          lines.length
        )
        shown = good
        world.proxies.polymarket.secure()
        kit.measures.recover = await world.allLive(35_000)
        kit.check("live within 35 s of a good one", kit.measures.recover !== undefined)
        await verify(world, kit)
      } finally {
        remove()
      }
    }
  }
]
