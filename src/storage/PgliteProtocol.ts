/** What is said between the program and the thread that runs the embedded database. */

/** How the thread is started. */
export interface WorkerOptions {
  readonly directory: string
}

export type Request =
  | {
      readonly id: number
      readonly op: "query"
      readonly sql: string
      readonly params: ReadonlyArray<unknown>
      /** Rows as arrays of values instead of objects. */
      readonly arrays: boolean
    }
  /** Any number of statements without parameters. */
  | { readonly id: number; readonly op: "exec"; readonly sql: string }
  | { readonly id: number; readonly op: "copy"; readonly target: string; readonly bytes: Uint8Array }
  | { readonly id: number; readonly op: "close" }

export interface Result {
  readonly rows: ReadonlyArray<unknown>
  /** Rows that the (last) statement wrote. */
  readonly rowCount: number
}

/** The fields of a server's error report, as `pg` names them too. */
export interface Fault {
  readonly message: string
  readonly code?: string
  readonly severity?: string
  readonly detail?: string
  readonly constraint?: string
  readonly table?: string
  readonly column?: string
}

/** `id` 0 answers the opening of the database. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly result: Result }
  | { readonly id: number; readonly ok: false; readonly fault: Fault }
