/** All measurements, in the order in which they run. */
import type { Measure } from "./Measure.ts"
import { bursts } from "./measures/Bursts.ts"
import { cpu } from "./measures/Cpu.ts"
import { growth } from "./measures/Growth.ts"
import { latency } from "./measures/Latency.ts"
import { memory } from "./measures/Memory.ts"
import { slow } from "./measures/SlowConsumer.ts"
import { soak } from "./measures/Soak.ts"
import { start } from "./measures/Start.ts"
import { storage } from "./measures/Storage.ts"

export const all: ReadonlyArray<Measure> = [cpu, bursts, latency, memory, slow, start, storage, soak, growth]
