/** A network namespace with a wire into ours, in which packets can be dropped without a word: as on a real path. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"

const run = promisify(execFile)

export interface Namespace {
  /** Our end of the wire and its. */
  readonly here: string
  readonly there: string
  /** Words before a command that is to run inside. */
  readonly prefix: ReadonlyArray<string>
  /** Drops everything to and from a port of ours, or lets it pass again. */
  readonly drop: (port: number, on: boolean) => Promise<void>
  readonly dispose: () => Promise<void>
}

/** `undefined` where the machine does not let us. */
export const make = async (): Promise<Namespace | undefined> => {
  const name = `faults${process.pid}`
  const [ours, theirs] = [`flt${process.pid % 10_000}a`, `flt${process.pid % 10_000}b`]
  const [here, there] = ["10.231.77.1", "10.231.77.2"]
  const inside = (...words: ReadonlyArray<string>) => run("ip", ["netns", "exec", name, ...words])
  const dispose = async () => {
    await run("ip", ["link", "del", ours]).catch(() => {})
    await run("ip", ["netns", "del", name]).catch(() => {})
  }
  try {
    await run("ip", ["netns", "add", name])
    await run("ip", ["link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name])
    await run("ip", ["addr", "add", `${here}/30`, "dev", ours])
    await run("ip", ["link", "set", ours, "up"])
    await inside("ip", "addr", "add", `${there}/30`, "dev", theirs)
    await inside("ip", "link", "set", theirs, "up")
    await inside("ip", "link", "set", "lo", "up")
    await inside("iptables", "-L")
  } catch {
    await dispose()
    return undefined
  }
  return {
    here,
    there,
    prefix: ["ip", "netns", "exec", name],
    drop: async (port, on) => {
      const flag = on ? "-A" : "-D"
      await inside("iptables", flag, "INPUT", "-p", "tcp", "--sport", String(port), "-j", "DROP")
      await inside("iptables", flag, "OUTPUT", "-p", "tcp", "--dport", String(port), "-j", "DROP")
    },
    dispose
  }
}
