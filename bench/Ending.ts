/** What must not outlive the measurements, however they end. */

const open = new Set<() => Promise<void>>()

/** Also calls this when the program is asked to stop; gives what is to be called otherwise. */
export const ending = (dispose: () => Promise<void>): (() => Promise<void>) => {
  open.add(dispose)
  return async () => {
    open.delete(dispose)
    await dispose()
  }
}

/** To be called once, by the program. */
export const install = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void Promise.allSettled(Array.from(open, (dispose) => dispose())).then(() => process.exit(1))
    })
  }
}
