/**
 * What every venue has to do, over real sockets against its simulator. A venue supplies an {@link Adapter} and passes, or
 * it is not done.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { faultCases } from "./FaultCases.ts"
import { type Adapter, type Declare, platform } from "./Stage.ts"
import { steadyCases } from "./SteadyCases.ts"

export const conformance = <F, E>(adapter: Adapter<F, E>): void => {
  const test: Declare<F> = (title, body, perConnection) =>
    it.scopedLive(title, () => Effect.provide(Effect.flatMap(adapter.start(perConnection), body), platform))

  describe(`${adapter.name} as a venue`, () => {
    steadyCases(adapter, test)
    faultCases(adapter, test)
  })
}
