/** All faults, in the order in which they are run: those that share a world follow each other. */
import type { Scenario } from "./Scenario.ts"
import { connections } from "./scenarios/Connections.ts"
import { frames } from "./scenarios/Frames.ts"
import { databases } from "./scenarios/Databases.ts"
import { freezes } from "./scenarios/Freezes.ts"
import { processes } from "./scenarios/Processes.ts"
import { refusals } from "./scenarios/Refusals.ts"
import { random } from "./scenarios/Safety.ts"
import { surface } from "./scenarios/Surface.ts"

export const all: ReadonlyArray<Scenario> = [
  ...connections,
  ...frames,
  ...freezes,
  ...refusals,
  ...databases,
  ...processes,
  ...surface,
  ...random
]
