/** All faults, in the order in which they are run. */
import type { Scenario } from "./Scenario.ts"
import { connections } from "./scenarios/Connections.ts"
import { frames } from "./scenarios/Frames.ts"

export const all: ReadonlyArray<Scenario> = [...connections, ...frames]
