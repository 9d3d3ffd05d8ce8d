/**
 * Lists by opaque cursors (Kalshi reference §2.5). The venue answers a broken cursor with page 1, so that a list whose
 * cursor comes twice would never end: it is refused, with the page.
 */
import { Effect, Option, Stream } from "effect"
import type { VenueError } from "../Venue.ts"
import { failed, type Query } from "./Client.ts"

/** A list of all open markets has a few hundred pages; one longer than this has no end. */
const MAX_PAGES = 2_000

interface Cursor {
  readonly cursor: string | undefined
  readonly page: number
}

/** Page by page, until `""`, `null` or nothing stands where the next cursor would. `name` is the list, for errors. */
export const pages = <A>(
  name: string,
  fetch: (cursor: Query) => Effect.Effect<A, VenueError>,
  cursorOf: (page: A) => string | undefined
): Stream.Stream<{ readonly page: string; readonly body: A }, VenueError> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    const first: Cursor = { cursor: undefined, page: 1 }
    return Stream.paginateEffect(first, (at) =>
      Effect.gen(function* () {
        const page = `${name}, page ${at.page}`
        const body = yield* fetch(at.cursor === undefined ? [] : [["cursor", at.cursor]])
        const next = cursorOf(body) ?? ""
        if (next === "") return [{ page, body }, Option.none<Cursor>()] as const
        if (seen.has(next))
          return yield* failed("cursor", page, `cursor ${JSON.stringify(next.slice(0, 80))} came before`)
        if (at.page >= MAX_PAGES) return yield* failed("cursor", page, `no end of the list after ${MAX_PAGES} pages`)
        seen.add(next)
        return [{ page, body }, Option.some({ cursor: next, page: at.page + 1 })] as const
      })
    )
  })
