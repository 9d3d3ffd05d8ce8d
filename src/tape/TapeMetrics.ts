/** What the tape says of itself in metrics. */
import { Metric } from "effect"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

export const writtenBytes = counter("parallax_tape_written_bytes_total", "Bytes of records written to the tape")
export const writtenRecords = counter("parallax_tape_records_total", "Records written to the tape")
export const lostRecords = counter(
  "parallax_tape_lost_records_total",
  "Records that are in no file of the tape, because the disk refused them"
)
export const waitingBytes = Metric.gauge("parallax_tape_waiting_bytes", { description: "Bytes that wait for the disk" })
export const segments = Metric.gauge("parallax_tape_segments", { description: "Segments on the tape" })
export const diskBytes = Metric.gauge("parallax_tape_disk_bytes", { description: "Bytes that the tape takes on disk" })
