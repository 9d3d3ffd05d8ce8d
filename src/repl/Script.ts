/** Answers a prompt line by line where nobody sits at it: each line waits until the one before it is through. */
import { createInterface } from "node:readline"
import type { REPLServer } from "node:repl"
import { PassThrough } from "node:stream"

export interface Script {
  /** What the prompt reads instead of the source. */
  readonly input: NodeJS.ReadableStream
  /** Begins, with the prompt that reads {@link input}. */
  readonly begin: (server: REPLServer) => void
}

/** Lines of a source for a prompt that has no terminal, and so would not wait for an `await` by itself. */
export const make = (source: NodeJS.ReadableStream): Script => {
  const input = new PassThrough()
  const lines = createInterface({ input: source, terminal: false })
  const waiting: Array<string> = []
  let ended = false
  let ready = false

  const next = (): void => {
    if (!ready) return
    const line = waiting.shift()
    if (line !== undefined) {
      ready = false
      input.write(`${line}\n`)
    } else if (ended) input.end()
  }
  lines.on("line", (line) => {
    waiting.push(line)
    next()
  })
  lines.on("close", () => {
    ended = true
    next()
  })
  const proceed = (): void => {
    ready = true
    next()
  }
  return {
    input,
    begin: (server) => {
      // A prompt is shown when a line is through, whatever became of it; here the next line follows instead, once the
      // server is done with the last.
      Object.defineProperty(server, "displayPrompt", { value: () => setImmediate(proceed) })
      proceed()
    }
  }
}
