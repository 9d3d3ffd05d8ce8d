/** The collector on a terminal, a few times a second. */
import { Effect, Schedule } from "effect"
import { Books, Catalog } from "../Parallax.ts"
import * as Dashboard from "./Dashboard.ts"
import * as LiveState from "./LiveState.ts"
import type { LogPane } from "./LogPane.ts"
import type { Observer } from "./Observer.ts"
import * as Screen from "./Screen.ts"

export interface LiveViewOptions {
  /** What runs, for the heading. */
  readonly name: string
  /** Where the API is served, if that is known. */
  readonly url: string | undefined
  readonly colors: boolean
  readonly observer: Observer
  readonly log: LogPane
}

const FRAME = "300 millis"

/** Has the screen and the log until it is interrupted. */
export const run = ({
  colors,
  log,
  name,
  observer,
  url
}: LiveViewOptions): Effect.Effect<never, never, Books | Catalog> =>
  Effect.gen(function* () {
    const books = yield* Books
    const catalog = yield* Catalog
    // Released after the screen, so that what was held back is seen.
    yield* log.hold
    const screen = yield* Screen.open
    const next = LiveState.make({
      markets: catalog.markets,
      view: books.view,
      activity: observer.activity,
      log: log.entries
    })
    const frame = Effect.map(observer.observe, (observation) => {
      screen.draw(Dashboard.render({ ...next(observation), name, url }, { ...screen.size(), colors }))
    })
    return yield* Effect.zipRight(Effect.repeat(frame, Schedule.fixed(FRAME)), Effect.never)
  }).pipe(Effect.scoped)
