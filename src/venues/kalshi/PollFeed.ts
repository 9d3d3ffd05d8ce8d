/**
 * The feed without a key, which every channel of the socket needs (Kalshi reference §7.1): books are fetched over the
 * public REST, a hundred in a request where the venue lets that pass without a signature, else one by one with the
 * changed markets first. What happens between two looks stays unknown.
 */
import { Array as Arr, Chunk, Clock, Duration, Effect, Order, Ref, Stream, type SubscriptionRef } from "effect"
import { type Answer, type FeedInput, told } from "../../domain/Input.ts"
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import { idAt, isObject } from "../../resilience/Reading.ts"
import { backoff, reconnecting } from "../../resilience/Reconnect.ts"
import * as Slot from "../../resilience/Slot.ts"
import { readable } from "../Protocol.ts"
import { type Feed, VenueError } from "../Venue.ts"
import type { KalshiConfig } from "./Config.ts"
import { KALSHI } from "./Normalize.ts"
import * as Protocol from "./Protocol.ts"
import * as TradeHistory from "./TradeHistory.ts"
import { BOOKS_PER_REQUEST, MARKETS_PER_PAGE, type Rest } from "./Rest.ts"

const BACKOFF = { base: "1 seconds", cap: "1 minutes", healthyAfter: "10 seconds" } as const
/** A venue that refuses even public data is asked again this seldom. */
const HALT = Duration.minutes(15)
/** Books fetched one by one before what was fetched is passed on. */
const TOGETHER = 10
/** Tickers in a query that must fit a line. */
const TICKERS_PER_QUERY = Math.min(100, MARKETS_PER_PAGE)

const GAIN = "an API key (key_id and private_key_path) gives every change as it happens"

/** Whether the venue asks for a signature, or does not have the batch at all. */
const needsSingles = ({ reason }: VenueError): boolean =>
  reason === "unauthorized" || reason === "not-found" || reason === "rejected"

const isHalting = ({ reason }: VenueError): boolean => reason === "unauthorized"

