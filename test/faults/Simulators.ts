/** The simulated venues as processes of their own, commanded over `/_control`. */
import type { Fault } from "../../src/simulator/Faults.ts"
import type { Saying } from "../../src/simulator/Said.ts"
import type { Stats } from "../../src/simulator/VenueServer.ts"
import * as Program from "./Program.ts"
import { inRoot } from "./Root.ts"
import { mustHold } from "./Waiting.ts"

export type VenueName = "polymarket" | "kalshi"

export interface TrueBook {
  readonly timestamp: string
  /** Of the market, where the venue tells it here. */
  readonly status?: string
  readonly bids: ReadonlyArray<{ readonly price: string; readonly size: string }>
  readonly asks: ReadonlyArray<{ readonly price: string; readonly size: string }>
}

export interface Simulator {
  readonly venue: VenueName
  readonly port: number
  /** The keys of the configuration that lead to it, by their names. */
  readonly endpoints: Readonly<Record<string, string>>
  readonly inject: (...faults: ReadonlyArray<Fault | Record<string, unknown>>) => Promise<void>
  readonly trade: (on: boolean) => Promise<void>
  readonly stats: () => Promise<Stats>
  readonly book: (id: string) => Promise<TrueBook | undefined>
  readonly books: () => Promise<{ readonly position: number; readonly books: Readonly<Record<string, TrueBook>> }>
  readonly said: (from: number) => Promise<{ readonly next: number; readonly sayings: ReadonlyArray<Saying> }>
  readonly dispose: () => Promise<void>
}

export interface SimulatorOptions {
  readonly venue: VenueName
  readonly seed: number
  readonly markets: number
  /** Operations of the exchange a second. */
  readonly rate: number
}

export const start = async ({ markets, rate, seed, venue }: SimulatorOptions): Promise<Simulator> => {
  const flags = { venue, seed, markets, rate, port: 0 }
  const program = Program.start({
    args: [inRoot("dist/main.js"), "simulate", ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, String(v)])]
  })
  await mustHold("the simulator's URLs", () => program.lines.some((line) => line.startsWith('{"')), 15_000)
  const printed = program.lines.find((line) => line.startsWith('{"'))!
  const endpoints = (JSON.parse(printed) as Record<VenueName, Record<string, string>>)[venue]
  const port = Number(new URL(endpoints["ws_url"]!).port)
  const control = `http://127.0.0.1:${port}/_control`
  const get = async <A>(path: string): Promise<A> => {
    const response = await fetch(`${control}/${path}`)
    if (!response.ok) throw new Error(`the simulator's ${path}: ${response.status}`)
    return (await response.json()) as A
  }
  const post = async (path: string, body: unknown) => {
    const response = await fetch(`${control}/${path}`, { method: "POST", body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`the simulator's ${path}: ${await response.text()}`)
  }
  return {
    venue,
    port,
    endpoints,
    inject: (...faults) => post("faults", faults),
    trade: (on) => post("trading", on),
    stats: () => get("stats"),
    book: (id) => get<TrueBook>(`books/${id}`).catch(() => undefined),
    books: () => get("books"),
    said: (from) => get(`said?from=${from}`),
    dispose: program.dispose
  }
}
