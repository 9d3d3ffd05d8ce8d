/** How Polymarket's inputs are read: frames by a decoder for each connection, books of REST beside them. */
import { Either } from "effect"
import type { FeedEvent } from "../../domain/MarketEvent.ts"
import { unwatched, type Watch } from "../../resilience/DriftLog.ts"
import { count } from "../../resilience/Slot.ts"
import { type Connections, type Observer, type Observers, reading, unobserved } from "../Protocol.ts"
import type { Protocol } from "../Venue.ts"
import { makeDecoder, restSnapshot } from "./Normalize.ts"
import { Scanner } from "./Scanner.ts"
import * as Verifier from "./Verifier.ts"
import type { RestBook } from "./Wire.ts"

interface State {
  readonly connections: Connections<null>
  readonly verifier: Verifier.Memory
}

const begin = (): State => ({ connections: new Map(), verifier: Verifier.memory() })

const PRICE_CHANGE = "price_change"

/** `watch` follows the messages themselves, whoever runs their connection. */
export const make = (
  observers: Observers<Observer>,
  restored?: unknown,
  watch: Pick<Watch, "message"> = unwatched
): Protocol => {
  const state = (restored as State | undefined) ?? begin()
  return {
    state,
    verifier: Verifier.make(state.verifier),
    read: reading<null>({
      connections: state.connections,
      begin: () => null,
      reader: ({ instruments, name }) => {
        const observer = observers.get(name) ?? unobserved()
        const { tally } = observer
        const scanner = new Scanner(instruments)
        const decode = makeDecoder({
          connection: name,
          instrument: (assetId) => instruments.get(assetId),
          instruments: () => instruments.values(),
          ...observer,
          onMessage: watch.message
        })
        return ({ frames, receivedTime }, out: Array<FeedEvent>) => {
          const from = out.length
          let scanned = 0
          for (const frame of frames) {
            // What is read by its bytes is of the known print, member by member: there is nothing to compare.
            if (scanner.scan(frame)) {
              scanner.push(receivedTime, out)
              scanned++
            } else decode(frame.toString("utf8"), receivedTime, out)
          }
          if (scanned > 0) count(tally.messages, PRICE_CHANGE, scanned)
          observer.onEvents(out, from, receivedTime)
        }
      },
      answer: ({ body, receivedTime }, instrument, out) => {
        const book = restSnapshot(body as RestBook, instrument, receivedTime)
        if (Either.isRight(book)) out.push(book.right)
      }
    })
  }
}
