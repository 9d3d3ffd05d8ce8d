/** Who is compared. */
import type { ReceiverOptions } from "./workload/Messages.ts"

export interface Candidate {
  readonly name: string
  /** As tables call it. */
  readonly title: string
  /** The module that is started. */
  readonly module: string
  readonly extra: ReceiverOptions["extra"]
  /** Whether it keeps books that can be compared with the truth. */
  readonly keepsBooks: boolean
}

const plain = (name: string, title: string, module: string, keepsBooks = true): Candidate => ({
  name,
  title,
  module,
  extra: {},
  keepsBooks
})

export const bare = plain("bare", "`ws`, frames only", "Bare", false)
export const floor = plain("floor", "`ws` + `JSON.parse` (the floor)", "Floor", false)
export const parallax = plain("parallax", "**Parallax**, frame → best bid and ask", "Parallax")
export const taped: Candidate = {
  ...parallax,
  name: "taped",
  title: "**Parallax** with the tape, and rows encoded for `COPY`",
  extra: { storage: "rows" }
}
export const peers: ReadonlyArray<Candidate> = [
  plain("tardis", "`tardis-dev` OrderBook over `ws` + `JSON.parse`", "Tardis"),
  plain("poly-websockets", "`@nevuamarkets/poly-websockets`", "PolyWebsockets"),
  plain("ccxt", "`ccxt`, `watchOrderBook`", "Ccxt"),
  plain("pmxt", "`pmxt-core`, `watchOrderBook`", "Pmxt")
]
