import { Redacted } from "effect"
import type { Fault } from "../../src/simulator/Faults.ts"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import type { SimulatorError } from "../../src/simulator/SimulatorError.ts"
import * as Settings from "../../src/Settings.ts"
import * as Kalshi from "../../src/venues/kalshi/Kalshi.ts"
import * as Staged from "../simulator/Staged.ts"
import { conformance } from "./Conformance.ts"

conformance<Fault, SimulatorError>({
  name: "Kalshi",
  start: (perConnection = 1_000) =>
    Staged.staged(KalshiSimulator.make(Staged.options), ({ credentials, urls }, url) =>
      Kalshi.make({
        ...Settings.defaults.platforms.kalshi,
        ...urls,
        ws_url: url,
        key_id: credentials?.key_id ?? "",
        private_key: Redacted.make(credentials?.private_key_pem ?? ""),
        min_volume_24h: 0,
        max_markets_per_connection: perConnection
      })
    ),
  faults: {
    ...Staged.faults,
    badNumber: ({ venueInstrumentId: market_ticker }) => ({
      fault: "malformed",
      text: JSON.stringify({
        type: "orderbook_delta",
        sid: 1,
        msg: { market_ticker, price_dollars: "NaN", delta_fp: "10.00", side: "yes" }
      })
    })
  },
  market: {
    count: Staged.options.markets,
    unknown: "KXNOSUCHMARKET-99",
    unknownInstrument: "KXNOSUCHMARKET-99",
    few: 1
  },
  supports: { loss: "numbered" }
})
