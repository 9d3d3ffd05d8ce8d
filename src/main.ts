/** The only entry of the program. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Cli from "./cli/Cli.ts"
import { exitCode, watchSignals } from "./cli/Process.ts"

watchSignals(process)

NodeRuntime.runMain(Effect.provide(Cli.run(process.argv, process.env), NodeContext.layer), {
  // Failures are told by the command itself, in words for whoever runs it.
  disableErrorReporting: true,
  disablePrettyLogger: true,
  teardown: (exit) => process.exit(exitCode(exit))
})
