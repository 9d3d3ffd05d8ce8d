/**
 * What the feeds of all venues have in common on sockets: as many connections as the instruments need, each a stream
 * that reconnects; one gate for their handshakes; and how their ends are told.
 */
import { Clock, Duration, Effect, Queue, Ref, type Scope } from "effect"
import { type FeedInput, type Frames, type Opened, told } from "../domain/Input.ts"
import type { Instrument, InstrumentId, VenueId } from "../domain/Market.ts"
import * as ConnectGate from "../resilience/ConnectGate.ts"
import { backoff, persistently } from "../resilience/Reconnect.ts"
import { type Shard, sharded } from "../resilience/Shards.ts"
import * as Slot from "../resilience/Slot.ts"
import { type FrameBatch, SocketError } from "../resilience/WebSocketFeed.ts"
import { type BreakerInfo, type ConnectionInfo, type Feed, VenueError } from "./Venue.ts"

/** The range of the official clients' own delays. */
const BACKOFF = { base: "250 millis", cap: "30 seconds", healthyAfter: "5 seconds" } as const
/** A refusal for good (401, 403) is asked again this seldom, so that it ends without a hand. */
const HALT = Duration.minutes(15)
/**
 * Inputs that may wait for the reader, over all sockets; what a socket brings meanwhile is one more. Each is what came in
 * one turn, which is up to a socket's high water.
 */
const BUFFER = 1
/** Kinds of faults that one connection puts into the log, each once. */
const MAX_FAULTS = 64

/** A subscription that has to be renewed twice within so many milliseconds is not what is wrong: the connection is. */
const RELAPSE_MILLIS = 60_000
/** A connection is replaced for the sake of single instruments no more often than this, in milliseconds. */
const REPLACED_AGAIN_MILLIS = 600_000

/** What can be done with a connection that is open. */
export interface Control {
  /** Ends the subscriptions of these instruments and begins them again. */
  readonly renew: (instruments: ReadonlyArray<Instrument>) => Effect.Effect<void, SocketError>
  /** Ends the connection, which makes room for another. */
  readonly abort: (detail: string) => Effect.Effect<void>
}

/** One slot with its share of the instruments, over all the connections that fill it. */
export interface Line {
  readonly slot: Slot.Slot
  readonly shard: Shard<Instrument>
  /** What its connections were said to feed, until it is said that they do not; over all of them. */
  readonly fed: Map<InstrumentId, Instrument>
  /** The session's, while it is open. */
  control: Control | undefined
}

/** Lets a line be controlled until the scope closes. */
export const controlled = (line: Line, control: Control): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void (line.control = control)),
    () => Effect.sync(() => (line.control = undefined))
  )

/** What a line says first of a connection that is open: it is to feed all that the shard holds by now. */
export const opening = (venue: VenueId, { shard, slot }: Line, terms: Opened["terms"]) =>
  Effect.gen(function* () {
    const receivedTime = yield* Clock.currentTimeMillis
    Slot.opened(slot, receivedTime)
    yield* Queue.takeAll(shard.changes)
    const wanted = [...shard.items.values()]
    const { connection } = slot
    const inputs: Array<FeedInput> = [
      { _tag: "Opened", venue, slot: slot.name, connection, terms, receivedTime },
      { _tag: "Wanted", venue, connection, instruments: wanted, receivedTime }
    ]
    return { inputs, receivedTime, wanted }
  })

/** What a turn of a connection brought, as inputs; `frames` even where there are none but time has passed. */
export const inputsOf = (
  about: Pick<Frames, "venue" | "connection">,
  { caughtUp, frames, receivedTime, stalled }: FrameBatch,
  evenEmpty: boolean
): ReadonlyArray<FeedInput> => {
  const inputs: Array<FeedInput> = []
  if (stalled !== undefined) inputs.push({ _tag: "Stalled", ...about, reason: stalled, receivedTime })
  if (evenEmpty || frames.length > 0) inputs.push({ _tag: "Frames", ...about, frames, receivedTime })
  if (caughtUp) inputs.push({ _tag: "CaughtUp", ...about, receivedTime })
  return inputs
}

export const ids = (instruments: Iterable<Instrument>): ReadonlyArray<InstrumentId> =>
  Array.from(instruments, ({ id }) => id)

