/**
 * The subscriptions of one connection: one for each channel, kept equal to the markets that are wanted (Kalshi
 * reference §7.2–§7.4). Sends commands and reads their answers; knows nothing of books.
 */
import { Array as Arr, Clock, Duration, Effect, type Scope } from "effect"
import { SocketError } from "../../resilience/WebSocketFeed.ts"
import type { Control } from "./Decoder.ts"
import { consequence, describe } from "./SocketErrors.ts"
import type { Channel, Command } from "./Wire.ts"

/** Tickers in one command. */
const PER_COMMAND = 500
/** A command that the venue is too busy for is sent again this often, after 1 s, 2 s, 4 s … */
const MOST_ATTEMPTS = 5
/** A channel that ends twice within so long is not mended by one more subscription. */
const RELAPSE_MILLIS = 30_000
/** Commands that are remembered in case they are refused. */
const MOST_PENDING = 1_000
const ANSWER_WITHIN = "10 seconds"

const MARKET_CHANNELS = ["orderbook_delta", "trade", "ticker"] as const satisfies ReadonlyArray<Channel>

export interface Subscriptions {
  /** Asks for these markets on every channel. */
  readonly add: (tickers: ReadonlyArray<string>) => Effect.Effect<void, SocketError>
  readonly remove: (tickers: ReadonlyArray<string>) => Effect.Effect<void, SocketError>
  /**
   * Asks for whole books, in the running sequence; nothing while there is no subscription, which will bring them. Books
   * whose subscription was refused are subscribed again, since a snapshot without changes to follow is no book.
   */
  readonly snapshots: (tickers: ReadonlyArray<string>) => Effect.Effect<void, SocketError>
  readonly answer: (control: Control) => Effect.Effect<void, SocketError>
  /** Fails when the venue does not acknowledge the books in time. */
  readonly acknowledged: Effect.Effect<void, SocketError>
}

export interface SubscriptionsOptions {
  readonly send: (text: string) => Effect.Effect<void, SocketError>
  /** What is wanted now. */
  readonly wanted: () => ReadonlyArray<string>
  /** Whether this connection also follows the life of all markets. */
  readonly lifecycle: boolean
  /** The venue will not send these markets' messages on a channel. */
  readonly onRefused: (channel: Channel, tickers: ReadonlyArray<string>, reason: string) => void
}

const failure = (reason: SocketError["reason"], detail: string, code = 0): SocketError =>
  new SocketError({ reason, code, detail, retryAfter: Duration.zero })

interface Pending {
  readonly channel: Channel
  readonly command: Command
  readonly attempt: number
}

const isSubscribe = ({ command }: Pending): boolean => command.cmd === "subscribe"

const without = (command: Command, tickers: ReadonlyArray<string>): Command | undefined => {
  const left = command.params.market_tickers?.filter((ticker) => !tickers.includes(ticker)) ?? []
  if (left.length === 0 || left.length === command.params.market_tickers?.length) return undefined
  return { ...command, params: { ...command.params, market_tickers: left } } as Command
}