/** What is seen of a market in the lists when its book changes. */
const fingerprint = (market: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(
    ["updated_time", "volume_fp", "yes_bid_dollars", "yes_ask_dollars", "yes_bid_size_fp", "yes_ask_size_fp"].map(
      (key) => market[key]
    )
  )

interface Known {
  print: string
  /** When the book was last fetched, 0 before the first time. */
  polled: number
  changed: boolean
}

export const make = (config: KalshiConfig, rest: Rest, problem: string | undefined): Effect.Effect<Feed> =>
  Effect.gen(function* () {
    const slot = Slot.make(`${KALSHI}-poll`, yield* Clock.currentTimeMillis)
    const why = `${problem ?? "no API key"}: books are polled every ${Duration.format(config.poll_every)}; ${GAIN}`
    slot.reason = why
    const subscribed = yield* Ref.make(0)
    const known = new Map<InstrumentId, Known>()
    let batched = true

    const knownOf = (id: InstrumentId): Known => {
      let entry = known.get(id)
      if (entry === undefined) known.set(id, (entry = { print: "", polled: 0, changed: true }))
      return entry
    }

    const inBatch = (instruments: ReadonlyArray<Instrument>) =>
      rest.orderbooks(
        instruments.map(({ venueInstrumentId }) => venueInstrumentId),
        "poll"
      )

    /** A market may be gone between the list and the look. */
    const single = (instrument: Instrument): Effect.Effect<ReadonlyArray<Answer>, VenueError> =>
      rest.orderbook(instrument, "poll").pipe(
        Effect.map((book) => [book]),
        Effect.catchIf(
          ({ reason }) => reason === "not-found",
          () => Effect.succeed([])
        )
      )

    const oneByOne = (instruments: ReadonlyArray<Instrument>) =>
      Effect.map(Effect.forEach(instruments, single), Arr.flatten)

    /** Marks the markets whose line in the list changed since the last look. */
    const look = (instruments: ReadonlyArray<Instrument>) =>
      Effect.forEach(
        Arr.chunksOf(instruments, TICKERS_PER_QUERY),
        (chunk) =>
          Effect.map(rest.marketsByTicker(chunk.map(({ venueInstrumentId }) => venueInstrumentId)), (markets) => {
            const byTicker = new Map(chunk.map((instrument) => [instrument.venueInstrumentId, instrument]))
            for (const market of markets) {
              const instrument = isObject(market) ? byTicker.get(idAt(market, "ticker")) : undefined
              if (!isObject(market) || instrument === undefined) continue
              const entry = knownOf(instrument.id)
              const print = fingerprint(market)
              entry.changed ||= entry.print !== print
              entry.print = print
            }
          }),
        { discard: true }
      )

    const byUrgency = Order.combine(
      Order.mapInput(Order.reverse(Order.boolean), ({ id }: Instrument) => knownOf(id).changed),
      Order.mapInput(Order.number, ({ id }: Instrument) => knownOf(id).polled)
    )

    const failure = (error: VenueError) =>
      Effect.gen(function* () {
        if (!batched || !needsSingles(error)) return yield* error
        batched = false
        yield* Effect.logInfo("the venue gives no batches of books without a key; they are fetched one by one").pipe(
          Effect.annotateLogs({ reason: error.message })
        )
      })

    /** One round over what is wanted, as parts that each become events at once. */
    const round = (instruments: ReadonlyArray<Instrument>): Stream.Stream<ReadonlyArray<Answer>, VenueError> =>
      Stream.suspend(() => {
        if (batched) {
          return Stream.fromIterable(Arr.chunksOf(instruments, BOOKS_PER_REQUEST)).pipe(
            Stream.mapEffect(inBatch),
            Stream.catchAll((error) => Stream.drain(Stream.fromEffect(failure(error))))
          )
        }
        // In one round only as many as its time allows; the rest has grown older and comes first in the next.
        const lookups = Math.ceil(instruments.length / TICKERS_PER_QUERY)
        const allowed = Math.floor(Duration.toSeconds(config.poll_every) * config.max_requests_per_second) - lookups
        return Stream.unwrap(
          Effect.map(look(instruments), () =>
            Stream.fromIterable(
              Arr.chunksOf(Arr.sort(instruments, byUrgency).slice(0, Math.max(TOGETHER, allowed)), TOGETHER)
            ).pipe(Stream.mapEffect(oneByOne))
          )
        )
      })

    const session = (desired: SubscriptionRef.SubscriptionRef<ReadonlyArray<Instrument>>) =>
      Stream.unwrapScoped(
        Effect.gen(function* () {
          const connection = yield* Slot.begin(slot)
          yield* Effect.annotateLogsScoped({ venue: KALSHI, slot: slot.name, connection })
          const following = new Set<InstrumentId>()
          let connected = false

          /** A book begins with its first look, so that a long list is not a long wait for the ones at its end. */
          const inputsOf = (
            books: ReadonlyArray<Answer>,
            wanted: ReadonlyMap<InstrumentId, Instrument>,
            now: number
          ) => {
            const inputs: Array<FeedInput> = []
            const about = { venue: KALSHI, connection, receivedTime: now }
            if (!connected) {
              connected = true
              Slot.enter(slot, "connected", why, now)
              inputs.push({ _tag: "Opened", slot: slot.name, terms: {}, ...about })
            }
            const used = books.filter(({ instrumentId }) => wanted.has(instrumentId))
            const fresh = used.filter(({ instrumentId: id }) => !following.has(id))
            for (const { instrumentId: id } of fresh) following.add(id)
            const instruments = fresh.map(({ instrumentId: id }) => wanted.get(id)!)
            if (fresh.length > 0) inputs.push({ _tag: "Wanted", instruments, ...about })
            for (const book of used) {
              const entry = knownOf(book.instrumentId)
              entry.changed = false
              entry.polled = now
              inputs.push(book)
            }
            slot.firstData ??= now
            slot.lastData = now
            slot.frames += books.length
            return inputs
          }
          const leave = (wanted: ReadonlyMap<InstrumentId, Instrument>, now: number): Array<FeedInput> => {
            const gone = [...following].filter((id) => !wanted.has(id))
            for (const id of gone) {
              following.delete(id)
              known.delete(id)
            }
            if (gone.length === 0) return []
            return [told({ _tag: "Unsubscribed", venue: KALSHI, connection, instrumentIds: gone, receivedTime: now })]
          }

          /** Trades since the last look, of the books that have begun; what cannot be had is asked for in the next round. */
          let tradesUntil = yield* Clock.currentTimeMillis
          let tradesFail = false
          const trades = (wanted: ReadonlyMap<InstrumentId, Instrument>) =>
            Effect.gen(function* () {
              const begun = yield* Clock.currentTimeMillis
              const instruments = new Map(
                Array.from(following, (id) => wanted.get(id))
                  .filter((instrument) => instrument !== undefined)
                  .map((instrument) => [instrument.venueInstrumentId, instrument])
              )
              const inputs = yield* TradeHistory.since(rest, connection, instruments, tradesUntil, "poll")
              tradesUntil = begun
              tradesFail = false
              return inputs
            }).pipe(
              Effect.catchAll((error) => {
                const known = tradesFail
                tradesFail = true
                const warning = known ? Effect.void : Effect.logWarning("trades cannot be fetched; trying again")
                return Effect.as(Effect.annotateLogs(warning, { reason: error.message }), [])
              })
            )

          const rounds = Stream.unwrap(
            Effect.gen(function* () {
              const instruments = yield* desired.get
              const wanted = new Map(instruments.map((instrument) => [instrument.id, instrument]))
              const left = leave(wanted, yield* Clock.currentTimeMillis)
              yield* Ref.set(subscribed, wanted.size)
              return Stream.concat(
                Stream.fromIterable(left),
                round(instruments).pipe(
                  Stream.mapEffect((books) =>
                    Effect.map(Clock.currentTimeMillis, (now) => Chunk.unsafeFromArray(inputsOf(books, wanted, now)))
                  ),
                  Stream.flattenChunks,
                  Stream.concat(Stream.fromIterableEffect(Effect.suspend(() => trades(wanted))))
                )
              )
            })
          )
          const somethingWanted = desired.changes.pipe(
            Stream.filter((instruments) => instruments.length > 0),
            Stream.take(1),
            Stream.runDrain
          )
          const pause = Stream.drain(
            Stream.fromEffect(
              Effect.flatMap(desired.get, (instruments) =>
                instruments.length === 0 ? somethingWanted : Effect.sleep(config.poll_every)
              )
            )
          )
          return Stream.concat(rounds, pause).pipe(Stream.forever, Stream.onStart(Slot.reportUp(slot)))
        })
      )

    const onEnd = (error: VenueError, attempt: number) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const wasConnected = slot.state === "connected"
        slot.attempts = attempt
        Slot.enter(slot, isHalting(error) ? "halted" : "waiting", `${error.message}; ${why}`, now)
        yield* Slot.reportDown(slot, "polling fails; trying again", error.message)
        const about = { venue: KALSHI, slot: slot.name, connection: slot.connection, reason: error.message }
        return wasConnected ? [told({ _tag: "Disconnected", ...about, receivedTime: now })] : []
      }).pipe(Effect.annotateLogs({ venue: KALSHI, slot: slot.name, connection: slot.connection }))

    const explain = problem === undefined ? Effect.logInfo(why) : Effect.logError(why)

    const inputs: Feed["inputs"] = (desired) =>
      reconnecting(
        session(desired),
        () => new VenueError({ venue: KALSHI, reason: "closed", where: slot.name, detail: "the stream ended" }),
        {
          schedule: backoff(BACKOFF),
          ended: (error) => Slot.sessionEnd(slot, isHalting(error) ? HALT : (error.retryAfter ?? Duration.zero)),
          onEnd
        }
      ).pipe(Stream.onStart(Effect.annotateLogs(explain, { venue: KALSHI })))
    const connections = Effect.zipWith(Ref.get(subscribed), rest.breaker, (count, breaker) => [
      { ...Slot.summary(slot, count), venue: KALSHI, breaker }
    ])
    return readable({ inputs, connections }, () => Protocol.make(new Map()))
  })