/** Whether no retry can mend what ended a connection: who we are is refused, or what we did (close code 1008). */
export const isHalting = ({ code, reason }: SocketError): boolean =>
  reason === "refused" ? code === 401 || code === 403 : reason === "closed" && code === 1008

const atLeast = (error: SocketError) => (isHalting(error) ? HALT : error.retryAfter)

/** The gate that all handshakes with a venue pass, with at least `spacing` between two. */
export const gate = (
  venue: VenueId,
  spacing: Duration.DurationInput
): Effect.Effect<ConnectGate.ConnectGate<SocketError>> =>
  ConnectGate.make<SocketError>({
    ...BACKOFF,
    name: `${venue} feed`,
    spacing,
    atLeast,
    describe: ({ message }) => message
  })

/** Gives up what left the line's share without a word: no session was there to say it, or it ended before it could. */
const abandoned = (venue: VenueId, { fed, shard, slot }: Line, receivedTime: number): ReadonlyArray<FeedInput> => {
  const gone = ids(fed.values()).filter((id) => !shard.items.has(fed.get(id)!.venueInstrumentId))
  for (const id of gone) fed.delete(id)
  if (gone.length === 0) return []
  return [told({ _tag: "Unsubscribed", venue, connection: slot.feeding, instrumentIds: gone, receivedTime })]
}

/** What a session says, with what its line feeds noted, and what the sessions before it left unsaid. */
const followed = (line: Line, inputs: ReadonlyArray<FeedInput>): ReadonlyArray<FeedInput> => {
  let out = inputs
  for (const input of inputs) {
    if (input._tag === "Wanted") for (const one of input.instruments) line.fed.set(one.id, one)
    else if (input._tag === "Told" && input.event._tag === "Unsubscribed") {
      for (const id of input.event.instrumentIds) line.fed.delete(id)
    } else if (input._tag === "Opened") {
      const gone = abandoned(input.venue, line, input.receivedTime)
      if (gone.length > 0) out = out.flatMap((one) => (one === input ? [one, ...gone] : [one]))
    }
  }
  return out
}

/** Hands on what a turn brought; waits while the reader is behind. */
export type Emit = (inputs: ReadonlyArray<FeedInput>) => Effect.Effect<unknown>
export type Session<L extends Line> = (line: L, emit: Emit) => Effect.Effect<never, SocketError, Scope.Scope>

export interface SocketFeedOptions<L extends Line> {
  readonly venue: VenueId
  /** Instruments on one connection. */
  readonly perConnection: number
  /** What the venue keeps of a line besides. */
  readonly line: (line: Line) => L
  /** One connection's life: fails when it ends, whatever the reason. */
  readonly session: Session<L>
}

export interface SocketFeed<L extends Line> {
  readonly inputs: Feed["inputs"]
  readonly renew: NonNullable<Feed["renew"]>
  readonly lines: Effect.Effect<ReadonlyArray<L>>
}

/** A line as `/api/v1/feeds` shows it. */
export const info = (venue: VenueId, { shard, slot }: Line, breaker: BreakerInfo): ConnectionInfo => ({
  ...Slot.summary(slot, shard.items.size),
  venue,
  breaker
})

/** Puts the first fault of each kind into the log, from wherever no effect can be run. */
export const faultLog: Effect.Effect<(kind: string, detail: string, sample: string) => void, never, Scope.Scope> =
  Effect.gen(function* () {
    const faults = yield* Queue.dropping<{ readonly kind: string; readonly detail: string; readonly sample: string }>(
      MAX_FAULTS
    )
    yield* Queue.take(faults).pipe(
      Effect.flatMap((fault) => Effect.annotateLogs(Effect.logWarning("a message could not be used"), fault)),
      Effect.forever,
      Effect.forkScoped
    )
    const reported = new Set<string>()
    return (kind, detail, sample) => {
      if (reported.has(kind) || reported.size >= MAX_FAULTS) return
      reported.add(kind)
      faults.unsafeOffer({ kind, detail, sample })
    }
  })

const cleanEnd = () =>
  new SocketError({ reason: "closed", code: 1000, detail: "the stream ended", retryAfter: Duration.zero })

