/** WebSocket frames as a server writes them: whole texts, unmasked (RFC 6455 §5.2). */

const HEADER = 4
const TEXT = 0x81
const LENGTH_16 = 126

/** Texts one after the other in one buffer, each ready to be written. */
export interface Framed {
  readonly bytes: Buffer
  /** Where each of them begins, and where the last one ends. */
  readonly starts: Float64Array
}

/** Frames texts of 126 to 65,535 bytes of ASCII, which is what the workload consists of. */
export const frame = (texts: Iterable<string>, count: number, averageBytes: number): Framed => {
  let bytes = Buffer.allocUnsafe(Math.ceil(count * (averageBytes + HEADER) * 1.05) + 65_536)
  const starts = new Float64Array(count + 1)
  let at = 0
  let index = 0
  for (const text of texts) {
    const { length } = text
    if (length < LENGTH_16 || length > 65_535) throw new RangeError(`a frame of ${length} bytes`)
    if (at + length + HEADER > bytes.length) {
      const larger = Buffer.allocUnsafe(bytes.length + (bytes.length >>> 1) + 65_536)
      bytes.copy(larger, 0, 0, at)
      bytes = larger
    }
    starts[index++] = at
    bytes[at] = TEXT
    bytes[at + 1] = LENGTH_16
    bytes[at + 2] = length >>> 8
    bytes[at + 3] = length
    at += HEADER
    at += bytes.write(text, at, "latin1")
  }
  starts[index] = at
  return { bytes: bytes.subarray(0, at), starts: starts.subarray(0, index + 1) }
}
