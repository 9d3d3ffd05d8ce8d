/** Where and with what something was measured. */
import { readFileSync } from "node:fs"
import { cpus, release, totalmem } from "node:os"
import { inRoot } from "./Root.ts"

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, Node ${process.versions.node}`

interface Package {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}
const packageAt = (...path: ReadonlyArray<string>): Package =>
  JSON.parse(readFileSync(inRoot(...path, "package.json"), "utf8")) as Package

/** Of the product, of what it reads its sockets with, and of the peers. */
export const versions = (): Readonly<Record<string, string>> => {
  const product = packageAt()
  const { echarts: _, ...peers } = packageAt("bench/peers").dependencies
  return { parallax: product.version, ws: product.dependencies["ws"] ?? "", ...peers }
}
