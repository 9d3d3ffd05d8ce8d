/** Waiting for what other processes bring about. */
import { setTimeout as sleep } from "node:timers/promises"

/** Milliseconds on a clock that nobody sets. */
export const now = (): number => performance.now()

/** Milliseconds until something holds, or `undefined` when it does not in time. */
export const until = async (
  holds: () => boolean | Promise<boolean>,
  within: number,
  every = 20
): Promise<number | undefined> => {
  const start = now()
  while (true) {
    if (await holds()) return Math.round(now() - start)
    if (now() - start > within) return undefined
    await sleep(every)
  }
}

/** As {@link until}, and fails when it does not come about. */
export const mustHold = async (
  what: string,
  holds: () => boolean | Promise<boolean>,
  within: number,
  every = 20
): Promise<number> => {
  const took = await until(holds, within, every)
  if (took === undefined) throw new Error(`waited ${within} ms in vain: ${what}`)
  return took
}

export { sleep }
