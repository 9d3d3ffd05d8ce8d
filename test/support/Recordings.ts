/** Recordings of the real venues, which lie beside the repository on some machines and are never part of it. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..", "..", "..", "shared")

export const haveRecordings = existsSync(root)

export const path = (name: string): string => join(root, name)

export const text = (name: string): string => readFileSync(path(name), "utf8")

export const json = (name: string): unknown => JSON.parse(text(name))

/** Lines split on the line feed only: the texts hold U+2028 and U+2029. */
export const lines = (name: string): ReadonlyArray<string> =>
  text(name)
    .split("\n")
    .filter((line) => line.trim() !== "")
