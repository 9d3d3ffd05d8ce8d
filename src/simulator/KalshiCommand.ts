/** What a client may say on Kalshi's socket, and the errors that it gets for saying it wrong (Kalshi reference §7.2, §7.4). */

/** Channels that carry data here. */
const lively = ["orderbook_delta", "ticker", "trade", "market_lifecycle_v2"] as const
/** Channels that can be subscribed and stay silent. */
const silent = [
  "fill",
  "market_positions",
  "user_orders",
  "multivariate_market_lifecycle",
  "communications",
  "order_group_updates",
  "cfbenchmarks_value",
  "cfbenchmarks_value_5hz",
  "pyth_value"
] as const
export type Channel = (typeof lively)[number] | (typeof silent)[number]
const channels: ReadonlySet<string> = new Set([...lively, ...silent])

/** Markets by ticker or by UUID. */
export interface Markets {
  readonly by: "ticker" | "id"
  readonly names: ReadonlyArray<string>
}

export type Action = "add_markets" | "delete_markets" | "get_snapshot"
const actions: ReadonlySet<string> = new Set(["add_markets", "delete_markets", "get_snapshot"])

interface Options {
  readonly markets: Markets | undefined
  readonly initialSnapshot: boolean
}

/** `id` is 0 when the client gave none. */
export type Command =
  | ({
      readonly cmd: "subscribe"
      readonly id: number
      readonly channels: ReadonlyArray<Channel>
      readonly yesPrice: boolean
      readonly skipAck: boolean
    } & Options)
  | { readonly cmd: "unsubscribe"; readonly id: number; readonly sids: ReadonlyArray<number> }
  | ({
      readonly cmd: "update_subscription"
      readonly id: number
      readonly sid: number
      readonly action: Action
    } & Options)
  | { readonly cmd: "list_subscriptions"; readonly id: number }

/** What the codes of error messages mean. */
export const errors = {
  1: "Unable to process message",
  2: "Params required",
  3: "Channels required",
  4: "Subscription IDs required",
  5: "Unknown command",
  7: "Unknown subscription ID",
  8: "Unknown channel name",
  10: "Channel error",
  11: "Invalid parameter",
  12: "Exactly one subscription ID is required",
  13: "Unsupported action",
  14: "Market Ticker required",
  15: "Action required",
  25: "Subscription buffer overflow",
  26: "Subscription market limit exceeded",
  27: "Too many requests"
} as const
export type ErrorCode = keyof typeof errors

export interface Refused {
  readonly refused: ErrorCode
  readonly id: number
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""
const isSid = (value: unknown): value is number => Number.isSafeInteger(value)

const listOf = <A>(value: unknown, is: (one: unknown) => one is A): ReadonlyArray<A> | undefined =>
  Array.isArray(value) && value.every(is) ? value : undefined

/** The markets that are named, if any; a number is the code of what is wrong with them. */
const marketsOf = (params: Fields): Markets | undefined | ErrorCode => {
  const given = ["market_ticker", "market_tickers", "market_id", "market_ids"].filter(
    (key) => params[key] !== undefined
  )
  const [key, ...others] = given
  if (key === undefined) return undefined
  const value = key.endsWith("s") ? params[key] : [params[key]]
  const found = listOf(value, isText)
  if (others.length > 0 || found === undefined) return 11
  return { by: key.startsWith("market_id") ? "id" : "ticker", names: [...new Set(found)] }
}

const subscribe = (id: number, params: Fields): Command | ErrorCode => {
  const wanted = listOf(params["channels"], isText) ?? []
  if (wanted.length === 0) return 3
  if (!wanted.every((channel) => channels.has(channel))) return 8
  const markets = marketsOf(params)
  if (typeof markets === "number") return markets
  const tickers = markets?.by === "ticker" && markets.names.length > 0
  if (wanted.includes("orderbook_delta") && !tickers) return 14
  if (markets?.by === "id" && wanted.some((channel) => channel !== "ticker")) return 14
  return {
    cmd: "subscribe",
    id,
    channels: [...new Set(wanted as ReadonlyArray<Channel>)],
    markets,
    initialSnapshot: params["send_initial_snapshot"] === true,
    yesPrice: params["use_yes_price"] === true,
    skipAck: params["skip_ticker_ack"] === true
  }
}

const update = (id: number, params: Fields): Command | ErrorCode => {
  const sids = params["sid"] === undefined ? listOf(params["sids"], isSid) : listOf([params["sid"]], isSid)
  const [sid, ...others] = sids ?? []
  if (sid === undefined || others.length > 0) return 12
  const { action } = params
  if (!isText(action)) return 15
  if (!actions.has(action)) return 13
  const markets = marketsOf(params)
  if (typeof markets === "number") return markets
  if (markets === undefined) return 14
  const initialSnapshot = params["send_initial_snapshot"] === true
  return { cmd: "update_subscription", id, sid, action: action as Action, markets, initialSnapshot }
}

const commandOf = (id: number, message: Fields): Command | ErrorCode => {
  const { cmd } = message
  if (cmd === "list_subscriptions") return { cmd, id }
  if (cmd !== "subscribe" && cmd !== "unsubscribe" && cmd !== "update_subscription") return 5
  const params = fieldsOf(message["params"])
  if (params === undefined) return 2
  if (cmd === "subscribe") return subscribe(id, params)
  if (cmd === "update_subscription") return update(id, params)
  const sids = listOf(params["sids"], isSid) ?? []
  return sids.length === 0 ? 4 : { cmd, id, sids }
}

/** Reads a client's text. */
export const parse = (text: string): Command | Refused => {
  let message: Fields | undefined
  try {
    message = fieldsOf(JSON.parse(text))
  } catch {
    message = undefined
  }
  if (message === undefined) return { refused: 1, id: 0 }
  const id = Number.isSafeInteger(message["id"]) ? (message["id"] as number) : 0
  const command = commandOf(id, message)
  return typeof command === "number" ? { refused: command, id } : command
}
