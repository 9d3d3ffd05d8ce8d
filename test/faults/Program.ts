/** A Node program as a child process: what it prints line by line, how it ends, and what it costs. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

export interface ProgramOptions {
  /** Words before `node`, as a command that sets limits. */
  readonly prefix?: ReadonlyArray<string>
  readonly nodeOptions?: ReadonlyArray<string>
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Opens a channel for messages to what is loaded before the program. */
  readonly channel?: boolean
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  readonly pid: number
  /** Everything printed so far, line by line, standard output and error alike. */
  readonly lines: ReadonlyArray<string>
  /** How it ended, once it has. */
  readonly exit: () => Exit | undefined
  readonly ended: Promise<Exit>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly tell: (message: object) => void
  /** Bytes of memory in use; 0 once it has ended. */
  readonly memory: () => number
  /** The greatest memory that it ever used. */
  readonly memoryPeak: () => number
  /** Ends it, politely first. */
  readonly dispose: () => Promise<void>
}

const status = (pid: number, field: "VmRSS" | "VmHWM"): number => {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8")
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Lines of a program that talks without end are not kept for ever. */
const MOST_LINES = 200_000

export const start = (options: ProgramOptions): Program => {
  const { PATH = "", HOME = "/" } = process.env
  const words = [...(options.prefix ?? []), process.execPath, ...(options.nodeOptions ?? []), ...options.args]
  const child: ChildProcess = spawn(words[0]!, words.slice(1), {
    cwd: options.cwd,
    env: { PATH, HOME, ...options.env },
    stdio: options.channel === true ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"]
  })
  const lines: Array<string> = []
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (lines.length < MOST_LINES) lines.push(line)
    })
  }
  let exit: Exit | undefined
  child.on("error", (error) => lines.push(String(error)))
  const ended = once(child, "exit").then(([code, signal]) => {
    exit = { code: code as number | null, signal: signal as NodeJS.Signals | null }
    return exit
  })
  const pid = child.pid ?? -1
  let peak = 0
  return {
    pid,
    lines,
    exit: () => exit,
    ended,
    kill: (signal) => void child.kill(signal),
    tell: (message) => void child.send(message),
    memory: () => (exit === undefined ? status(pid, "VmRSS") : 0),
    memoryPeak: () => (peak = Math.max(peak, status(pid, "VmHWM"))),
    dispose: async () => {
      if (exit !== undefined) return
      child.kill("SIGTERM")
      const late = sleep(5000).then(() => child.kill("SIGKILL"))
      await Promise.race([ended, late])
      await ended
    }
  }
}
