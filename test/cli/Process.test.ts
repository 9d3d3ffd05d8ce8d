import { EventEmitter } from "node:events"
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Exit, FiberId } from "effect"
import { exitCode, ProcessExit, watchSignals } from "../../src/cli/Process.ts"

describe("the exit code", () => {
  it.each([
    ["0 after success", Exit.succeed("done"), 0],
    ["0 when stopped as asked", Exit.interrupt(FiberId.none), 0],
    ["what a command ends with", Exit.fail(new ProcessExit({ code: 2 })), 2],
    ["1 after any other failure", Exit.fail("no"), 1],
    ["1 after a defect", Exit.die("broken"), 1],
    [
      "1 when an interruption hides a failure",
      Exit.failCause(Cause.parallel(Cause.interrupt(FiberId.none), Cause.die("x"))),
      1
    ]
  ])("is %s", (_, exit, code) => {
    assert.strictEqual(exitCode(exit), code)
  })
})

/** As much of a process as signals need. */
const fakeProcess = () => {
  const process = new EventEmitter()
  const exits: Array<number> = []
  const said: Array<string> = []
  Object.assign(process, {
    exit: (code: number) => exits.push(code),
    stderr: { write: (text: string) => said.push(text) }
  })
  watchSignals(process as unknown as NodeJS.Process)
  return { process, exits, said }
}

describe("a signal", () => {
  it("leaves the program its thirty seconds, then says that it does not end and exits with 1", () => {
    vi.useFakeTimers()
    try {
      const { exits, process, said } = fakeProcess()
      process.emit("SIGTERM")
      vi.advanceTimersByTime(29_999)
      assert.deepStrictEqual(exits, [])
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual(exits, [1])
      assert.match(said.join(""), /^Not stopped after 30 s; /)
    } finally {
      vi.useRealTimers()
    }
  })

  it.each(["SIGINT", "SIGTERM"])("that comes a second time exits at once, %s", (signal) => {
    vi.useFakeTimers()
    try {
      const { exits, process } = fakeProcess()
      process.emit("SIGINT")
      assert.deepStrictEqual(exits, [])
      process.emit(signal)
      assert.deepStrictEqual(exits, [1])
    } finally {
      vi.useRealTimers()
    }
  })
})