export const make = <L extends Line>(options: SocketFeedOptions<L>): Effect.Effect<SocketFeed<L>> =>
  Effect.gen(function* () {
    const { venue } = options
    const lines = yield* Ref.make<ReadonlyMap<number, L>>(new Map())
    const lineOf = new WeakMap<Shard<Instrument>, Line>()

    const onEnd = (line: L, error: SocketError, attempt: number) =>
      Effect.gen(function* () {
        const receivedTime = yield* Clock.currentTimeMillis
        const { slot } = line
        const wasConnected = slot.state === "connected"
        const { connection, name } = slot
        const reason = error.message
        const halted = isHalting(error)
        slot.attempts = attempt
        Slot.enter(slot, halted ? "halted" : "waiting", reason, receivedTime)
        yield* Slot.reportDown(
          slot,
          halted ? "the venue refuses the feed; next attempt in 15 minutes" : "feed is down; reconnecting",
          reason
        )
        const gone = abandoned(venue, line, receivedTime)
        return wasConnected
          ? [told({ _tag: "Disconnected", venue, slot: name, connection, reason, receivedTime }), ...gone]
          : gone
      }).pipe(Effect.annotateLogs({ venue, slot: line.slot.name, connection: line.slot.connection }))

    const connection = (line: L, emit: Emit): Effect.Effect<never> =>
      persistently(
        options.session(line, (inputs) => emit(followed(line, inputs))),
        cleanEnd,
        {
          schedule: backoff(BACKOFF),
          ended: (error) => Slot.sessionEnd(line.slot, atLeast(error)),
          onEnd: (error, attempt) => Effect.flatMap(onEnd(line, error, attempt), emit)
        }
      )

    const run = (shard: Shard<Instrument>, emit: Emit): Effect.Effect<never> =>
      Effect.gen(function* () {
        const slot = Slot.make(`${venue}-${shard.index}`, yield* Clock.currentTimeMillis)
        const line = options.line({ slot, shard, fed: new Map(), control: undefined })
        lineOf.set(shard, line)
        yield* Ref.update(lines, (all) => new Map(all).set(shard.index, line))
        return yield* connection(line, emit)
      }).pipe(Effect.ensuring(Ref.update(lines, (all) => new Map([...all].filter(([index]) => index !== shard.index)))))

    const renewed = new Map<InstrumentId, number>()
    const replaced = new WeakMap<Line, number>()
    const renewOn = (line: L, instruments: ReadonlyArray<Instrument>, now: number) => {
      const { control, slot } = line
      if (control === undefined) return Effect.void
      const again = instruments.find(({ id }) => now - (renewed.get(id) ?? -RELAPSE_MILLIS) < RELAPSE_MILLIS)
      for (const { id } of instruments) renewed.set(id, now)
      if (again !== undefined && now - (replaced.get(line) ?? -REPLACED_AGAIN_MILLIS) >= REPLACED_AGAIN_MILLIS) {
        replaced.set(line, now)
        return control.abort(`${again.id} is frozen although it was subscribed again`)
      }
      return Effect.mapError(
        control.renew(instruments),
        ({ message }) => new VenueError({ venue, reason: "closed", where: slot.connection, detail: message })
      )
    }
    const renew = (wanted: ReadonlyArray<InstrumentId>) =>
      Effect.gen(function* () {
        const now = Number((yield* Clock.currentTimeNanos) / 1_000_000n)
        for (const [id, time] of renewed) if (now - time >= RELAPSE_MILLIS) renewed.delete(id)
        for (const line of (yield* Ref.get(lines)).values()) {
          const here = wanted.flatMap((id) => line.shard.items.get(id.slice(venue.length + 1)) ?? [])
          if (here.length > 0) yield* renewOn(line, here, now)
        }
      })

    return {
      renew,
      inputs: (desired) =>
        sharded({
          desired,
          id: (instrument) => instrument.venueInstrumentId,
          perShard: options.perConnection,
          bufferSize: BUFFER,
          run,
          // A session that is open says it itself, in order with its frames.
          onRemoved: (shard) => {
            const line = lineOf.get(shard)
            if (line === undefined || (line.slot.state === "connected" && shard.items.size > 0))
              return Effect.succeed([])
            return Effect.map(Clock.currentTimeMillis, (now) => abandoned(venue, line, now))
          }
        }),
      lines: Effect.map(Ref.get(lines), (all) => [...all.values()])
    }
  })
