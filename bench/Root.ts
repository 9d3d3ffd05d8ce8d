/** Where the product and the bundles lie; the bundler fills it in. */
import { join } from "node:path"

declare const ROOT: string
declare const BUNDLES: string

export const inRoot = (...path: ReadonlyArray<string>): string => join(ROOT, ...path)

/** A module that runs as a process of its own. */
export const bundle = (name: string): string => join(BUNDLES, `${name}.mjs`)
