/** Where the product lies; the bundler fills it in. */
import { join } from "node:path"

declare const ROOT: string

export const inRoot = (...path: ReadonlyArray<string>): string => join(ROOT, ...path)
