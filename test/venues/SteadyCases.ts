/** What a venue does while nothing is wrong. */
import { assert } from "@effect/vitest"
import { Chunk, Effect, Exit, Option, Scope, Stream, SubscriptionRef } from "effect"
import { readBook } from "../../src/collector/Probe.ts"
import { type Instrument, instruments } from "../../src/domain/Market.ts"
import type { FeedEvent } from "../../src/domain/MarketEvent.ts"
import { type Adapter, collect, collectAll, type Declare, eventually, events, ids, listed } from "./Stage.ts"

export const steadyCases = <F, E>({ market }: Adapter<F, E>, test: Declare<F>): void => {
  test("lists pages that decode, and finds one market by its id", ({ venue }) =>
    Effect.gen(function* () {
      const filter = { maxMarkets: 100, categories: [], markets: [] }
      const pages = Chunk.toReadonlyArray(yield* Stream.runCollect(venue.markets(filter)))
      const markets = pages.flatMap((page) => page.markets)
      assert.deepStrictEqual(
        pages.flatMap((page) => page.rejected),
        []
      )
      assert.strictEqual(new Set(markets.map(({ id }) => id)).size, market.count)
      for (const one of markets) {
        assert.strictEqual(one.venue, venue.id)
        assert.strictEqual(one.status, "open")
        const found = Option.getOrThrow(yield* venue.market(one.venueMarketId))
        assert.deepStrictEqual([found.id, found.outcomes, found.tickSize], [one.id, one.outcomes, one.tickSize])
      }
      assert.isTrue(Option.isNone(yield* venue.market(market.unknown)))
      assert.strictEqual((yield* listed(venue, 1)).length, 1)
    }))

  test("connects, subscribes, and only then begins with a snapshot of each book", ({ venue }) =>
    Effect.gen(function* () {
      const all = (yield* listed(venue)).flatMap(instruments)
      const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>(all)
      const missing = new Set<string>(ids(all))
      const said: ReadonlyArray<FeedEvent> = yield* venue.feed.events(desired).pipe(
        Stream.tap((event) => Effect.sync(() => event._tag === "BookSnapshot" && missing.delete(event.instrumentId))),
        Stream.takeUntil(() => missing.size === 0),
        Stream.runCollect,
        Effect.map(Chunk.toReadonlyArray)
      )
      const [connected, subscribed] = said
      if (connected?._tag !== "Connected" || subscribed?._tag !== "Subscribed") {
        return assert.fail(`the feed begins with ${connected?._tag}, ${subscribed?._tag}`)
      }
      assert.strictEqual(subscribed.connection, connected.connection)
      assert.sameMembers([...subscribed.instrumentIds], ids(all))
      const begun = new Set<string>()
      for (const event of said) {
        if (event._tag === "BookSnapshot") begun.add(event.instrumentId)
        if (event._tag === "BookChange" || event._tag === "BookDelta") assert.isTrue(begun.has(event.instrumentId))
      }
    }))

  test("keeps books that are the venue's own, from the first snapshot through every change", (running) =>
    Effect.gen(function* () {
      yield* running.trade(false)
      const { all, equalsTruth, log, view } = yield* collectAll(running)
      yield* equalsTruth(all)
      for (let round = 0; round < 3; round++) {
        const before = log.length
        yield* running.trade(true)
        yield* eventually("changes", () => events(log, "BookChange", before).length >= 50)
        yield* equalsTruth(all)
      }
      assert.deepStrictEqual(events(log, "Gap"), [])
      assert.deepStrictEqual(events(log, "MessageRejected"), [])
      for (const status of events(log, "BookStatusChanged")) assert.notStrictEqual(status.status, "suspect")
      for (const { id } of all) assert.strictEqual(view(id)?.fedBy, "stream")
    }))

  test("answers over REST with the same book", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, view } = yield* collectAll(running)
      yield* equalsTruth(all)
      for (const instrument of all) {
        const { asks, bids, instrumentId, source } =
          readBook(running.venue, instrument, yield* running.venue.snapshot(instrument)) ?? assert.fail("no book")
        const best = (levels: typeof bids, sign: number) => [...levels].sort((a, b) => sign * (a.price - b.price))
        assert.deepStrictEqual([instrumentId, source], [instrument.id, "rest"])
        assert.deepStrictEqual(best(bids, -1), view(instrument.id)?.bids)
        assert.deepStrictEqual(best(asks, 1), view(instrument.id)?.asks)
      }
      const failed = yield* Effect.flip(
        running.venue.snapshot({ ...all[0]!, venueInstrumentId: market.unknownInstrument })
      )
      assert.strictEqual(failed.reason, "not-found")
    }))

  test("follows what is wanted: books begin and end with it, on one connection and on none", (running) =>
    Effect.gen(function* () {
      const markets = yield* listed(running.venue)
      const early = markets.slice(0, 2).flatMap(instruments)
      const late = markets.slice(1).flatMap(instruments)
      const gone = instruments(markets[0]!)
      const stage = yield* collect(running, early)
      const { desired, equalsTruth, kept, live, log } = stage
      yield* live(early)
      assert.sameMembers(
        [...(yield* running.subscribed)],
        early.map(({ venueInstrumentId }) => venueInstrumentId)
      )
      yield* SubscriptionRef.set(desired, late)
      yield* live(late)
      yield* eventually("fewer books", () => kept().length === late.length)
      yield* equalsTruth(late)
      assert.sameMembers([...kept()], ids(late))
      const [first, second] = events(log, "Subscribed")
      assert.sameMembers([...(first?.instrumentIds ?? [])], ids(early))
      assert.sameMembers(
        [...(second?.instrumentIds ?? [])],
        ids(late).filter((id) => !ids(early).includes(id))
      )
      const [ended] = events(log, "Unsubscribed")
      assert.sameMembers([...(ended?.instrumentIds ?? [])], ids(gone))
      const wanted = late.map(({ venueInstrumentId }) => venueInstrumentId).sort()
      yield* eventually(
        "the venue's knowledge of it",
        Effect.map(running.subscribed, (all) => [...all].sort().join() === wanted.join())
      )
      assert.strictEqual(events(log, "Connected").length, 1)
      yield* SubscriptionRef.set(desired, [])
      yield* eventually("no books", () => kept().length === 0)
      yield* eventually(
        "no sockets",
        Effect.map(running.sockets, (open) => open === 0)
      )
    }))

  test("closes its sockets at once, and for good, with its scope", (running) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Scope.extend(collectAll(running), scope)
      assert.strictEqual(yield* running.sockets, 1)
      yield* Effect.timeout(Scope.close(scope, Exit.void), "1 seconds")
      yield* eventually(
        "no sockets",
        Effect.map(running.sockets, (open) => open === 0),
        "500 millis"
      )
      yield* Effect.sleep("600 millis")
      assert.strictEqual(yield* running.handshakes, 1)
    }))
}
