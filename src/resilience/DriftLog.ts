/**
 * What was seen to deviate from the Schemas: counted by venue, channel, path and kind, with a sample of each, and told once
 * in the log. Messages are used or not whatever stands here.
 */
import { Context, Effect, Layer, Queue, type Schema } from "effect"
import { type DeviationKind, type Shape, shapeOf } from "./Drift.ts"
import { excerpt } from "./Excerpt.ts"

/** One kind of deviation; times in milliseconds. */
export interface Drift {
  readonly venue: string
  /** The type of the message, or the answer that it was. */
  readonly channel: string
  /** With `[]` for any element; empty for the message as such. */
  readonly path: string
  /** `other`: all that came after the venue's list was full. */
  readonly kind: DeviationKind | "other"
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** The value, or what lacks it, as it was the first time: JSON, cut, nothing secret. */
  readonly sample: string
}

/** Names come from outside: kinds that are kept apart for each venue, and how long a name may be. */
const MAX_KINDS = 256
const MAX_CHANNEL = 60
const MAX_PATH = 120

export interface Registry {
  readonly note: (
    venue: string,
    channel: string,
    path: string,
    kind: DeviationKind,
    value: unknown,
    now: number
  ) => void
  /** All that was seen, by venue, in the order in which it was seen first. */
  readonly list: () => ReadonlyArray<Drift>
}

/** `onFirst` is told of each kind when it is seen for the first time. */
export const make = (onFirst: (drift: Drift) => void): Registry => {
  type Counted = { -readonly [K in keyof Drift]: Drift[K] }
  const venues = new Map<string, Map<string, Counted>>()

  const kindsOf = (venue: string): Map<string, Counted> => {
    let kinds = venues.get(venue)
    if (kinds === undefined) venues.set(venue, (kinds = new Map()))
    return kinds
  }
  return {
    note: (venue, longChannel, longPath, kind, value, now) => {
      const kinds = kindsOf(venue)
      const channel = longChannel.slice(0, MAX_CHANNEL)
      const path = longPath.slice(0, MAX_PATH)
      const key = JSON.stringify([channel, path, kind])
      const full = kinds.size >= MAX_KINDS && !kinds.has(key)
      const known = kinds.get(full ? "" : key)
      if (known !== undefined) {
        known.count++
        known.firstSeen = Math.min(known.firstSeen, now)
        known.lastSeen = Math.max(known.lastSeen, now)
        return
      }
      const named = full ? ({ channel: "other", path: "", kind: "other" } as const) : { channel, path, kind }
      const sample = excerpt(value, longPath)
      const drift: Counted = { venue, ...named, count: 1, firstSeen: now, lastSeen: now, sample }
      kinds.set(full ? "" : key, drift)
      onFirst({ ...drift })
    },
    list: () => [...venues.values()].flatMap((kinds) => Array.from(kinds.values(), (drift) => ({ ...drift })))
  }
}

/** The registry of this process; unless one is given, nothing is kept. */
export class DriftLog extends Context.Reference<DriftLog>()("parallax/resilience/DriftLog", {
  defaultValue: (): Registry => ({ note: () => {}, list: () => [] })
}) {
  static readonly layer: Layer.Layer<DriftLog> = Layer.scoped(
    DriftLog,
    Effect.gen(function* () {
      const firsts = yield* Queue.dropping<Drift>(4 * MAX_KINDS)
      yield* Queue.take(firsts).pipe(
        Effect.flatMap(({ channel, kind, path, sample, venue }) =>
          Effect.annotateLogs(Effect.logWarning("a message is not what the protocol says"), {
            venue,
            channel,
            path,
            kind,
            sample
          })
        ),
        Effect.forever,
        Effect.forkScoped
      )
      return make((drift) => firsts.unsafeOffer(drift))
    })
  )
}

/** How messages of one type are watched. */
export interface Channel {
  readonly shape: Shape
  /** Comes by the thousand, so that a part of it is enough. */
  readonly isFrequent: boolean
}

export const rare = <A, I>(schema: Schema.Schema<A, I>): Channel => ({ shape: shapeOf(schema), isFrequent: false })
export const frequent = <A, I>(schema: Schema.Schema<A, I>): Channel => ({ shape: shapeOf(schema), isFrequent: true })

export interface Channels {
  /** By the type that a message bears. */
  readonly messages: Iterable<readonly [type: string, Channel]>
  /** By the Schema that decodes an answer: what it is called, and its channel. */
  readonly answers: ReadonlyMap<unknown, readonly [name: string, Channel]>
}

export interface Watch {
  /**
   * Compares a message. `isUnusable` when its reader could do nothing with it, which is worth a look whatever the count. A
   * type without a channel is itself a deviation.
   */
  readonly message: (type: string, message: unknown, now: number, isUnusable?: boolean) => void
  /** Compares an answer that is about to be decoded with this Schema, if it is one of those that are watched. */
  readonly answer: (schema: unknown, body: unknown, now: number) => void
}

/** Of messages: watches nothing. */
export const unwatched: Pick<Watch, "message"> = { message: () => {} }

/** Of a frequent type, so many are compared from the start of the process, and then every n-th. */
const ALL_OF_FIRST = 1_000
const EVERY = 64

/**
 * Watches what a venue says. What is rare is compared every time; of each frequent type the first 1,000 and from then on
 * every 64th, by count, so that the same messages give the same list.
 */
export const watch = (registry: Registry, venue: string, { answers, messages }: Channels): Watch => {
  const counted = (channel: Channel) => ({ ...channel, count: 0 })
  const byType = new Map(Array.from(messages, ([type, channel]) => [type, counted(channel)]))
  const bySchema = new Map(
    Array.from(answers, ([schema, [name, channel]]) => [schema, [name, counted(channel)] as const])
  )

  const isDue = ({ count, isFrequent }: ReturnType<typeof counted>): boolean =>
    !isFrequent || count < ALL_OF_FIRST || count % EVERY === 0

  const look = (
    name: string,
    channel: ReturnType<typeof counted>,
    value: unknown,
    now: number,
    isUnusable: boolean
  ): void => {
    const isCompared = isUnusable || isDue(channel)
    channel.count++
    if (!isCompared) return
    const { shape } = channel
    if (!shape.fits(value)) {
      shape.explain(value, "", (path, kind, found) => registry.note(venue, name, path, kind, found, now))
    }
  }
  return {
    message: (type, message, now, isUnusable = false) => {
      const channel = byType.get(type)
      if (channel === undefined) registry.note(venue, type, "", "unknown", message, now)
      else look(type, channel, message, now, isUnusable)
    },
    answer: (schema, body, now) => {
      const found = bySchema.get(schema)
      if (found !== undefined) look(found[0], found[1], body, now, false)
    }
  }
}
