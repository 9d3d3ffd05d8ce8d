/**
 * Loaded into the collector before its own code, by `--import`: what a test does to a process from inside because no
 * tool here can do it from outside. Told over the process channel: `clock` shifts the wall clock by milliseconds (the
 * monotonic one goes on), `dns` breaks the lookup of names, `block` holds the event loop for milliseconds, `slow` holds
 * it for that part of all time, `prototype` asks whether the object prototype has grown.
 */
import dns from "node:dns"

const RealDate = Date
let shift = 0
let broken = false
let slowness = 0

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    args.length === 0
      ? Reflect.construct(target, [RealDate.now() + shift], newTarget)
      : Reflect.construct(target, args, newTarget),
  apply: () => new Date().toString(),
  get: (target, key) => (key === "now" ? () => RealDate.now() + shift : Reflect.get(target, key))
})

/** Names that end so are this machine. */
const OURS = ".test"

const lookup = dns.lookup
dns.lookup = (name, options, callback) => {
  const [settings, done] = typeof options === "function" ? [{}, options] : [options, callback]
  if (!name.endsWith(OURS)) return lookup(name, settings, done)
  if (broken) {
    const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
      code: "ENOTFOUND",
      syscall: "getaddrinfo"
    })
    return process.nextTick(done, error)
  }
  return lookup("127.0.0.1", settings, done)
}

const hold = (milliseconds) => {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

const PERIOD = 100
setInterval(() => {
  if (slowness > 0) hold(PERIOD * slowness)
}, PERIOD).unref()

const properties = Reflect.ownKeys(Object.prototype).length

process.on("message", (message) => {
  if ("clock" in message) shift = message.clock
  if ("dns" in message) broken = message.dns === "broken"
  if ("slow" in message) slowness = message.slow
  if ("block" in message) hold(message.block)
  if ("prototype" in message) {
    process.stderr.write(
      `${JSON.stringify({ prototype: Reflect.ownKeys(Object.prototype).length === properties ? "clean" : "grown" })}\n`
    )
  }
})
process.channel?.unref()
