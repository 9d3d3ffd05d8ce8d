/** How the tape is configured. */
import { Schema } from "effect"
import { setting } from "../domain/Setting.ts"

const megabytes = (most: number) => Schema.Int.pipe(Schema.between(1, most))

/** The section `tape`. A megabyte is a million bytes here. */
export const TapeConfig = Schema.Struct({
  enabled: setting(Schema.Boolean, true, "record every input, so that all the rest can be rebuilt from it"),
  segment_mb: setting(megabytes(1000), 64, "how long a file grows, in megabytes, before the next one is begun"),
  buffer_mb: setting(megabytes(1000), 64, "megabytes that wait for the disk at most; beyond them the sockets wait too"),
  fsync: setting(
    Schema.Literal("never", "segment", "second"),
    "second",
    "when records are forced to the disk, against a power failure: never, when a segment is complete, or every second"
  ),
  keep_days: setting(
    Schema.Number.pipe(Schema.positive()),
    30,
    "days that a file is kept after its last record; the oldest go first"
  ),
  max_mb: setting(
    megabytes(100_000_000),
    20_000,
    "megabytes of all files; beyond them the oldest go, whatever their age"
  )
}).annotations({ identifier: "TapeConfig" })
export type TapeConfig = typeof TapeConfig.Type
