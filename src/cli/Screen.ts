/** The terminal: what it is, and the whole of it as a picture of lines. */
import { Config, Effect, Option, type Scope } from "effect"
import type { Output } from "./Logging.ts"

const variable = (name: string): Effect.Effect<string> =>
  Config.string(name).pipe(Config.option, Effect.map(Option.getOrElse(() => "")), Effect.orDie)

/** What stdout is: a terminal that can be drawn on or not, and whether colours are welcome there (`NO_COLOR`). */
export const output: Effect.Effect<Output> = Effect.gen(function* () {
  // Undefined where it is none, whatever its type says.
  const isTerminal = Boolean(process.stdout.isTTY) && (yield* variable("TERM")) !== "dumb"
  return { isTerminal, colors: isTerminal && (yield* variable("NO_COLOR")) === "" }
})

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface Screen {
  readonly size: () => Size
  /** Shows these lines; only those that changed are written. Each fits the width and sets no more than colours. */
  readonly draw: (lines: ReadonlyArray<string>) => void
}

/** The alternate screen, no cursor, no wrapping; and back. */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J"
const LEAVE = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l"
/** Around a frame, for terminals that know to show it in one go. */
const BEGIN = "\u001b[?2026h"
const END = "\u001b[?2026l"

const at = (row: number): string => `\u001b[${row + 1};1H`
const CLEAR_LINE = "\u001b[0m\u001b[K"

/** What turns one picture into another on a screen of so many rows. */
export const difference = (before: ReadonlyArray<string>, after: ReadonlyArray<string>, rows: number): string => {
  let out = ""
  for (let row = 0; row < rows; row++) {
    const line = after[row] ?? ""
    // Cleared first, since clearing after a full line would take its last sign.
    if (line !== (before[row] ?? "")) out += `${at(row)}${CLEAR_LINE}${line}`
  }
  return out
}

const sizeOf = ({ columns, rows }: NodeJS.WriteStream): Size => ({ columns: columns || 80, rows: rows || 24 })

/**
 * Takes the screen until the scope closes, and gives it back as it was, also when the process exits without closing
 * scopes, or is suspended.
 */
export const open: Effect.Effect<Screen, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const { stdout } = process
      const state = { active: false, shown: [] as ReadonlyArray<string>, size: sizeOf(stdout) }
      const enter = (): void => {
        if (state.active) return
        state.active = true
        state.shown = []
        stdout.write(ENTER)
      }
      const leave = (): void => {
        if (!state.active) return
        state.active = false
        stdout.write(LEAVE)
      }
      const suspend = (): void => {
        leave()
        process.kill(process.pid, "SIGSTOP")
      }
      // A terminal that went away is no reason to fail: whoever closed it is asked by a signal what comes next.
      const onError = (): void => {}
      stdout.on("error", onError)
      process.on("exit", leave)
      process.on("SIGTSTP", suspend)
      process.on("SIGCONT", enter)
      enter()
      const close = (): void => {
        process.off("exit", leave)
        process.off("SIGTSTP", suspend)
        process.off("SIGCONT", enter)
        leave()
        stdout.off("error", onError)
      }
      return { stdout, state, close }
    }),
    ({ close }) => Effect.sync(close)
  ),
  ({ state, stdout }) => ({
    size: () => sizeOf(stdout),
    draw: (lines) => {
      // A terminal that is slow to read gets fewer frames, not a queue of them.
      if (!state.active || stdout.writableNeedDrain) return
      const size = sizeOf(stdout)
      const resized = size.columns !== state.size.columns || size.rows !== state.size.rows
      const before = resized ? [] : state.shown
      const changes = difference(before, lines, size.rows)
      state.shown = lines
      state.size = size
      if (resized || changes !== "") stdout.write(`${BEGIN}${resized ? "\u001b[2J" : ""}${changes}${END}`)
    }
  })
)
