import { Effect, Redacted } from "effect"
import type { Fault } from "../../src/simulator/Faults.ts"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import type { SimulatorError } from "../../src/simulator/SimulatorError.ts"
import * as Settings from "../../src/Settings.ts"
import * as Kalshi from "../../src/venues/kalshi/Kalshi.ts"
import { conformance } from "./Conformance.ts"
import { counting, heldClock, readTrueBook } from "./Stage.ts"

const count = 4

conformance<Fault, SimulatorError>({
  name: "Kalshi",
  start: (perConnection = 1_000) =>
    Effect.gen(function* () {
      const { clock, trade } = yield* heldClock
      const { credentials, inject, port, stats, urls } = yield* Effect.withClock(
        KalshiSimulator.make({ seed: 5, markets: count, rate: 200, turnover: 0 }),
        clock
      )
      const { handshakes, url } = yield* counting(urls.ws_url)
      const venue = yield* Kalshi.make({
        ...Settings.defaults.platforms.kalshi,
        ...urls,
        ws_url: url,
        key_id: credentials?.key_id ?? "",
        private_key: Redacted.make(credentials?.private_key_pem ?? ""),
        min_volume_24h: 0,
        max_markets_per_connection: perConnection
      })
      return {
        venue,
        inject,
        trade,
        handshakes,
        trueBook: ({ venueInstrumentId }) => readTrueBook(port, venueInstrumentId),
        sockets: Effect.map(stats, ({ connections }) => connections),
        subscribed: Effect.map(stats, ({ subscribed }) => subscribed)
      }
    }),
  faults: {
    drop: { fault: "drop" },
    close: (code) => ({ fault: "close", code }),
    lost: { fault: "lost" },
    unknown: { fault: "unknown_event" },
    badNumber: ({ venueInstrumentId: market_ticker }) => ({
      fault: "malformed",
      text: JSON.stringify({
        type: "orderbook_delta",
        sid: 1,
        msg: { market_ticker, price_dollars: "NaN", delta_fp: "10.00", side: "yes" }
      })
    }),
    refuse: (status) => ({ fault: "refuse", status }),
    heal: { fault: "heal" }
  },
  market: { count, unknown: "KXNOSUCHMARKET-99", unknownInstrument: "KXNOSUCHMARKET-99", few: 1 },
  supports: { loss: "numbered" }
})
