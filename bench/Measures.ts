/** All measurements, in the order in which they run. */
import type { Measure } from "./Measure.ts"
import { cpu } from "./measures/Cpu.ts"

export const all: ReadonlyArray<Measure> = [cpu]
