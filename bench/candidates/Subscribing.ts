/** How a client without a library of its own subscribes (polymarket.md §5.1): the first frame names the channel. */

const IDS_PER_FRAME = 100

export const subscriptions = (tokens: ReadonlyArray<string>): ReadonlyArray<string> => {
  const frames: Array<string> = []
  for (let i = 0; i < tokens.length; i += IDS_PER_FRAME) {
    const ids = tokens.slice(i, i + IDS_PER_FRAME)
    frames.push(
      JSON.stringify(i === 0 ? { assets_ids: ids, type: "market" } : { assets_ids: ids, operation: "subscribe" })
    )
  }
  return frames
}
