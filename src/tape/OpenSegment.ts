/** The segment that is being written: one file, always written to at a place that is known. */
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { encodeHeader, type SegmentHeader } from "./Header.ts"
import { nameOf, plainName, syncDirectory } from "./TapeDirectory.ts"

/** What is needed of a file. */
export type Handle = Pick<FileHandle, "write" | "datasync" | "close">

/** Makes a file, or empties it. */
export type MakeFile = (path: string) => Promise<Handle>

export const makeFile: MakeFile = (path) => open(path, "w")

export class OpenSegment {
  readonly run: number
  readonly after: number
  readonly name: string
  private readonly handle: Handle
  private end = 0
  private forced = 0

  private constructor(handle: Handle, { after, run }: SegmentHeader) {
    this.handle = handle
    this.run = run
    this.after = after
    this.name = nameOf(run, after)
  }

  static async begin(directory: string, header: SegmentHeader, make: MakeFile): Promise<OpenSegment> {
    const handle = await make(join(directory, plainName(nameOf(header.run, header.after))))
    const segment = new OpenSegment(handle, header)
    try {
      await segment.append(encodeHeader(header))
    } catch (error) {
      await handle.close()
      throw error
    }
    return segment
  }

  /** Bytes that were written. */
  get bytes(): number {
    return this.end
  }

  /** Writes all or rejects; written again after that, the bytes go to the same place. */
  async append(bytes: Buffer): Promise<void> {
    let at = 0
    while (at < bytes.length) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at, this.end + at)
      at += bytesWritten
    }
    this.end += bytes.length
  }

  /** Forces what was written to the disk. */
  async force(): Promise<void> {
    const { end } = this
    if (end === this.forced) return
    await this.handle.datasync()
    this.forced = end
  }

  async close(directory: string, forced: boolean): Promise<void> {
    try {
      if (forced) await this.force()
    } finally {
      await this.handle.close()
    }
    if (forced) await syncDirectory(directory)
  }
}
