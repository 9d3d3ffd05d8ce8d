/** What the processes that receive have in common: they connect, count, and tell what it cost them. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { now } from "../Clock.ts"
import { answer } from "../Talk.ts"
import { tokensOf } from "../workload/Listing.ts"
import type { Memory, ReceiverOptions, ReceiverRequest, Taken } from "../workload/Messages.ts"
import { EPOCH } from "../workload/Traffic.ts"

/** What a candidate is told. */
export interface Setting {
  readonly url: string
  readonly options: ReceiverOptions
  readonly tokens: ReadonlyArray<string>
  /** Notes that the frame with this `timestamp` has had its effect; does nothing where times are not kept. */
  readonly applied: (timestamp: number) => void
}

export interface Session {
  /** Changes of books that the user of the candidate was told of. */
  readonly updates: () => number
  /** Books that are there. */
  readonly ready: () => number
  /** Told when it has all books, before it is fed. */
  readonly onReady?: () => void
  /** `digestOf` of each book, by token id; of those that keep books. */
  readonly books?: () => Map<string, string>
  /** Waits until what the updates set off is done; its cost counts. */
  readonly settle?: () => Promise<void>
  /** What else is to be told at the end. */
  readonly facts?: () => Promise<Record<string, number | string>> | Record<string, number | string>
  readonly close?: () => Promise<void>
}

/** Collections of garbage before memory is measured. */
const COLLECTIONS = 12
/** How often it is looked whether updates still come, in milliseconds. */
const LOOK = 10

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** What this process holds, after its garbage was collected or as it is. */
export const memoryUsage = (collect: boolean): Memory => {
  if (collect) {
    setFlagsFromString("--expose-gc")
    const gc = runInNewContext("gc") as () => void
    // Each collection moves only some of what lies scattered, so that it takes several until pages are given back.
    for (let i = 0; i < COLLECTIONS; i++) gc()
  }
  const { external, heapUsed, rss } = process.memoryUsage()
  return { resident: rss, heap: heapUsed, external }
}

/** Runs a candidate as the process that it is. `expectsBooks`: it is ready when it has a book of each token. */
export const run = async (
  connect: (setting: Setting) => Promise<Session> | Session,
  expectsBooks = true
): Promise<void> => {
  const options = JSON.parse(process.argv[2]!) as ReceiverOptions
  const times = new Float64Array(options.timed)
  const tokens = tokensOf(options.listing)
  const session = await connect({
    url: `ws://127.0.0.1:${options.port}/ws/market`,
    options,
    tokens,
    applied:
      options.timed === 0
        ? () => {}
        : (timestamp) => {
            times[timestamp - EPOCH - 1] = now()
          }
  })
  // Looking at many books is work, too.
  const pause = Math.max(LOOK, tokens.length / 200)
  while (session.ready() < (expectsBooks ? tokens.length : 1)) await sleep(pause)
  session.onReady?.()

  let cpu = process.cpuUsage()
  let start = now()
  const spent = () => {
    const { system, user } = process.cpuUsage(cpu)
    return (user + system) / 1e6
  }
  const taken = async (updates: number, patience: number): Promise<Taken> => {
    let last = { updates: -1, cpu: 0, at: start }
    let third = { updates: 0, cpu: 0 }
    while (true) {
      const seen = session.updates()
      if (seen !== last.updates) last = { updates: seen, cpu: spent(), at: now() }
      if (third.updates === 0 && seen >= updates / 3) third = last
      if (seen >= updates || now() - last.at > patience) break
      await sleep(LOOK)
    }
    if (session.settle !== undefined) {
      const before = spent()
      await session.settle()
      last = { updates: session.updates(), cpu: last.cpu + (spent() - before), at: now() }
    }
    const warm = { updates: last.updates - third.updates, cpu: last.cpu - third.cpu }
    return { updates: last.updates, cpu: last.cpu, millis: last.at - start, warm }
  }
  const requests = {
    begin: () => {
      cpu = process.cpuUsage()
      start = now()
      return {}
    },
    await: ({ patience, updates }: Extract<ReceiverRequest, { do: "await" }>) => taken(updates, patience),
    books: () => session.books?.() ?? new Map(),
    memory: ({ collect }: Extract<ReceiverRequest, { do: "memory" }>) => memoryUsage(collect),
    times: () => times,
    facts: () => session.facts?.() ?? {},
    stop: async () => {
      await session.close?.()
      return {}
    }
  }
  answer<ReceiverRequest>({}, (request) => (requests[request.do] as (request: ReceiverRequest) => unknown)(request))
}
