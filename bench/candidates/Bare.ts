/** The bare `ws` package: frames are received and looked at no further. What no reader can do without. */
import WebSocket from "ws"
import { subscriptions } from "./Subscribing.ts"
import { run } from "./Candidate.ts"
import { EPOCH } from "../workload/Traffic.ts"

/** Where `"timestamp":"` ends, from the end of a frame: its digits, and `", "event_type":"price_change"}`. */
const TIMESTAMP = 13
const TAIL = '", "event_type":"price_change"}'.length

await run(({ applied, options, tokens, url }) => {
  let frames = 0
  let isOpen = false
  const timed = options.timed > 0
  const socket = new WebSocket(url, { perMessageDeflate: false })
  socket.on("open", () => {
    for (const text of subscriptions(tokens)) socket.send(text)
  })
  socket.on("message", (data) => {
    const frame = data as Buffer
    // The dumps are arrays, the rest are objects.
    if (frame[0] !== 0x7b) {
      isOpen = true
      return
    }
    frames++
    if (timed) {
      const end = frame.length - TAIL
      const timestamp = Number(frame.toString("latin1", end - TIMESTAMP, end))
      if (timestamp > EPOCH) applied(timestamp)
    }
  })
  return { updates: () => frames, ready: () => (isOpen ? 1 : 0) }
}, false)
