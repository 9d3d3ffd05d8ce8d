/**
 * The state with which a segment begins, in one file: a head of fixed size, then what the derivation saved, then what
 * the writer of rows remembers. The first part is written when the segment is begun, the rest when the rows are stored;
 * until then the file is a draft.
 */
import { type FileHandle, open, readFile, rename } from "node:fs/promises"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { draftOf, stateName } from "./TapeDirectory.ts"

const MAGIC = Buffer.from("parallax-state 1\n", "latin1")
/** Magic line; run and `after` as `f64`; length and CRC-32 of either part, and CRC-32 of all before it, as `u32`. */
const HEAD = MAGIC.length + 2 * 8 + 5 * 4

export interface Parts {
  readonly derivation: Buffer
  readonly rows: Buffer
}

interface Sum {
  readonly length: number
  readonly crc: number
}

const headOf = (run: number, after: number, derivation: Sum, rows: Sum): Buffer => {
  const head = Buffer.alloc(HEAD)
  let at = MAGIC.copy(head)
  at = head.writeDoubleLE(run, at)
  at = head.writeDoubleLE(after, at)
  for (const part of [derivation, rows]) {
    at = head.writeUInt32LE(part.length, at)
    at = head.writeUInt32LE(part.crc, at)
  }
  head.writeUInt32LE(crc32(head.subarray(0, at)), at)
  return head
}

const sumOf = (bytes: Uint8Array): Sum => ({ length: bytes.length, crc: crc32(bytes) })

const NOTHING: Sum = { length: 0, crc: 0 }

export const encode = (run: number, after: number, derivation: Uint8Array, rows: Uint8Array): Buffer =>
  Buffer.concat([headOf(run, after, sumOf(derivation), sumOf(rows)), derivation, rows])

/** Both parts, or what is wrong with the file. */
export const decode = (bytes: Buffer, run: number, after: number): Parts | string => {
  if (bytes.length < HEAD || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return "it is no state of this version"
  const sum = bytes.readUInt32LE(HEAD - 4)
  if (crc32(bytes.subarray(0, HEAD - 4)) !== sum) return "the head is not what was written"
  const at = MAGIC.length
  if (bytes.readDoubleLE(at) !== run || bytes.readDoubleLE(at + 8) !== after) return "it belongs to another segment"
  const end = HEAD + bytes.readUInt32LE(at + 16)
  const derivation = bytes.subarray(HEAD, end)
  const rows = bytes.subarray(end)
  if (rows.length !== bytes.readUInt32LE(at + 24)) return "it is not whole"
  if (crc32(derivation) !== bytes.readUInt32LE(at + 20)) return "the derivation's part is not what was written"
  if (crc32(rows) !== bytes.readUInt32LE(at + 28)) return "the rows' part is not what was written"
  return { derivation, rows }
}

const writeAll = async (handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten
  }
}

/** Writes the draft with the derivation's part, over one that may be there. */
export const begin = async (path: string, run: number, after: number, derivation: Uint8Array): Promise<void> => {
  const handle = await open(path, "w")
  try {
    await writeAll(handle, headOf(run, after, sumOf(derivation), NOTHING), 0)
    await writeAll(handle, derivation, HEAD)
  } finally {
    await handle.close()
  }
}

/** Adds the rows' part to the draft in `directory`, which becomes the state of the segment `name`. */
export const complete = async (
  directory: string,
  name: string,
  [run, after]: readonly [number, number],
  rows: Uint8Array
): Promise<void> => {
  const final = join(directory, stateName(name))
  const draft = draftOf(final)
  const handle = await open(draft, "r+")
  try {
    const head = Buffer.alloc(HEAD)
    await handle.read(head, 0, HEAD, 0)
    const at = MAGIC.length + 16
    const derivation = { length: head.readUInt32LE(at), crc: head.readUInt32LE(at + 4) }
    await writeAll(handle, rows, HEAD + derivation.length)
    await writeAll(handle, headOf(run, after, derivation, sumOf(rows)), 0)
    // A name must not outlive what it stands for.
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, final)
}

/** Reads a state; rejects when the file cannot be read. */
export const read = async (path: string, run: number, after: number): Promise<Parts | string> =>
  decode(await readFile(path), run, after)
