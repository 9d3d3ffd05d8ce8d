/** Frames that are cut, garbled, foreign, repeated, out of order or missing. */
import { countOf, counted, outage } from "../Outage.ts"
import type { Scenario } from "../Scenario.ts"
import { fingerprintOf } from "../Truth.ts"
import { verify } from "../Verdict.ts"
import { sleep, until } from "../Waiting.ts"
import { TROUBLES, type World } from "../World.ts"
import { both } from "../Worlds.ts"
import { existsSync } from "node:fs"
import { join } from "node:path"

const MEGABYTE = 1024 * 1024

/** A token with a book on both sides. */
const someToken = async ({ simulators: { polymarket } }: World): Promise<string> => {
  const { books } = await polymarket.books()
  const found = Object.entries(books).find(([, { asks, bids }]) => asks.length > 3 && bids.length > 3)
  if (found === undefined) throw new Error("no market with both sides")
  return found[0]
}

/** A market of Kalshi that trades: one of those before it may be over. */
const someTicker = async ({ collector }: World): Promise<string> => {
  const found = (await collector.books()).find(
    ({ instrumentId, status }) => instrumentId.startsWith("kalshi:") && status === "live"
  )
  if (found === undefined) throw new Error("no live book")
  return found.instrumentId.slice("kalshi:".length)
}

interface Forgery {
  readonly price: string
  readonly size: string
  readonly time?: number
  readonly hash?: string
}

const forge = (token: string, { hash = "0", price, size, time = Date.now() }: Forgery): Record<string, unknown> => ({
  fault: "malformed",
  text: JSON.stringify({
    event_type: "price_change",
    market: "0x0000000000000000000000000000000000000000000000000000000000000001",
    timestamp: String(time),
    price_changes: [{ asset_id: token, price, size, side: "BUY", hash }]
  })
})

/** Losses that a whole book made good before anybody could tell. */
const masked = new WeakMap<World, number>()

/** Loses a change until a loss shows. */
const losing = (world: World, venue: "polymarket" | "kalshi") => async () => {
  for (let attempt = 0; attempt < 8; attempt++) {
    const since = Date.now()
    await world.simulators[venue].inject({ fault: "lost" })
    const isDoubted = async () =>
      (await world.events(since)).some(
        (event) => event.from >= since && event.kind === "suspect" && event.venue === venue
      )
    if ((await until(isDoubted, 2_500, 50)) !== undefined) return
    masked.set(world, (masked.get(world) ?? 0) + 1)
  }
}

/** Each loss is of one change of a market, told of both its tokens. */
const unknowable = (world: World): number => 2 * (masked.get(world) ?? 0)

/** Why a book may be live again without REST: the venue itself showed that it is true. */
const PROOFS = new Set(["snapshot received", "the venue's digest matches again"])

