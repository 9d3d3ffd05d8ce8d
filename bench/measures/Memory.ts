/** What a book takes in memory. */
import type { HoardRequest } from "../candidates/Hoard.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { bundle } from "../Root.ts"
import { short } from "../Statistics.ts"
import * as Talk from "../Talk.ts"
import type { DumpRequest } from "../workload/Dumps.ts"
import type { Memory } from "../workload/Messages.ts"

const KILOBYTE = 1024
const MEGABYTE = 1024 * 1024
const PER_BOOK_BAR = 2.5
const ALL_BAR = 350
const DEPTHS = [40]
const PER_CONNECTION = 200

/** How the container image has the C library's allocator: what the garbage collector has freed goes back at once. */
const CONTAINER = { MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_TRIM_THRESHOLD_: "131072" } as const

interface Sample {
  readonly books: number
  readonly asContainer: boolean
  readonly depth: number
  readonly perBook: number
  readonly grown: number
  /** Megabytes of the heap that are in use, with the market list. */
  readonly used: number
  /** Megabytes that the process takes, with its code and without the market list; and with it. */
  readonly resident: number
  readonly whole: number
}

const sample = async (bench: Bench, books: number, depth: number, asContainer: boolean): Promise<Sample> => {
  const child = await Talk.start<HoardRequest, unknown>(bundle("Hoard"), {}, asContainer ? { env: CONTAINER } : {})
  const dumps = await Talk.start<DumpRequest, unknown>(bundle("Dumps"), {})
  const listings = Array.from(
    { length: books / PER_CONNECTION },
    (_, part) => ({ seed: bench.seed * 100_000 + part, tokens: PER_CONNECTION, entries: "both" }) as const
  )
  try {
    const bare = await child.ask<Memory>({ do: "memory" })
    for (const listing of listings) await child.ask({ do: "list", listing })
    const before = await child.ask<Memory>({ do: "memory" })
    for (const [part, listing] of listings.entries()) {
      await child.ask({ do: "fill", part, dump: await dumps.ask<string>({ listing, depth }) })
    }
    const live = await child.ask<number>({ do: "live" })
    if (live !== books) throw new Error(`${live} of ${books} books are live`)
    const after = await child.ask<Memory>({ do: "memory" })
    const grown = after.heap + after.external - before.heap - before.external
    const resident = (bare.resident + after.resident - before.resident) / MEGABYTE
    bench.say(
      `memory ${books} books of ${depth} levels a side${asContainer ? ", as in the container" : ""}: ${short(grown / books / KILOBYTE)} KB a book, ` +
        `${short(grown / MEGABYTE)} MB in all, ${short(resident)} MB resident`
    )
    return {
      books,
      asContainer,
      depth,
      perBook: grown / books / KILOBYTE,
      grown: grown / MEGABYTE,
      used: after.heap / MEGABYTE,
      resident,
      whole: after.resident / MEGABYTE
    }
  } finally {
    await child.dispose()
    await dumps.dispose()
  }
}

const run = async (bench: Bench): Promise<Finding> => {
  const most = bench.quick ? 20_000 : 100_000
  const counts = [0.02, 0.2, 1].map((share) => share * most)
  const samples: Array<Sample> = []
  for (const depth of DEPTHS) for (const books of counts) samples.push(await sample(bench, books, depth, false))
  const of = (depth: number) => samples.filter((one) => one.depth === depth)
  const deepest = of(DEPTHS.at(-1)!).at(-1)!
  const contained = await sample(bench, deepest.books, deepest.depth, true)
  return {
    rounds: 1,
    goals: [
      {
        goal: `memory of a book with ${deepest.depth} levels a side`,
        bar: `≤ ${PER_BOOK_BAR} KB`,
        measured: `${short(deepest.perBook)} KB`,
        holds: deepest.perBook <= PER_BOOK_BAR,
        obstacle:
          "80 levels take 960 bytes; the rest is what is known of a book besides: its state, its verifier's, ids and digests"
      },
      {
        goal: `memory of ${most.toLocaleString("en-US")} books`,
        bar: `≤ ${ALL_BAR} MB`,
        measured:
          `${short(deepest.resident)} MB resident, code and all; ${short(deepest.whole)} MB with the market list; ` +
          `in the container ${short(contained.resident)} and ${short(contained.whole)} MB`,
        holds: deepest.resident <= ALL_BAR && most >= 100_000,
        obstacle:
          `the books hold ${short(deepest.grown)} MB, and the process takes about 80 MB before the first of them; of V8's heap ${short(deepest.used)} MB are in use, ` +
          "the market list included. The rest is what reading the dumps has left behind: buffers that were freed and that the C library keeps, pages of the heap that are not " +
          "full, and the young generation, which does not shrink. The [heap profile](performance/memory.md) has it by kinds"
      }
    ],
    tables: [
      {
        title: "Memory when garbage has been collected",
        head: ["Books", "Levels a side", "KB a book", "MB for the books", "MB resident", "with the market list"],
        rows: [...samples, contained].map(({ asContainer, books, depth, grown, perBook, resident, whole }) => [
          `${books.toLocaleString("en-US")}${asContainer ? ", as in the container" : ""}`,
          String(depth),
          short(perBook),
          short(grown),
          short(resident),
          short(whole)
        ])
      }
    ],
    plots: [
      {
        kind: "lines",
        file: "memory",
        title: "Memory of the books",
        x: { name: "books" },
        y: { name: "MB" },
        series: DEPTHS.map((depth) => ({
          name: `${depth} levels a side`,
          points: of(depth).map(({ books, grown }) => [books, grown] as const)
        }))
      }
    ],
    remarks: [
      "The market list (names, ids and price grids of all markets) is in memory before and after, and is left out but where it is named. KB and MB are of 1,024 here."
    ],
    data: [...samples, contained]
  }
}

export const memory: Measure = {
  name: "memory",
  title: "Memory",
  how:
    "A process that holds the books as the collector does, verifier included, is given a dump of each, as of a socket; heap and " +
    "external memory are compared before and after, each time after a full garbage collection.",
  run
}
