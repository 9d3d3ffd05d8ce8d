import { Effect } from "effect"
import type { Fault } from "../../src/simulator/Faults.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import type { SimulatorError } from "../../src/simulator/SimulatorError.ts"
import * as Settings from "../../src/Settings.ts"
import * as Polymarket from "../../src/venues/polymarket/Polymarket.ts"
import { conformance } from "./Conformance.ts"
import { counting, heldClock, readTrueBook } from "./Stage.ts"

const count = 4

conformance<Fault, SimulatorError>({
  name: "Polymarket",
  start: (perConnection = 200) =>
    Effect.gen(function* () {
      const { clock, trade } = yield* heldClock
      const { inject, port, stats, urls } = yield* Effect.withClock(
        Simulator.make({ seed: 5, markets: count, rate: 200, turnover: 0 }),
        clock
      )
      const { handshakes, url } = yield* counting(urls.ws_url)
      const venue = yield* Polymarket.make({
        ...Settings.defaults.platforms.polymarket,
        ...urls,
        ws_url: url,
        min_liquidity: 0,
        max_assets_per_connection: perConnection
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
    badNumber: ({ market, venueInstrumentId }) => ({
      fault: "malformed",
      text: JSON.stringify({
        event_type: "price_change",
        market: market.venueMarketId,
        timestamp: String(Date.now()),
        price_changes: [{ asset_id: venueInstrumentId, price: "NaN", size: "10", side: "BUY", hash: "0" }]
      })
    }),
    refuse: (status) => ({ fault: "refuse", status }),
    heal: { fault: "heal" }
  },
  market: { count, unknown: `0x${"0".repeat(64)}`, unknownInstrument: "1".repeat(77), few: 2 },
  supports: { loss: "digest" }
})
