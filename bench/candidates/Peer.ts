/**
 * Packages of others, which lie in `bench/peers/node_modules` and are loaded when they are measured. Where a package
 * names its venue's address in its code, the `ws` module that it loads is replaced by one that connects to loopback.
 */
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { inRoot } from "../Root.ts"

const require = createRequire(inRoot("bench/peers/package.json"))

/** A CommonJS package. */
export const load = <A>(name: string): A => require(name) as A

/** A package that is an ES module. */
export const importPackage = async <A>(path: string): Promise<A> =>
  (await import(pathToFileURL(inRoot("bench/peers/node_modules", path)).href)) as A

type Constructor = new (...parts: ReadonlyArray<unknown>) => object

/** Makes every WebSocket that this package opens go to `url`. To be called before it is loaded. */
export const redirect = (name: string, url: string): void => {
  const own = createRequire(require.resolve(name))
  const path = own.resolve("ws")
  const Original = own(path) as Constructor
  class Loopback extends Original {
    constructor(_address: unknown, ...rest: ReadonlyArray<unknown>) {
      super(url, ...rest)
    }
  }
  own.cache[path]!.exports = Loopback
}
