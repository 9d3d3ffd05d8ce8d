import type { Fault } from "../../src/simulator/Faults.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import type { SimulatorError } from "../../src/simulator/SimulatorError.ts"
import * as Settings from "../../src/Settings.ts"
import * as Polymarket from "../../src/venues/polymarket/Polymarket.ts"
import * as Staged from "../simulator/Staged.ts"
import { conformance } from "./Conformance.ts"

conformance<Fault, SimulatorError>({
  name: "Polymarket",
  start: (perConnection = 200) =>
    Staged.staged(Simulator.make(Staged.options), ({ urls }, url) =>
      Polymarket.make({
        ...Settings.defaults.platforms.polymarket,
        ...urls,
        ws_url: url,
        min_liquidity: 0,
        max_assets_per_connection: perConnection
      })
    ),
  faults: {
    ...Staged.faults,
    badNumber: ({ market, venueInstrumentId }) => ({
      fault: "malformed",
      text: JSON.stringify({
        event_type: "price_change",
        market: market.venueMarketId,
        timestamp: String(Date.now()),
        price_changes: [{ asset_id: venueInstrumentId, price: "NaN", size: "10", side: "BUY", hash: "0" }]
      })
    })
  },
  market: {
    count: Staged.options.markets,
    unknown: `0x${"0".repeat(64)}`,
    unknownInstrument: "1".repeat(77),
    few: 2
  },
  supports: { loss: "digest" }
})
