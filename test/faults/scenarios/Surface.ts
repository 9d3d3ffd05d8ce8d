/** What comes in by names, queries, lists and settings, and what must never go out. */
import { mkdtemp, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { environment } from "../Collector.ts"
import * as Program from "../Program.ts"
import { inRoot } from "../Root.ts"
import type { Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { now, sleep, until } from "../Waiting.ts"
import type { World } from "../World.ts"
import { both } from "../Worlds.ts"

const MEGABYTE = 1024 * 1024

const EVIL = `<img src=x onerror="alert(1)"></script><script>alert(2)</script>\u202egnihtyna\u202c`
const TITLE = EVIL + "x".repeat(64 * 1024)

interface Listed {
  markets: Array<Record<string, unknown>>
  next_cursor?: string
  cursor?: string
}

const edited = (body: string, edit: (list: Listed) => void): string => {
  try {
    const list = JSON.parse(body) as Listed
    if (!Array.isArray(list.markets)) return body
    edit(list)
    return JSON.stringify(list)
  } catch {
    return body
  }
}

const apiMarkets = async (world: World) => {
  const { headers, text } = await world.collector.get("/api/v1/markets?limit=1000")
  const { markets } = JSON.parse(text) as { markets: Array<{ id: string; question: string }> }
  return { headers, markets }
}

const SEARCHES = [
  "' OR 1=1 --",
  "'; DROP TABLE markets; --",
  '"; DELETE FROM markets; --',
  "%",
  "_",
  "\\",
  "%%%%%%%%%%%%%%%%%%%%",
  "$1",
  "\u0000",
  "<script>",
  "a".repeat(10_000)
]

/** What must not be seen anywhere. */
const canaries = ["canary-database-password-7f3a", "canary-unused-key-51b2"]

const scan = async (world: World, secrets: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const paths = [
    "/metrics",
    "/health/ready",
    "/health/live",
    "/api/v1/feeds",
    "/api/v1/books",
    "/openapi.json",
    "/nope"
  ]
  const places: Array<readonly [string, string]> = [["log", world.collector.lines.join("\n")]]
  for (const path of paths) {
    const answer = await world.collector.get(path).catch(() => undefined)
    if (answer !== undefined) places.push([path, answer.text + JSON.stringify([...answer.headers])])
  }
  const rows = await world.sql((query) =>
    query<{ text: string }>("SELECT row_to_json(f)::text AS text FROM feed_events f")
  )
  places.push(["feed_events", rows.map(({ text }) => text).join("\n")])
  return places.flatMap(([place, text]) =>
    secrets.flatMap((secret, i) => (text.includes(secret) ? [`${place}: ${i}`] : []))
  )
}

interface Misconfiguration {
  readonly settings: Readonly<Record<string, string>>
  /** What the message names. */
  readonly names: RegExp
}

const misconfigurations: ReadonlyArray<Misconfiguration> = [
  { settings: { HTTP_PORT: "zzz" }, names: /http\.port/ },
  { settings: { HTTP_PORT: "70000" }, names: /http\.port/ },
  { settings: { PLATFORMS_POLYMARKET_WS_URL: "not a url" }, names: /polymarket\.ws_url/ },
  { settings: { PLATFORMS_KALSHI_API_URL: "ftp://somewhere" }, names: /kalshi\.api_url/ },
  { settings: { PLATFORMS_POLYMARKET_MAX_MARKETS: "0" }, names: /polymarket\.max_markets/ },
  { settings: { PLATFORMS_POLYMARKET_MIN_LIQUIDITY: "NaN" }, names: /polymarket\.min_liquidity/ },
  { settings: { PLATFORMS_POLYMARKET_STALE_AFTER: "soon" }, names: /polymarket\.stale_after/ },
  { settings: { DATABASE_DRIVER: "oracle", DATABASE_PASSWORD: canaries[0]! }, names: /database\.driver/ },
  { settings: { DATABASE_PORT: "99999", DATABASE_PASSWORD: canaries[0]! }, names: /database\.port/ },
  { settings: { PLATFORMS_KALSHI_KEY_ID: "some-key" }, names: /kalshi/ },
  {
    settings: { PLATFORMS_KALSHI_KEY_ID: "k", PLATFORMS_KALSHI_PRIVATE_KEY: canaries[1]! },
    names: /kalshi\.private_key/
  },
  { settings: { PLATFORMS_POLYMARKET_WSURL: "ws://x" }, names: /PARALLAX_PLATFORMS_POLYMARKET_WSURL/ },
  { settings: { LOG_LEVEL: "shout" }, names: /log\.level/ }
]

export const surface: ReadonlyArray<Scenario> = [
  {
    row: "48",
    fault: "Malicious market title",
    injection: "a title with markup, right-to-left marks and 64 KB in the venue's market list",
    promise: "text and nothing else in whatever is served; other markets unharmed",
    alone: async (kit, begin) => {
      const world = await begin({
        markets: 8,
        rate: 40,
        prepare: ({ polymarket }) => {
          polymarket.rewrite = (url, body) =>
            url.startsWith("/gamma/markets")
              ? edited(body, ({ markets }) => Object.assign(markets[0]!, { question: TITLE, description: TITLE }))
              : body
        }
      })
      const { headers, markets } = await apiMarkets(world)
      kit.check("all markets are known", markets.length >= 7, markets.length)
      kit.check("served as JSON", /application\/json/.test(headers.get("content-type") ?? ""))
      kit.check(
        "and not sniffed",
        headers.get("x-content-type-options") === "nosniff",
        headers.get("x-content-type-options")
      )
      const titled = markets.find(({ question }) => question.startsWith("<img"))
      kit.note(
        titled === undefined
          ? "the market was left out"
          : `the title is served with ${titled.question.length} characters`
      )
      for (const path of ["/docs", "/metrics", "/health/ready"]) {
        const { text } = await world.collector.get(path)
        kit.check(`${path} does not carry it`, !text.includes("egnihtyna"))
      }
      kit.note("there is no dashboard yet")
      await verify(world, kit)
    }
  },
  {
    row: "49",
    fault: "SQL injection, LIKE wildcards, 10 MB in a search",
    injection: "such searches, cursors and limits at the API",
    promise: "bound parameters; 200 or 400 within 2 s; tables as they were",
    world: both,
    run: async (world, kit) => {
      const stored = () => world.sql((query) => query<{ id: string }>("SELECT id FROM markets"))
      const before = await stored()
      let slowest = 0
      for (const search of SEARCHES) {
        for (const parameter of ["q", "category", "cursor", "venue", "limit"]) {
          const start = now()
          const path = `/api/v1/markets?${parameter}=${encodeURIComponent(search)}`
          const { status, text } = await world.collector.get(path)
          slowest = Math.max(slowest, now() - start)
          const isFine = status === 200 || status === 400 || status === 414 || status === 431
          if (!isFine)
            kit.check(`${parameter}=${search.slice(0, 20)} is answered`, false, `${status} ${text.slice(0, 80)}`)
          if (parameter === "q" && status === 200 && /^[%_\\]/.test(search)) {
            const found = (JSON.parse(text) as { markets: Array<{ question: string; slug: string }> }).markets
            const literal = found.every(({ question, slug }) => `${question} ${slug}`.includes(search))
            kit.check(`${search.slice(0, 5)} is no wildcard`, literal, found.length)
          }
        }
      }
      kit.check("each within 2 s", slowest <= 2_000, `${Math.round(slowest)} ms`)
      const huge = await world.collector.get(`/api/v1/markets?q=${"a".repeat(10 * MEGABYTE)}`).then(
        ({ status }) => status,
        () => "cut"
      )
      kit.check("10 MB are refused", huge === "cut" || (typeof huge === "number" && huge >= 400 && huge < 500), huge)
      const after = new Set((await stored()).map(({ id }) => id))
      const gone = before.filter(({ id }) => !after.has(id))
      kit.check("all markets are still there", before.length > 0 && gone.length === 0, gone.length)
      await verify(world, kit)
    }
  },
  {
    row: "51",
    fault: "Secrets in logs, errors, metrics",
    injection: "refusals by the database and both venues, with canaries as secrets and everything logged",
    promise: "no trace of password, private key or signature in any output",
    alone: async (kit, begin) => {
      const world = await begin({
        venues: ["polymarket", "kalshi"],
        markets: 6,
        rate: 40,
        settings: { DATABASE_PASSWORD: canaries[0]!, LOG_LEVEL: "trace" }
      })
      const signatures: Array<string> = []
      world.proxies.kalshi.judge = (data) => {
        const found = /kalshi-access-signature: *([^\r\n]+)/i.exec(data.toString("latin1"))?.[1]
        if (found !== undefined) signatures.push(found)
        return "pass"
      }
      const { kalshi, polymarket } = world.simulators
      await kalshi.inject({ fault: "drop" })
      await sleep(1_500)
      await kalshi.inject({ fault: "refuse", status: 503 }, { fault: "unavailable" }, { fault: "drop" })
      await polymarket.inject({ fault: "refuse", status: 401 }, { fault: "drop" }, { fault: "malformed" })
      world.databaseProxy.weather.refuse = true
      world.databaseProxy.reset()
      await sleep(3_000)
      await kalshi.inject({ fault: "heal" }, { fault: "refuse", status: 401 }, { fault: "drop" })
      world.databaseProxy.clear()
      await sleep(3_000)
      kit.check("a signature was seen on the wire", signatures.length > 0, signatures.length)
      const key = kalshi.endpoints["private_key"]!.split("\n").filter(
        (line) => line !== "" && !line.startsWith("-----")
      )
      const found = await scan(world, [...canaries, ...key, ...signatures])
      kit.check("no secret in any output", found.length === 0, found.join("; "))
      kit.note(`${world.collector.lines.length} lines of log were read`)
    }
  },
  {
    row: "52",
    fault: "1,000 slow clients",
    injection: "1,000 connections ask for all books and read nothing",
    promise: "what flows in is not touched; memory grows by at most 64 MB",
    world: { markets: 30, rate: 300 },
    run: async (world, kit) => {
      await sleep(4_000)
      world.invariants.reset()
      const { hostname, port } = new URL(world.collector.url)
      const clients = Array.from({ length: 1_000 }, () => {
        const socket = connect(Number(port), hostname)
        socket.on("error", () => {})
        socket.pause()
        socket.write("GET /api/v1/books?limit=1000 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3))
        return socket
      })
      await sleep(8_000)
      const start = now()
      const answered = await world.collector.get("/health/live").then(
        () => Math.round(now() - start),
        () => undefined
      )
      kit.check("health answers within 1 s", (answered ?? 9_999) <= 1_000, answered ?? "no answer")
      const served = await world.collector.books().catch(() => [])
      kit.check(
        "books are live",
        served.some(({ status }) => status === "live"),
        served.length
      )
      for (const socket of clients) socket.destroy()
      kit.measures.recover = await world.allLive(60_000)
      kit.note("there is no live stream yet: these are plain requests")
      await verify(world, kit, { growth: 64 * MEGABYTE })
    }
  },
  {
    row: "53",
    fault: "Market lists without end",
    injection: "every page of both venues' lists names the same next page",
    promise:
      "noticed at the first repetition; what was read before serves or is asked for later; live once the lists end",
    alone: async (kit, begin) => {
      const world = await begin({
        venues: ["polymarket", "kalshi"],
        markets: 8,
        rate: 40,
        awaitLive: false,
        settings: { PLATFORMS_POLYMARKET_REFRESH_EVERY: "5 seconds", PLATFORMS_KALSHI_REFRESH_EVERY: "5 seconds" },
        prepare: ({ kalshi, polymarket }) => {
          polymarket.rewrite = (url, body) =>
            url.startsWith("/gamma/markets/keyset") ? edited(body, (list) => (list.next_cursor = "again")) : body
          kalshi.rewrite = (url, body) =>
            url.startsWith("/trade-api/v2/markets?") ? edited(body, (list) => (list.cursor = "again")) : body
        }
      })
      await sleep(10_000)
      for (const [venue, rest] of Object.entries(world.rest)) {
        const lists = rest.requests.filter(({ url }) => /\/markets(\/keyset)?\?/.test(url))
        kit.check(`${venue}: at most 4 pages a round`, lists.length <= 30, `${lists.length} in 10 s`)
      }
      const said = world.collector.lines.some((line) => /cursor/i.test(line))
      const { parts } = await world.collector.health()
      const named = parts.some(({ detail }) => /cursor/i.test(detail))
      kit.check(
        "said in the log or in health",
        said || named,
        parts
          .map(({ detail }) => detail)
          .join("; ")
          .slice(0, 200)
      )
      for (const rest of Object.values(world.rest)) rest.clear()
      kit.measures.recover = await world.allLive(45_000)
      kit.check("live within 45 s of the end", kit.measures.recover !== undefined)
      await verify(world, kit)
    }
  },
  {
    row: "54",
    fault: "Bad configuration",
    injection: `${misconfigurations.length} environments with a fault each, some with canaries as secrets`,
    promise: "exit code 2 at the start, the key named, no secret echoed",
    short: true,
    alone: async (kit) => {
      const dir = await mkdtemp(join(tmpdir(), "parallax-settings-"))
      for (const { names, settings } of kit.short ? misconfigurations.slice(0, 3) : misconfigurations) {
        const shown = Object.keys(settings).at(0)
        const program = Program.start({
          args: [inRoot("dist/main.js"), "start"],
          env: environment({ HTTP_PORT: "0", DATA_DIR: dir, ...settings }),
          cwd: dir
        })
        const took = await until(() => program.exit() !== undefined, 10_000)
        await program.dispose()
        const text = program.lines.join("\n")
        kit.check(
          `${shown}: exit code 2`,
          took !== undefined && program.exit()?.code === 2,
          JSON.stringify(program.exit())
        )
        kit.check(`${shown}: named`, names.test(text), text.slice(0, 200))
        kit.check(
          `${shown}: no secret`,
          canaries.every((canary) => !text.includes(canary))
        )
        kit.measures.detect = Math.max(kit.measures.detect ?? 0, took ?? 0)
      }
      await rm(dir, { recursive: true, force: true })
    }
  }
]
