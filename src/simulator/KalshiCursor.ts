/**
 * Cursors as they are on the wire: unpadded base64url of a protobuf message that names the last row of a page, a time
 * and a ticker for lists, a trade id and a time for trades (Kalshi reference §2.5). Clients take them as opaque.
 */

/** The last row of a page. `id` is a ticker, or the UUID of a trade. */
export interface Cursor {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly id: string
}

const TIME_OF_LIST = 0x0a
const ID_OF_LIST = 0x12
const ID_OF_TRADE = 0x12
const TIME_OF_TRADE = 0x1a
const UUID = 0x0a
const SECONDS = 0x08
const NANOS = 0x10

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

const block = (key: number, bytes: ReadonlyArray<number>) => [key, bytes.length, ...bytes]

const timestamp = (time: number): ReadonlyArray<number> => {
  const nanos = (time % 1000) * 1_000_000
  return [SECONDS, ...varint(Math.floor(time / 1000)), ...(nanos === 0 ? [] : [NANOS, ...varint(nanos)])]
}

const base64 = (bytes: ReadonlyArray<number>) => Buffer.from(bytes).toString("base64url")

export const ofList = ({ id, time }: Cursor): string =>
  base64([...block(TIME_OF_LIST, timestamp(time)), ...block(ID_OF_LIST, [...Buffer.from(id)])])

export const ofTrades = ({ id, time }: Cursor): string => {
  const uuid = [...Buffer.from(id.replaceAll("-", ""), "hex")]
  return base64([...block(ID_OF_TRADE, block(UUID, uuid)), ...block(TIME_OF_TRADE, timestamp(time))])
}

/** Fields by key; a field is a number or the bytes of a block. `undefined` for what is no message. */
const fieldsOf = (bytes: Buffer): ReadonlyMap<number, number | Buffer> | undefined => {
  const fields = new Map<number, number | Buffer>()
  let at = 0
  const number = () => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const key = bytes[at++]!
    const value = number()
    if (Number.isNaN(value)) return undefined
    if (key % 8 === 0) fields.set(key, value)
    else if (key % 8 === 2 && at + value <= bytes.length) fields.set(key, bytes.subarray(at, (at += value)))
    else return undefined
  }
  return fields
}

const uuidOf = (bytes: Buffer): string =>
  bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")

/** Reads either kind; `undefined` for anything else, which the venue takes as no cursor at all. */
export const parse = (text: string): Cursor | undefined => {
  const fields = fieldsOf(Buffer.from(text, "base64url"))
  const name = fields?.get(ID_OF_LIST)
  const stamp = fields?.get(TIME_OF_LIST) ?? fields?.get(TIME_OF_TRADE)
  if (!Buffer.isBuffer(name) || !Buffer.isBuffer(stamp)) return undefined
  const time = fieldsOf(stamp)
  const seconds = time?.get(SECONDS)
  const nanos = time?.get(NANOS) ?? 0
  if (typeof seconds !== "number" || typeof nanos !== "number") return undefined
  const uuid = fields?.has(TIME_OF_TRADE) === true ? fieldsOf(name)?.get(UUID) : undefined
  const id = Buffer.isBuffer(uuid) ? uuidOf(uuid) : name.toString("utf8")
  return { time: seconds * 1000 + Math.round(nanos / 1_000_000), id }
}
