/** Whether records come in a burst, which needs the time that what can wait would take. */
import { type Clock, Effect } from "effect"

/** Bytes of records in a second that are a burst. */
const BURST_BYTES = 8_000_000

export interface Burst {
  /** Looks at how much has come since it last looked. */
  readonly look: () => void
  /** Waits until a second went by without a burst, for as long as it may; not at all if there was none at the last look. */
  readonly over: (mayWait: () => boolean) => Effect.Effect<void>
}

/** `appended` counts bytes. */
export const make = (appended: () => number, clock: Clock.Clock): Burst => {
  const now = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
  let before = { bytes: appended(), time: now() }
  let isOn = false
  const look = () => {
    const here = { bytes: appended(), time: now() }
    const seconds = Math.max(1, (here.time - before.time) / 1000)
    isOn = here.bytes - before.bytes > BURST_BYTES * seconds
    before = here
  }
  return {
    look,
    over: (mayWait) =>
      Effect.whileLoop({
        while: () => isOn && mayWait(),
        body: () => Effect.sleep("1 seconds"),
        step: look
      })
  }
}
