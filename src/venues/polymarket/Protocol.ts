/** How Polymarket's inputs are read: frames by a decoder for each connection, books of REST beside them. */
import { Either } from "effect"
import type { FeedEvent } from "../../domain/MarketEvent.ts"
import { unwatched, type Watch } from "../../resilience/DriftLog.ts"
import { count } from "../../resilience/Slot.ts"
import { type Connections, type Observer, type Observers, reading, unobserved } from "../Protocol.ts"
import type { Protocol } from "../Venue.ts"
import { BookScanner } from "./BookScanner.ts"
import { ChangeScanner } from "./ChangeScanner.ts"
import { makeDecoder, restSnapshot } from "./Normalize.ts"
import * as Verifier from "./Verifier.ts"
import type { RestBook } from "./Wire.ts"

interface State {
  readonly connections: Connections<null>
  readonly verifier: Verifier.Memory
}

const begin = (): State => ({ connections: new Map(), verifier: Verifier.memory() })

const PRICE_CHANGE = "price_change"
const BOOK = "book"

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
        const changes = new ChangeScanner(instruments)
        const books = new BookScanner(instruments)
        const decode = makeDecoder({
          connection: name,
          instrument: (assetId) => instruments.get(assetId),
          instruments: () => instruments.values(),
          ...observer,
          onMessage: watch.message
        })
        return ({ frames, receivedTime }, out: Array<FeedEvent>) => {
          const from = out.length
          let changed = 0
          let booked = 0
          for (const frame of frames) {
            // What is read by its bytes is of the known print, member by member: there is nothing to compare.
            if (changes.scan(frame)) {
              changes.push(receivedTime, out)
              changed++
              continue
            }
            const found = books.read(frame, receivedTime, out)
            if (found > 0) booked += found
            else decode(frame.toString("utf8"), receivedTime, out)
          }
          if (changed > 0) count(tally.messages, PRICE_CHANGE, changed)
          if (booked > 0) count(tally.messages, BOOK, booked)
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
