/** What the processes of a measurement say to each other. */
import type { ListingOptions } from "./Listing.ts"
import type { TrafficOptions } from "./Traffic.ts"

export interface SenderOptions extends TrafficOptions {
  /** Frames that are made before anything is sent; 0 where they are made as they go. */
  readonly prebuilt: number
}

/** What the sender is asked for. */
export type SenderRequest =
  /** All prebuilt frames from the first, as fast as they are taken, in writes of about so many bytes. */
  | { readonly do: "burst"; readonly chunkBytes: number }
  /** So many frames a second for so many milliseconds; `first` is where among the prebuilt ones to begin. */
  | { readonly do: "pace"; readonly rate: number; readonly millis: number }
  /** Forgets how many there were of what it counts. */
  | { readonly do: "reset" }
  /** The books as they are after what was sent. */
  | { readonly do: "truth" }
  | { readonly do: "status" }

export interface SenderReady {
  readonly port: number
  readonly averageBytes: number
}

export interface Sent {
  readonly frames: number
  readonly millis: number
  /** CPU of the sender, in seconds. */
  readonly cpu: number
  /** When each of them was written, by the common clock; of paced frames only. */
  readonly times?: Float64Array
  /** The greatest number of bytes that waited in this process for the receivers. */
  readonly waiting: number
}

export interface Truth {
  readonly digests: ReadonlyMap<string, string>
  readonly bestMoves: number
}

export interface SenderStatus {
  readonly clients: number
  readonly subscribed: number
  /** Books that were sent. */
  readonly dumped: number
}

/** How a receiver is started. */
export interface ReceiverOptions {
  readonly listing: ListingOptions
  readonly port: number
  /** Frames whose times of arrival are kept; 0 for none. */
  readonly timed: number
  /** What this candidate alone understands. */
  readonly extra: Readonly<Record<string, string | number | boolean>>
}

export type ReceiverRequest =
  /** Counts CPU from now on, and replies at once. */
  | { readonly do: "begin" }
  /** Replies when so many updates were seen, or none came for a while after everything was sent. */
  | { readonly do: "await"; readonly updates: number; readonly patience: number }
  /** Compares nothing, gives what there is. */
  | { readonly do: "books" }
  | { readonly do: "memory"; readonly collect: boolean }
  | { readonly do: "times" }
  | { readonly do: "facts" }
  | { readonly do: "stop" }

export interface Taken {
  /** Updates that the candidate's user saw. */
  readonly updates: number
  /** CPU seconds, user and system, of the whole process, from `begin` to the last update. */
  readonly cpu: number
  readonly millis: number
  /** The same for what followed the first third of the updates, when the code that runs has been optimised. */
  readonly warm: { readonly updates: number; readonly cpu: number }
}

export interface Memory {
  readonly resident: number
  readonly heap: number
  readonly external: number
}