export const frames: ReadonlyArray<Scenario> = [
  {
    row: "12",
    fault: "Truncated JSON",
    injection: "the venue cuts one frame's text in half",
    promise: "counted, the text kept, the token resynced within 2 s, the next good change applied",
    short: true,
    world: both,
    run: async (world, kit) => {
      const before = await countOf(world, /./)
      await outage(world, kit, {
        inject: () => world.simulators.polymarket.inject({ fault: "truncated" }),
        detectWithin: 1_000,
        recoverWithin: 2_000
      })
      kit.check("counted", await counted(world, /./, before))
      const kept = existsSync(join(world.dataDir, "quarantine")) || existsSync(join(world.dataDir, "tape"))
      const sample = world.collector.log().some((entry) => JSON.stringify(entry).includes("sample"))
      kit.check("the text is kept", kept || sample, kept ? "on disk" : "in the log")
      await verify(world, kit)
    }
  },
  {
    row: "13",
    fault: "Invalid UTF-8",
    injection: "a text frame with the bytes ff fe on both venues' sockets",
    promise: "closed with 1007, connected again, no crash",
    short: true,
    world: both,
    run: async (world, kit) => {
      const fault = { fault: "malformed", base64: Buffer.from([0xff, 0xfe]).toString("base64") }
      const { events } = await outage(world, kit, {
        inject: () => Promise.all([world.simulators.polymarket.inject(fault), world.simulators.kalshi.inject(fault)]),
        detectWithin: 500,
        recoverWithin: 3_000
      })
      const ends = events.filter(({ kind }) => kind === "disconnected")
      kit.check("both connections end", new Set(ends.map(({ venue }) => venue)).size === 2, ends.length)
      await verify(world, kit)
    }
  },
  {
    row: "14",
    fault: "A frame of 200 MiB",
    injection: "a frame whose length says 200 MiB, on both venues' sockets",
    promise: "refused by its length before any of it is read; memory grows by at most 20 MB",
    world: both,
    run: async (world, kit) => {
      await sleep(3_000)
      world.invariants.reset()
      await outage(world, kit, {
        inject: () =>
          Promise.all([
            world.simulators.polymarket.inject({ fault: "oversized" }),
            world.simulators.kalshi.inject({ fault: "oversized" })
          ]),
        detectWithin: 500,
        recoverWithin: 3_000
      })
      await verify(world, kit, { growth: 20 * MEGABYTE })
    }
  },
  {
    row: "15",
    fault: "Unknown event types, null, [], {}, numbers",
    injection: "well-formed messages that no client knows, on both venues' sockets",
    promise: "counted by type, ignored, others unharmed",
    short: true,
    world: both,
    run: async (world, kit) => {
      const since = Date.now()
      const before = await countOf(world, /unknown|unexpected|type|shape|json|decode/i)
      const all = await countOf(world, /./)
      await world.simulators.polymarket.inject({ fault: "unknown_event" })
      await world.simulators.kalshi.inject({ fault: "unknown_event" })
      kit.check("counted", await counted(world, /./, all), JSON.stringify(await world.collector.errors()))
      kit.check("by type", (await countOf(world, /unknown|unexpected|type|shape|json|decode/i)) > before)
      await sleep(1_500)
      // A market that ends in the meantime is no harm.
      const harmed = (await world.events(since)).filter(
        ({ from, kind, reason }) => from >= since && TROUBLES.has(kind) && !reason.includes("resolved")
      )
      const shown = harmed.map(({ kind, reason }) => `${kind}, ${reason}`).slice(0, 3)
      kit.check("others unharmed", harmed.length === 0, shown.join("; ") || "no trouble")
      await verify(world, kit)
    }
  },
  {
    row: "16",
    fault: "Duplicate change, duplicate sequence number",
    injection: "both venues send each of 30 frames twice",
    promise: "idempotent; no more rows than without",
    short: true,
    world: both,
    run: async (world, kit) => {
      await world.simulators.polymarket.inject({ fault: "duplicate", count: 30 })
      await world.simulators.kalshi.inject({ fault: "duplicate", count: 30 })
      await sleep(4_000)
      kit.measures.recover = await world.allLive(5_000)
      kit.check("all live after", kit.measures.recover !== undefined)
      await verify(world, kit)
    }
  },
  {
    row: "17",
    fault: "Sequence numbers out of order (Kalshi)",
    injection: "the venue sends one frame after the one that follows it",
    promise: "the subscription is resynced within 2 s; no wrong book is live in between",
    short: true,
    world: both,
    run: async (world, kit) => {
      await outage(world, kit, {
        inject: () => world.simulators.kalshi.inject({ fault: "reorder" }),
        detectWithin: 2_000,
        recoverWithin: 2_000,
        leavesGap: false
      })
      await verify(world, kit)
    }
  },
  {
    row: "18",
    fault: "Missing sequence number (Kalshi)",
    injection: "the venue never sends one frame",
    promise: "noticed at the next message; fresh snapshots within 2 s; a gap row",
    short: true,
    world: both,
    run: async (world, kit) => {
      await outage(world, kit, {
        inject: losing(world, "kalshi"),
        detectWithin: 2_000,
        recoverWithin: 3_000
      })
      await verify(world, kit)
    }
  },
  {
    row: "19",
    fault: "Older change and newer snapshot in one chunk",
    injection: "a forged older change and the true whole book in one TCP write",
    promise: "the snapshot wins",
    short: true,
    world: both,
    run: async (world, kit) => {
      const { polymarket } = world.simulators
      const token = await someToken(world)
      await polymarket.trade(false)
      await sleep(500)
      const truth = (await polymarket.book(token))!
      const { bids, asks, timestamp } = truth
      const text = JSON.stringify({ ...truth, market: "0x01", asset_id: token, event_type: "book" })
      world.proxies.polymarket.hold(true)
      const older = forge(token, { price: bids.at(-1)!.price, size: "777", time: Number(timestamp) - 5 })
      await polymarket.inject(older, { fault: "malformed", text })
      await sleep(150)
      const written = Date.now()
      world.proxies.polymarket.hold(false)
      const isTrue = async () => {
        const book = await world.collector.book(`polymarket:${token}`)
        return book !== undefined && fingerprintOf(book) === fingerprintOf({ bids, asks })
      }
      kit.measures.recover = await until(async () => Date.now() - written > 100 && (await isTrue()), 2_000)
      kit.check("the book is the snapshot's", kit.measures.recover !== undefined)
      await polymarket.trade(true)
      kit.check("all live after", (await world.allLive(5_000)) !== undefined)
      await verify(world, kit, { forged: true })
    }
  },
  {
    row: "20",
    fault: "Change before the snapshot",
    injection: "the venue holds back its snapshots for 2 s after a reconnect, and a change comes first",
    promise: "held or dropped; never a partial live book",
    short: true,
    world: both,
    run: async (world, kit) => {
      const { polymarket } = world.simulators
      const token = await someToken(world)
      await sleep(1_200)
      await polymarket.inject({ fault: "slow", socketMs: 2_000 }, { fault: "drop" })
      const dropped = Date.now()
      const isBack = async () => (await polymarket.stats()).connections > 0
      await until(async () => Date.now() - dropped > 200 && (await isBack()), 5_000)
      await polymarket.inject(forge(token, { price: "0.02", size: "777" }))
      const early: Array<string> = []
      const id = `polymarket:${token}`
      const isLive = async () => {
        const book = await world.collector.book(id)
        if (book?.status === "live" && book.bids.length + book.asks.length <= 1) early.push(book.statusReason)
        return book?.status === "live"
      }
      kit.measures.recover = await until(isLive, 8_000)
      kit.check("live when its snapshot has come", (kit.measures.recover ?? 0) > 1_000, kit.measures.recover)
      kit.check("no partial book was live", early.length === 0, early[0] ?? "none")
      await polymarket.inject({ fault: "heal" })
      kit.check("all live after", (await world.allLive(5_000)) !== undefined)
      await verify(world, kit, { forged: true })
    }
  },
  {
    row: "21",
    fault: "Lost change where nothing is numbered (Polymarket)",
    injection: "the venue never sends one price change",
    promise: "the venue's hash contradicts the book; resynced over REST within 2 s",
    short: true,
    world: both,
    run: async (world, kit) => {
      await outage(world, kit, {
        inject: losing(world, "polymarket"),
        detectWithin: 25_000,
        recoverWithin: 25_000
      })
      await verify(world, kit, { unknowable: unknowable(world) })
    }
  },
  {
    row: "22",
    fault: "Crossed book after a change",
    injection: "both venues send a change that crosses a book and is not in it",
    promise: "suspect, resynced within 2 s, never live while crossed",
    short: true,
    world: both,
    run: async (world, kit) => {
      await outage(world, kit, {
        inject: () =>
          Promise.all([
            world.simulators.polymarket.inject({ fault: "crossed" }),
            world.simulators.kalshi.inject({ fault: "crossed" })
          ]),
        detectWithin: 1_000,
        recoverWithin: 2_000
      })
      await verify(world, kit, { forged: true })
    }
  },
  {
    row: "23",
    fault: "Bad numbers: NaN, -1, 1e9, 1.5, empty, Infinity, 1e-9",
    injection: "price changes with such prices, and with such sizes",
    promise: "rejected whole, counted; the book unchanged or resynced, never wrong",
    short: true,
    world: both,
    run: async (world, kit) => {
      const token = await someToken(world)
      const prices = ["NaN", "-1", "1e9", "1.5", "", "Infinity", "1e-9"]
      const sizes = ["NaN", "-1", "", "Infinity", "1e400"]
      const forged = [
        ...prices.map((price) => ({ price, size: "10" })),
        ...sizes.map((size) => ({ price: "0.02", size }))
      ]
      const before = await countOf(world, /./)
      for (const one of forged) {
        await world.simulators.polymarket.inject(forge(token, one))
        await sleep(50)
      }
      await sleep(300)
      const rejected = (await countOf(world, /./)) - before
      kit.check("each is counted", rejected >= forged.length, `${rejected} of ${forged.length}`)
      kit.measures.recover = await world.allLive(20_000)
      kit.check("all live after", kit.measures.recover !== undefined)
      await verify(world, kit)
    }
  },
  {
    row: "24",
    fault: "Price off the tick; tick size changes in flight",
    injection: "a change at 0.0123 in a market of whole cents, then a tick size change",
    promise: "stored exactly",
    world: both,
    run: async (world, kit) => {
      const { polymarket } = world.simulators
      const token = await someToken(world)
      const since = Date.now()
      const tick = { event_type: "tick_size_change", asset_id: token, market: "0x01", timestamp: String(Date.now()) }
      await polymarket.inject(forge(token, { price: "0.0123", size: "17.25" }), {
        fault: "malformed",
        text: JSON.stringify({ ...tick, old_tick_size: "0.01", new_tick_size: "0.001" })
      })
      await sleep(800)
      await world.stored()
      const rows = await world.sql((query) =>
        query<{ price: string; size: string }>(
          "SELECT price::text, size::text FROM book_changes WHERE size = 17.25 AND price BETWEEN 0.01 AND 0.02"
        )
      )
      kit.check("stored exactly", rows.length === 1 && Number(rows[0]!.price) === 0.0123, JSON.stringify(rows))
      const ticks = (await world.events(since)).filter(({ kind }) => kind === "tick_size")
      kit.check("the tick size change is on record", ticks.length > 0, ticks[0]?.reason)
      kit.check("all live after", (await world.allLive(5_000)) !== undefined)
      await verify(world, kit, { forged: true })
    }
  },
  {
    row: "25",
    fault: "One price spelled .02, 0.02 and 0.0200",
    injection: "three changes of one level",
    promise: "one level",
    short: true,
    world: both,
    run: async (world, kit) => {
      const token = await someToken(world)
      const time = Date.now()
      const spelled = [".02", "0.02", "0.0200"].map((price, i) => forge(token, { price, size: `${111 + i}`, time }))
      await world.simulators.polymarket.inject(...spelled)
      let most = 0
      await until(async () => {
        const book = await world.collector.book(`polymarket:${token}`)
        most = Math.max(most, book?.bids.filter(({ price }) => Number(price) === 0.02).length ?? 0)
        return false
      }, 600)
      kit.check("never two levels of one price", most <= 1, `at most ${most}`)
      await world.stored()
      const stored = await world.sql((query) =>
        query<{ price: string }>(
          "SELECT DISTINCT price FROM book_changes WHERE size BETWEEN 111 AND 113 AND price = 0.02"
        )
      )
      kit.note(`${stored.length} spelling of the price is stored`)
      kit.check("all live after", (await world.allLive(5_000)) !== undefined)
      await verify(world, kit, { forged: true })
    }
  },
  {
    row: "26",
    fault: "Market resolved while subscribed",
    injection: "both venues resolve a market",
    promise: "unsubscribed, its books closed, the end on record",
    short: true,
    world: both,
    run: async (world, kit) => {
      const since = Date.now()
      const token = await someToken(world)
      const ticker = await someTicker(world)
      await world.simulators.polymarket.inject({ fault: "resolve", tokenId: token })
      await world.simulators.kalshi.inject({ fault: "resolve", tokenId: ticker })
      const ids = [`polymarket:${token}`, `kalshi:${ticker}`]
      const isGone = async (id: string) => (await world.collector.book(id))?.status !== "live"
      kit.measures.detect = await until(async () => (await Promise.all(ids.map(isGone))).every(Boolean), 5_000)
      kit.check("no longer live within 2 s", (kit.measures.detect ?? 9_999) <= 2_000, kit.measures.detect)
      const followed = async () => {
        const [one, other] = await Promise.all([world.simulators.polymarket.stats(), world.simulators.kalshi.stats()])
        return one.subscribed.includes(token) || other.subscribed.includes(ticker)
      }
      const left = await until(async () => !(await followed()), 10_000, 100)
      kit.check("unsubscribed", left !== undefined, left)
      // The venue's own time of the end may be whole seconds.
      const ends = async () => (await world.events(since - 1_000)).filter(({ kind }) => kind === "resolved")
      const recorded = await until(async () => new Set((await ends()).map(({ venue }) => venue)).size === 2, 5_000, 100)
      kit.check("both ends on record", recorded !== undefined, (await ends()).length)
      await verify(world, kit)
    }
  },
  {
    row: "26b",
    fault: "Market resolved and delisted while nobody is connected",
    injection: "both venues cut and refuse their sockets for 8 s and resolve a market; lists are read every 2 s",
    promise: "its books are gone within 15 s of the return, and are no longer shown as the feed's",
    alone: async (kit, begin) => {
      const refresh = { PLATFORMS_POLYMARKET_REFRESH_EVERY: "2 seconds", PLATFORMS_KALSHI_REFRESH_EVERY: "2 seconds" }
      const world = await begin({ ...both, settings: refresh })
      const simulators = Object.values(world.simulators)
      for (const simulator of simulators) await simulator.inject({ fault: "refuse", status: 503 }, { fault: "drop" })
      await sleep(1_000)
      const { books } = await world.simulators.kalshi.books()
      const ticker = Object.entries(books).find(([, { status }]) => status === "active")![0]
      await world.simulators.polymarket.inject({ fault: "resolve", tokenId: await someToken(world) })
      await world.simulators.kalshi.inject({ fault: "resolve", tokenId: ticker })
      await sleep(7_000)
      for (const simulator of simulators) await simulator.inject({ fault: "heal" })
      kit.measures.recover = await world.allLive(40_000)
      kit.check("all others live", kit.measures.recover !== undefined)
      const gone = await until(async () => (await world.leftOver()).length === 0, 15_000, 250)
      const left = (await world.leftOver()).map(
        (book) => `${book.instrumentId.slice(0, 30)}…: ${book.status}, ${book.statusReason}`
      )
      kit.check("no book of theirs is left after 15 s", gone !== undefined, left.join("; "))
      await verify(world, kit)
    }
  },
  {
    row: "27",
    fault: "REST snapshot older than the changes that wait; REST fails",
    injection: "a change is lost while REST takes 1.5 s; then again while REST answers 503",
    promise: "newer changes replayed over it; without REST the old state stays and is not called live",
    world: both,
    run: async (world, kit) => {
      const { polymarket } = world.simulators
      await polymarket.inject({ fault: "slow", restMs: 1_500 })
      await outage(world, kit, {
        inject: losing(world, "polymarket"),
        detectWithin: 25_000,
        recoverWithin: 30_000
      })
      await polymarket.inject({ fault: "heal" }, { fault: "unavailable" })
      await sleep(1_500)
      const since = Date.now()
      await losing(world, "polymarket")()
      await polymarket.trade(false)
      const hurt = (await world.events(since)).findLast(({ kind }) => kind === "suspect")
      await sleep(3_000)
      const book = hurt?.instrumentId == null ? undefined : await world.collector.book(hurt.instrumentId)
      // Just before trading was stopped a whole book may have come on the socket, or a change that made good what was lost.
      const isHonest = book !== undefined && (book.status !== "live" || PROOFS.has(book.statusReason))
      kit.check("not live without REST", isHonest, `${book?.status}, ${book?.statusReason}`)
      kit.check("the old state is kept", (book?.bids.length ?? 0) + (book?.asks.length ?? 0) > 0)
      await polymarket.inject({ fault: "heal" })
      await polymarket.trade(true)
      const again = await world.allLive(35_000)
      kit.check("live within 30 s of REST's return", again !== undefined && again <= 30_000, again)
      await verify(world, kit, { unknowable: unknowable(world) })
    }
  },
  {
    row: "50",
    fault: "__proto__, constructor, toString as ids and keys",
    injection: "messages with such token ids, markets, types and keys; the API is asked for such ids",
    promise: "counted and ignored; the object prototype is as it was",
    short: true,
    world: both,
    run: async (world, kit) => {
      const names = ["__proto__", "constructor", "toString", "hasOwnProperty"]
      for (const name of names) {
        await world.simulators.polymarket.inject(
          forge(name, { price: "0.5", size: "1" }),
          { fault: "malformed", text: `{"event_type":"${name}","asset_id":"${name}","market":"${name}"}` },
          {
            fault: "malformed",
            text: `{"${name}":{"polluted":1},"event_type":"book","asset_id":"${name}","bids":[],"asks":[]}`
          }
        )
        await world.simulators.kalshi.inject(
          { fault: "malformed", text: `{"type":"${name}","sid":1,"msg":{"market_ticker":"${name}"}}` },
          {
            fault: "malformed",
            text: `{"type":"ticker","sid":9,"msg":{"market_ticker":"${name}","__proto__":{"polluted":1}}}`
          }
        )
        const { status } = await world.collector.get(`/api/v1/books/${name}`)
        kit.check(`the API knows no book ${name}`, status === 404, status)
      }
      await sleep(500)
      world.collector.tell({ prototype: true })
      const answered = await until(() => world.collector.lines.some((line) => line.startsWith(`{"prototype"`)), 3_000)
      const answer = world.collector.lines.find((line) => line.startsWith(`{"prototype"`))
      kit.check("the object prototype is clean", answered !== undefined && answer!.includes("clean"), answer)
      kit.check("all live after", (await world.allLive(10_000)) !== undefined)
      await verify(world, kit)
    }
  }
]
