/** What is listed for trading: questions that look like the real ones, alone or in groups. */
import * as Prng from "./Prng.ts"
import { type Draft, slugOf, templates } from "./Questions.ts"

/** Several listings of which exactly one comes true, such as the candidates of one election. */
export interface ListingGroup {
  readonly serial: number
  readonly title: string
  readonly slug: string
}

/** One binary question. Times are milliseconds since the epoch. */
export interface Listing {
  /** Unique within one exchange, counting up. */
  readonly serial: number
  readonly question: string
  readonly slug: string
  readonly description: string
  readonly category: string
  readonly tags: ReadonlyArray<string>
  readonly outcomes: readonly [string, string]
  readonly group: ListingGroup | null
  /** What distinguishes the listing within its group or event; empty when it stands alone. */
  readonly item: string
  readonly listedAt: number
  readonly endsAt: number
  /** The probability of the first outcome at which trading opens. */
  readonly opening: number
}

/** An endless supply of distinct listings, one standalone question or one whole group at a call. */
export interface ListingSource {
  readonly next: (now: number) => ReadonlyArray<Listing>
}

export const make = (seed: number): ListingSource => {
  const prng = Prng.make(seed, "listings")
  const drawers = templates(prng)
  const slugs = new Set<string>()
  let serial = 0
  let groupSerial = 0

  const complete = (drafts: ReadonlyArray<Draft>, now: number): ReadonlyArray<Listing> => {
    const title = drafts[0]?.group?.title
    const group = title === undefined ? null : { serial: ++groupSerial, title, slug: slugOf(title) }
    return drafts.map((draft) => {
      const slug = draft.slug ?? slugOf(draft.question)
      slugs.add(slug)
      return {
        serial: ++serial,
        question: draft.question,
        slug,
        description:
          `This market will resolve to "${draft.outcomes?.[0] ?? "Yes"}" if the event named in the title takes place ` +
          `as described. Otherwise, this market will resolve to "${draft.outcomes?.[1] ?? "No"}".`,
        category: draft.category,
        tags: draft.tags,
        outcomes: draft.outcomes ?? ["Yes", "No"],
        group,
        item: draft.item ?? "",
        listedAt: now,
        endsAt: draft.endsAt,
        opening: Math.min(0.985, Math.max(0.015, draft.opening ?? 0.08 + 0.84 * prng.next()))
      }
    })
  }

  const next = (now: number): ReadonlyArray<Listing> => {
    for (;;) {
      const drafts = drawers[prng.int(drawers.length)]!(now)
      const fresh = drafts.every((draft) => !slugs.has(draft.slug ?? slugOf(draft.question)))
      if (drafts.length > 0 && fresh) return complete(drafts, now)
    }
  }
  return { next }
}
