/** The process around the program: exit codes and signals. */
import { Cause, Data, Exit, Option } from "effect"
import { DEADLINE_MILLIS, hanging } from "./Shutdown.ts"

/** Ends the program with this exit code; what there is to say has been said. 1: failed. 2: configuration refused. */
export class ProcessExit extends Data.TaggedError("ProcessExit")<{ readonly code: 1 | 2 }> {}

/** 0 when the program ended, or was asked to end; otherwise what it failed with. */
export const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return 0
  const failure = Cause.failureOption(exit.cause)
  return Option.isSome(failure) && failure.value instanceof ProcessExit ? failure.value.code : 1
}

/**
 * The first signal begins an orderly shutdown (the runtime interrupts the main fiber) that may take thirty seconds; if
 * it takes longer the process says what hangs and exits with 1. A second signal exits at once.
 */
export const watchSignals = (process: NodeJS.Process): void => {
  let asked = false
  const giveUp = () => {
    const stages = hanging()
    const what = stages.length === 0 ? "the program does not end" : `still closing: ${stages.join(", ")}`
    process.stderr.write(`Not stopped after ${DEADLINE_MILLIS / 1000} s; ${what}.\n`)
    process.exit(1)
  }
  const onSignal = () => {
    if (asked) process.exit(1)
    asked = true
    setTimeout(giveUp, DEADLINE_MILLIS).unref()
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
}
