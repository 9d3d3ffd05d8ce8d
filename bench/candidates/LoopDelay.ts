/** How late the event loop of this process was. */
import { monitorEventLoopDelay } from "node:perf_hooks"

const RESOLUTION_MILLIS = 10

/** Watches from now on; gives what it saw so far, in milliseconds. */
export const watch = (): (() => { readonly loopP99: number; readonly loopMax: number }) => {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLIS })
  histogram.enable()
  // Each sample contains the timer's own period.
  const millis = (nanos: number) => Math.max(0, nanos / 1e6 - RESOLUTION_MILLIS)
  return () => ({ loopP99: millis(histogram.percentile(99)), loopMax: millis(histogram.max) })
}
