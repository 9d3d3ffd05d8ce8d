/** What follows from inputs: the very code that makes market events of live data, for whoever repeats a tape. */
import { Context } from "effect"
import type { Input } from "../domain/Input.ts"
import type { MarketEvent } from "../domain/MarketEvent.ts"

export interface Derivation {
  /** Applies the next input and gives what follows from it. Synchronous, and the same for the same inputs. */
  readonly apply: (input: Input) => ReadonlyArray<MarketEvent>
  /** Everything that the next inputs depend on; {@link Deriver.begin} continues from it. */
  readonly save: () => Uint8Array
  /** A digest of all that followed so far; derivations with equal ones went the same way. */
  readonly chain: () => string
}

export class Deriver extends Context.Tag("parallax/tape/Deriver")<
  Deriver,
  {
    /** A derivation from the beginning, or from a saved state; `undefined` when this version cannot read the state. */
    readonly begin: (state?: Uint8Array) => Derivation | undefined
  }
>() {}
