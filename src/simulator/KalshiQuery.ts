/** Query parameters as Kalshi checks them, and lists by the page (Kalshi reference §2.5, §3.4). */
import * as KalshiCursor from "./KalshiCursor.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import type { Catalogue, KalshiMarket } from "./KalshiMarket.ts"
import type { Reply } from "./Rest.ts"

const PAGE = 100

/** Reads the parameters of one request; the first that is wrong decides the refusal. */
export interface Query {
  /** A whole number; `undefined` when it is not given. `most` is the largest that is accepted. */
  readonly number: (name: string, most?: number) => number | undefined
  /** A comma-separated list; `undefined` when it is not given or empty. */
  readonly list: (name: string) => ReadonlySet<string> | undefined
  readonly text: (name: string) => string | undefined
  readonly word: <Word extends string>(name: string, words: ReadonlyArray<Word>) => Word | undefined
  readonly flag: (name: string) => boolean
  readonly required: (name: string) => void
  readonly refuse: (reply: Reply) => void
  readonly refusal: () => Reply | undefined
}

/** `min_close_ts` is `MinCloseTs` in the venue's messages. */
const fieldOf = (name: string): string => name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())

export const read = (operation: string, parameters: URLSearchParams): Query => {
  let refusal: Reply | undefined
  const refuse = (reply: Reply) => {
    refusal ??= reply
    return undefined
  }
  const text = (name: string) => parameters.get(name) || undefined
  return {
    text,
    refuse,
    refusal: () => refusal,
    number: (name, most = Number.MAX_SAFE_INTEGER) => {
      const given = text(name)
      if (given === undefined) return undefined
      const value = /^-?\d{1,15}$/.test(given) ? Number(given) : Number.NaN
      if (Number.isNaN(value)) {
        return refuse(KalshiErrors.flat(`strconv.ParseInt: parsing ${JSON.stringify(given)}: invalid syntax`))
      }
      if (value > most) return refuse(KalshiErrors.invalid(operation, fieldOf(name), "lte"))
      if (value < 0) return refuse(KalshiErrors.invalid(operation, fieldOf(name), "gte"))
      return value
    },
    list: (name) => {
      const given = text(name)
      return given === undefined ? undefined : new Set(given.split(",").map((part) => part.trim()))
    },
    word: (name, words) => {
      const given = text(name)
      const word = words.find((one) => one === given)
      return given === undefined || word !== undefined
        ? word
        : refuse(KalshiErrors.invalid(operation, fieldOf(name), "oneof"))
    },
    flag: (name) => text(name) === "true",
    required: (name) => {
      if (text(name) === undefined) refuse(KalshiErrors.invalid(operation, fieldOf(name), "required"))
    }
  }
}

/** Answers a GET; `ids` are those in its path. */
export type Endpoint = (catalogue: Catalogue, parameters: URLSearchParams, ids: ReadonlyArray<string>) => Reply

/** Answers, unless a parameter was wrong. */
export const unless = (query: Query, reply: () => Reply): Reply => query.refusal() ?? reply()

/** Whether a number is within bounds, where there are any. */
export const within = (value: number | undefined, least: number | undefined, most: number | undefined): boolean =>
  (least === undefined || (value !== undefined && value >= least)) &&
  (most === undefined || (value !== undefined && value <= most))

/** What a market's status reads as in a filter (Kalshi reference §3.4). */
export const filterWord = ({ status }: KalshiMarket): FilterWord => {
  switch (status) {
    case "active":
      return "open"
    case "inactive":
      return "paused"
    case "determined":
      return "closed"
    case "finalized":
      return "settled"
  }
}
export const filterWords = ["unopened", "open", "paused", "closed", "settled"] as const
export type FilterWord = (typeof filterWords)[number]

/** Newest first; of one time, by id backwards, as the venue lists its markets. */
export const newestFirst = (a: KalshiCursor.Cursor, b: KalshiCursor.Cursor): number =>
  b.time - a.time || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

/**
 * The rows after a cursor, and the cursor of the last of them, empty when no more follow. What cannot be read as a
 * cursor begins at the first page again.
 */
export const page = <Row>(
  rows: ReadonlyArray<Row>,
  keyOf: (row: Row) => KalshiCursor.Cursor,
  limit: number | undefined,
  cursor: string | undefined,
  print: (key: KalshiCursor.Cursor) => string = KalshiCursor.ofList
): { readonly cursor: string; readonly rows: ReadonlyArray<Row> } => {
  const sorted = rows.map((row) => ({ row, key: keyOf(row) })).sort((a, b) => newestFirst(a.key, b.key))
  const after = KalshiCursor.parse(cursor ?? "")
  const rest = after === undefined ? sorted : sorted.filter(({ key }) => newestFirst(after, key) < 0)
  const taken = rest.slice(0, limit === undefined || limit === 0 ? PAGE : limit)
  const last = taken[taken.length - 1]
  return {
    cursor: last === undefined || taken.length === rest.length ? "" : print(last.key),
    rows: taken.map(({ row }) => row)
  }
}
