/** Questions and answers between the processes of a measurement, over Node's own channel. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

interface Question {
  readonly id: number
  readonly request: unknown
}
interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly fault?: string
}

/** In the child: says that it is ready, and answers until the parent is gone. */
export const answer = <Request>(ready: unknown, handle: (request: Request) => unknown): void => {
  const reply = (message: Reply) => void process.send?.(message)
  process.on("message", ({ id, request }: Question) => {
    Promise.resolve()
      .then(() => handle(request as Request))
      .then(
        (value) => reply({ id, value }),
        (fault: unknown) =>
          reply({ id, fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) })
      )
  })
  process.on("disconnect", () => process.exit(0))
  reply({ id: 0, value: ready })
}

export interface Child<Request, Ready> {
  readonly pid: number
  readonly ready: Ready
  readonly ask: <A>(request: Request) => Promise<A>
  /** Ends it. */
  readonly dispose: () => Promise<void>
}

export interface ChildOptions {
  readonly nodeOptions?: ReadonlyArray<string>
  /** Besides the few variables that each process has. */
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds that it may take to be ready. */
  readonly patience?: number
}

/** Milliseconds that a process may take to end. */
const PARTING = 10_000

/** Starts a module as a process of its own and waits until it is ready. */
export const start = async <Request, Ready>(
  module: string,
  argument: unknown,
  { env = {}, nodeOptions = [], patience = 120_000 }: ChildOptions = {}
): Promise<Child<Request, Ready>> => {
  const { PATH = "", HOME = "/", PG_BIN = "" } = process.env
  const child: ChildProcess = fork(module, [JSON.stringify(argument)], {
    execArgv: [...nodeOptions],
    env: { PATH, HOME, PG_BIN, NODE_ENV: "production", ...env },
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
  const said: Array<string> = []
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (bytes: Buffer) => {
      said.push(bytes.toString("utf8"))
      if (said.length > 100) said.shift()
    })
  }
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (fault: Error) => void }>()
  const expect = (id: number) =>
    new Promise<unknown>((resolve, reject) => {
      waiting.set(id, { resolve, reject })
    })
  let ended = false
  let lastId = 0
  const exit = once(child, "exit").then(([code, signal]) => {
    ended = true
    const fault = new Error(`${module} ended (${code ?? signal}): ${said.join("").slice(-2_000)}`)
    for (const { reject } of waiting.values()) reject(fault)
    waiting.clear()
  })
  child.on("message", ({ fault, id, value }: Reply) => {
    const one = waiting.get(id)
    waiting.delete(id)
    if (fault === undefined) one?.resolve(value)
    else one?.reject(new Error(fault))
  })
  const late = setTimeout(() => child.kill("SIGKILL"), patience)
  const ready = (await expect(0)) as Ready
  clearTimeout(late)
  return {
    pid: child.pid!,
    ready,
    ask: async <A>(request: Request) => {
      if (ended) throw new Error(`${module} has ended: ${said.join("").slice(-2_000)}`)
      const id = ++lastId
      const reply = expect(id)
      child.send({ id, request })
      return (await reply) as A
    },
    dispose: async () => {
      // Left alone, it ends by itself, and writes what a profiler of Node's own is to write.
      if (child.connected) child.disconnect()
      const late = setTimeout(() => child.kill("SIGKILL"), PARTING)
      await exit
      clearTimeout(late)
    }
  }
}
