/** The error codes of the socket (Kalshi reference §7.4), and what follows from each. */
const TEXTS: ReadonlyMap<number, string> = new Map([
  [1, "Unable to process message"],
  [2, "Params required"],
  [3, "Channels required"],
  [4, "Subscription IDs required"],
  [5, "Unknown command"],
  [6, "Already subscribed"],
  [7, "Unknown subscription ID"],
  [8, "Unknown channel name"],
  [9, "Authentication required"],
  [10, "Channel error"],
  [11, "Invalid parameter"],
  [12, "Exactly one subscription ID is required"],
  [13, "Unsupported action"],
  [14, "Market Ticker required"],
  [15, "Action required"],
  [16, "Market not found"],
  [17, "Internal error"],
  [18, "Command timeout"],
  [19, "shard_factor must be > 0"],
  [20, "shard_factor is required when shard_key is set"],
  [21, "shard_key must be >= 0 and < shard_factor"],
  [22, "shard_factor must be <= 100"],
  [23, "Match IDs required"],
  [24, "Index IDs required"],
  [25, "Subscription buffer overflow"],
  [26, "Subscription market limit exceeded"],
  [27, "Too many requests"],
  [28, "Underlying tickers required"]
])

export type Consequence =
  /** The subscription is dead: it must be made again, and gets a new id. */
  | "terminal"
  /** The same command may succeed a little later. */
  | "retry"
  /** The connection is not allowed to see this. */
  | "unauthorized"
  /** The command is refused for good. */
  | "refused"

export const consequence = (code: number): Consequence => {
  switch (code) {
    case 10:
    case 25:
      return "terminal"
    case 17:
    case 18:
    case 27:
      return "retry"
    case 9:
      return "unauthorized"
    default:
      return "refused"
  }
}

/** The code with the venue's words, or those of the table when it says nothing. */
export const describe = (code: number, said: string | undefined): string =>
  `${code} ${said || (TEXTS.get(code) ?? "an error that the protocol does not name")}`
