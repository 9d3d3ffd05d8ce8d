/** One clock for all processes of a machine: Linux counts `hrtime` from the same start in each of them. */

const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds since the machine started, with microseconds behind the point. */
export const now = (): number => performance.now() + offset
