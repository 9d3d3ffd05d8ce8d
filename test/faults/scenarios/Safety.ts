/** Faults at random, from a seed that is printed: what must always hold is checked all along; then all must be well. */
import type * as Prng from "../../../src/simulator/Prng.ts"
import type { Kit, Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { now, sleep } from "../Waiting.ts"
import type { World } from "../World.ts"

const BOTH = ["polymarket", "kalshi"] as const

/** Faults of the venue that end by themselves or at `heal`. */
const ofVenue = (prng: Prng.Prng): Record<string, unknown> =>
  prng.pick<Record<string, unknown>>([
    { fault: "drop" },
    { fault: "drop", sockets: 1 },
    { fault: "reset" },
    { fault: "close", code: 1012 },
    { fault: "close", code: 1013 },
    { fault: "truncated" },
    { fault: "duplicate", count: 5 },
    { fault: "reorder", count: 2 },
    { fault: "crossed", heals: true },
    { fault: "unknown_event" },
    { fault: "malformed", base64: "/v8=" },
    { fault: "slow", restMs: 800, socketMs: 300, durationMs: 1_500 },
    { fault: "unavailable", durationMs: 1_500 },
    { fault: "refuse", status: 503, durationMs: 1_500 },
    { fault: "rate_limited", on: "both", retryAfter: 1, durationMs: 1_000 },
    { fault: "stale", durationMs: 2_000 },
    { fault: "resolve" }
  ])

const strike = async (world: World, told: Map<string, number>) => {
  const { prng } = world
  const note = (name: string) => void told.set(name, (told.get(name) ?? 0) + 1)
  const venue = prng.pick(BOTH)
  const kind = prng.int(10)
  if (kind < 6) {
    const fault = ofVenue(prng)
    note(String(fault["fault"]))
    return world.simulators[venue].inject(fault)
  }
  const { weather } = kind === 9 ? world.databaseProxy : world.proxies[venue]
  const change = prng.pick<Partial<typeof weather>>([
    { latency: 40, jitter: 40 },
    { slice: 1 + prng.int(40) },
    { bandwidth: 400_000 },
    { refuse: true }
  ])
  note(`${kind === 9 ? "database" : "path"} ${Object.keys(change)[0]}`)
  Object.assign(weather, change)
  if (change.refuse === true && kind === 9) world.databaseProxy.reset()
  if (kind === 8) {
    note("path reset")
    world.proxies[venue].reset()
  }
}

/** Why what is not live is not. */
const stillNotLive = async ({ collector }: World): Promise<string> => {
  const books = (await collector.books()).filter(({ status }) => status !== "live")
  const connections = (await collector.connections()).filter(({ state }) => state !== "connected")
  return [
    ...books.slice(0, 3).map(({ instrumentId, status, statusReason }) => `${instrumentId}: ${status}, ${statusReason}`),
    ...connections.map(({ attempts, reason, slot, state }) => `${slot}: ${state} after ${attempts}, ${reason}`)
  ].join("; ")
}

const safety = async (world: World, kit: Kit, seconds: number) => {
  const told = new Map<string, number>()
  const end = now() + seconds * 1000
  while (now() < end) {
    await strike(world, told)
    await sleep(200 + world.prng.int(1_000))
    if (world.prng.chance(0.3))
      for (const proxy of [...Object.values(world.proxies), world.databaseProxy]) proxy.clear()
  }
  for (const proxy of [...Object.values(world.proxies), world.databaseProxy]) proxy.clear()
  for (const simulator of Object.values(world.simulators)) await simulator.inject({ fault: "heal" })
  kit.measures.recover = await world.allLive(60_000)
  const left = kit.measures.recover === undefined ? await stillNotLive(world) : ""
  kit.check("all live within 35 s of the end", (kit.measures.recover ?? 99_999) <= 35_000, left)
  kit.note([...told].map(([name, count]) => `${count} × ${name}`).join(", "))
  kit.note(`${world.invariants.confirmed()} looks at live books`)
  await verify(world, kit, { forged: true })
}

export const random: ReadonlyArray<Scenario> = [
  {
    row: "S",
    fault: "Faults at random",
    injection:
      "a seeded mixture of the faults above and of slow, sliced and refused paths, to venues and database at once",
    promise: "every invariant at every moment; all live within 35 s of the last fault",
    short: true,
    world: { venues: ["polymarket", "kalshi"], markets: 12, rate: 150 },
    run: (world, kit) => safety(world, kit, kit.short ? 10 : 60)
  }
]
