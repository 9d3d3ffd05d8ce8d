/** A text on its way to subscribers, with what decides who gets it. */
export interface Frame {
  /** The venue's word for it: `book`, `price_change`, … */
  readonly type: string
  readonly market: string
  /** Whoever subscribed one of these gets it, once; empty: everybody. */
  readonly assets: ReadonlyArray<string>
  readonly text: string
  /** Milliseconds to hold it back. */
  readonly delay: number
}
