/** The floor: the bare `ws` package with `JSON.parse`, and nothing done with what it gives. */
import WebSocket from "ws"
import { run } from "./Candidate.ts"
import { subscriptions } from "./Subscribing.ts"

interface Message {
  readonly event_type: string
  readonly timestamp: string
  readonly price_changes: ReadonlyArray<unknown>
}

await run(({ applied, options, tokens, url }) => {
  let updates = 0
  let isOpen = false
  const timed = options.timed > 0
  const socket = new WebSocket(url, { perMessageDeflate: false })
  socket.on("open", () => {
    for (const text of subscriptions(tokens)) socket.send(text)
  })
  socket.on("message", (data) => {
    const message = JSON.parse((data as Buffer).toString("utf8")) as Message
    if (message.event_type !== "price_change") {
      isOpen = true
      return
    }
    updates += message.price_changes.length
    if (timed) applied(Number(message.timestamp))
  })
  return { updates: () => updates, ready: () => (isOpen ? 1 : 0) }
}, false)