/** Subscribes to everything wanted. The scope ends what is still being tried. */
export const open = (options: SubscriptionsOptions): Effect.Effect<Subscriptions, SocketError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const pending = new Map<number, Pending>()
    const sids = new Map<Channel, number>()
    const asked = new Map<Channel, Set<string>>()
    const endings = new Map<Channel, number>()
    let lastId = 0

    const askedOn = (channel: Channel): Set<string> => {
      let tickers = asked.get(channel)
      if (tickers === undefined) asked.set(channel, (tickers = new Set()))
      return tickers
    }

    const issue = (channel: Channel, command: Command, attempt = 0): Effect.Effect<void, SocketError> =>
      Effect.suspend(() => {
        const id = ++lastId
        pending.set(id, { channel, command, attempt })
        // Not every answer repeats the id; what is old was answered.
        if (pending.size > MOST_PENDING) pending.delete(pending.keys().next().value!)
        return options.send(JSON.stringify({ id, ...command }))
      })

    const update = (
      channel: Channel,
      sid: number,
      action: "add_markets" | "delete_markets" | "get_snapshot",
      tickers: ReadonlyArray<string>
    ) =>
      Effect.forEach(
        Arr.chunksOf(tickers, PER_COMMAND),
        (market_tickers) =>
          issue(channel, {
            cmd: "update_subscription",
            params: {
              sids: [sid],
              action,
              market_tickers,
              ...(channel === "ticker" && action === "add_markets" ? { send_initial_snapshot: true } : {})
            }
          }),
        { discard: true }
      )

    const subscribe = (channel: Channel): Effect.Effect<void, SocketError> =>
      Effect.suspend(() => {
        sids.delete(channel)
        if (channel === "market_lifecycle_v2")
          return issue(channel, { cmd: "subscribe", params: { channels: [channel] } })
        const market_tickers = options.wanted().slice(0, PER_COMMAND)
        asked.set(channel, new Set(market_tickers))
        return issue(channel, {
          cmd: "subscribe",
          params: {
            channels: [channel],
            market_tickers,
            skip_ticker_ack: true,
            ...(channel === "orderbook_delta" ? { use_yes_price: true } : {}),
            ...(channel === "ticker" ? { send_initial_snapshot: true } : {})
          }
        })
      })

    const add = (channel: Channel, tickers: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        const sid = sids.get(channel)
        const known = askedOn(channel)
        const fresh = tickers.filter((ticker) => !known.has(ticker))
        // Before the subscription is acknowledged there is nothing to add to; the acknowledgement catches up.
        if (sid === undefined || fresh.length === 0) return Effect.void
        for (const ticker of fresh) known.add(ticker)
        return update(channel, sid, "add_markets", fresh)
      })

    const remove = (channel: Channel, tickers: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        const sid = sids.get(channel)
        const known = askedOn(channel)
        const gone = tickers.filter((ticker) => known.has(ticker))
        if (sid === undefined || gone.length === 0) return Effect.void
        for (const ticker of gone) known.delete(ticker)
        return update(channel, sid, "delete_markets", gone)
      })

    const catchUp = (channel: Channel) =>
      Effect.suspend(() => {
        const wanted = options.wanted()
        const set = new Set(wanted)
        return Effect.zipRight(
          remove(
            channel,
            [...askedOn(channel)].filter((ticker) => !set.has(ticker))
          ),
          add(channel, wanted)
        )
      })

    const ended = (channel: Channel, reason: string): Effect.Effect<void, SocketError> =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const before = endings.get(channel)
        endings.set(channel, now)
        if (before !== undefined && now - before < RELAPSE_MILLIS) {
          return yield* failure("closed", `the venue ended ${channel} twice: ${reason}`)
        }
        yield* Effect.logWarning("the venue ended a subscription; subscribing again").pipe(
          Effect.annotateLogs({ channel, reason })
        )
        yield* subscribe(channel)
      })

    /** What a refused command asked for, or those of it that the refusal names, is not coming. */
    const withdraw = ({ channel, command }: Pending, named: ReadonlyArray<string> | undefined, said: string): void => {
      const adds = command.cmd === "subscribe" || command.params.action === "add_markets"
      const tickers = (adds ? (command.params.market_tickers ?? []) : []).filter(
        (ticker) => named === undefined || named.includes(ticker)
      )
      if (tickers.length === 0) return
      for (const ticker of tickers) askedOn(channel).delete(ticker)
      options.onRefused(channel, tickers, said)
    }

    const refused = (command: Pending, code: number, said: string, tickers: ReadonlyArray<string>) =>
      Effect.suspend((): Effect.Effect<void, SocketError> => {
        const { attempt, channel } = command
        if (consequence(code) === "unauthorized") return Effect.fail(failure("refused", said, 401))
        if (consequence(code) === "retry" && attempt < MOST_ATTEMPTS) {
          return issue(channel, command.command, attempt + 1).pipe(
            Effect.delay(Duration.seconds(2 ** attempt)),
            // A write that fails means a connection that ends, which the reader sees.
            Effect.ignore,
            Effect.forkIn(scope),
            Effect.asVoid
          )
        }
        const rest = without(command.command, tickers)
        withdraw(command, rest === undefined ? undefined : tickers, said)
        if (rest !== undefined) return issue(channel, rest, attempt)
        if (channel === "orderbook_delta" && isSubscribe(command)) return Effect.fail(failure("closed", said))
        return Effect.logWarning("the venue refuses a command").pipe(
          Effect.annotateLogs({ channel, command: command.command.cmd, error: said })
        )
      })

    yield* Effect.forEach(MARKET_CHANNELS, subscribe, { discard: true })
    if (options.lifecycle) yield* subscribe("market_lifecycle_v2")

    return {
      add: (tickers) => Effect.forEach(MARKET_CHANNELS, (channel) => add(channel, tickers), { discard: true }),
      remove: (tickers) => Effect.forEach(MARKET_CHANNELS, (channel) => remove(channel, tickers), { discard: true }),
      snapshots: (tickers) =>
        Effect.suspend(() => {
          const sid = sids.get("orderbook_delta")
          if (sid === undefined) return Effect.void
          const asked = askedOn("orderbook_delta")
          const [refused, subscribed] = Arr.partition(tickers, (ticker) => asked.has(ticker))
          return Effect.zipRight(
            update("orderbook_delta", sid, "get_snapshot", subscribed),
            add("orderbook_delta", refused)
          )
        }),
      answer: (control) =>
        Effect.suspend(() => {
          if (control._tag === "Ended") return ended(control.channel, control.reason)
          if (control._tag === "Acknowledged") {
            const channel = control.channel as Channel
            sids.set(channel, control.sid)
            return channel === "market_lifecycle_v2" ? Effect.void : catchUp(channel)
          }
          const { code, id, text, tickers } = control
          const said = describe(code, text)
          const command = id === undefined ? undefined : pending.get(id)
          if (command !== undefined) return refused(command, code, said, tickers)
          if (consequence(code) === "terminal") return Effect.fail(failure("closed", said))
          return Effect.annotateLogs(Effect.logWarning("the venue reports an error"), { error: said })
        }),
      acknowledged: Effect.flatMap(Effect.sleep(ANSWER_WITHIN), () =>
        sids.has("orderbook_delta")
          ? Effect.void
          : Effect.fail(failure("frozen", `no answer to a subscription within ${ANSWER_WITHIN}`))
      )
    }
  })
