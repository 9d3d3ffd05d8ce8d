/** A simulator as a venue's conformance is tested on: time can be held, handshakes are counted, and it tells its books. */
import { type Clock, Effect, type Scope } from "effect"
import type { Fault } from "../../src/simulator/Faults.ts"
import type { Hosted } from "../../src/simulator/Hosting.ts"
import type { SimulatorError } from "../../src/simulator/SimulatorError.ts"
import type { Venue } from "../../src/venues/Venue.ts"
import { price, size } from "../support/Events.ts"
import * as TcpProxy from "../support/TcpProxy.ts"
import type { Adapter, Needs, Running, TrueBook } from "../venues/Stage.ts"

/** A simulator's clock: the time is right, and nothing that waits goes on while it is held. */
const heldClock: Effect.Effect<{
  readonly clock: Clock.Clock
  readonly trade: (on: boolean) => Effect.Effect<void>
}> = Effect.gen(function* () {
  const gate = yield* Effect.makeLatch(true)
  const clock = yield* Effect.clock
  return {
    clock: {
      ...clock,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      sleep: (duration) => Effect.zipRight(clock.sleep(duration), gate.await)
    },
    trade: (on) => (on ? gate.open : gate.close)
  }
})

/** Counts the handshakes that pass on their way to a socket's port. */
const counting = (
  url: string
): Effect.Effect<{ url: string; handshakes: Effect.Effect<number>; strand: Effect.Effect<void> }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = new URL(url)
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => TcpProxy.start({ host: target.hostname, port: Number(target.port) })),
      (proxy) => Effect.promise(proxy.close)
    )
    let begun = 0
    proxy.onSend((data) => {
      if (data.includes("Upgrade: websocket")) begun++
      return "pass"
    })
    target.port = String(proxy.port)
    return { url: target.href, handshakes: Effect.sync(() => begun), strand: Effect.sync(proxy.strand) }
  })

type Decimals = ReadonlyArray<{ readonly price: string; readonly size: string }>

/** What a simulator's control endpoint says of a book. */
const readTrueBook = (port: number, id: string): Effect.Effect<TrueBook> =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/_control/books/${id}`)
    const { asks, bids } = (await response.json()) as { readonly bids: Decimals; readonly asks: Decimals }
    const exact = (levels: Decimals) => levels.map((level) => ({ price: price(level.price), size: size(level.size) }))
    return { bids: exact(bids), asks: exact(asks) }
  })

/** How the simulators are made: a few markets that stay, and brisk trading. */
export const options = { seed: 5, markets: 4, rate: 200, turnover: 0 }

/** Starts a simulator, and a venue that reaches its sockets at `url`. */
export const staged = <S extends Hosted & { readonly urls: { readonly ws_url: string } }>(
  start: Effect.Effect<S, SimulatorError, Scope.Scope>,
  venueOf: (simulator: S, url: string) => Effect.Effect<Venue, never, Needs>
): Effect.Effect<Running<Fault>, SimulatorError, Needs> =>
  Effect.gen(function* () {
    const { clock, trade } = yield* heldClock
    const simulator = yield* Effect.withClock(start, clock)
    const { inject, port, stats, urls } = simulator
    const { handshakes, strand, url } = yield* counting(urls.ws_url)
    return {
      venue: yield* venueOf(simulator, url),
      inject,
      trade,
      handshakes,
      strand,
      trueBook: ({ venueInstrumentId }) => readTrueBook(port, venueInstrumentId),
      sockets: Effect.map(stats, ({ connections }) => connections),
      subscribed: Effect.map(stats, ({ subscribed }) => subscribed)
    }
  })

/** The faults that every simulator knows by the same commands. */
export const faults: Omit<Adapter<Fault, never>["faults"], "badNumber"> = {
  drop: { fault: "drop" },
  close: (code) => ({ fault: "close", code }),
  lost: { fault: "lost" },
  unknown: { fault: "unknown_event" },
  refuse: (status) => ({ fault: "refuse", status }),
  stall: { fault: "stall" },
  freeze: ({ venueInstrumentId: tokenId }, untilSubscribed) => ({ fault: "freeze", tokenId, untilSubscribed }),
  heal: { fault: "heal" }
}
