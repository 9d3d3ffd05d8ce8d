/** Requests and replies as the simulated REST services see them. */

export interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: string
}

export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** JSON with the newline that the venue's servers end it with. */
export const json = (status: number, value: unknown): Reply => ({ status, body: `${JSON.stringify(value)}\n` })

/** A reply whose text is JSON already. */
export const text = (body: string): Reply => ({ status: 200, body })

/** The CLOB's error form. */
export const failure = (status: number, error: string): Reply => json(status, { error })
