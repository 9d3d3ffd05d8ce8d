import { Data } from "effect"

/** Why a simulator did not start. */
export class SimulatorError extends Data.TaggedError("SimulatorError")<{
  readonly reason: "port-in-use" | "listen" | "faults" | "recording"
  /** The address or the file. */
  readonly where: string
  readonly detail: string
}> {
  override get message(): string {
    return `simulator: ${this.where}: ${this.detail}`
  }
}
