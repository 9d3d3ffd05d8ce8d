/** A configuration in YAML, read along its schema: values with their places, and every fault in one go. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap
} from "yaml"
import { closest } from "./DidYouMean.ts"
import { fromText, isSection, type SettingKey, type SettingSection } from "./SettingsKeys.ts"

export interface Fault {
  /** Dotted: `http.port`; empty for the file as a whole. */
  readonly path: string
  /** `file:line`, or the environment variable. */
  readonly source: string
  /** What is wrong and what is allowed. */
  readonly problem: string
}

/** Nested maps with keys of the schema alone, and where each value came from, by dotted path. */
export interface Tree {
  readonly values: Record<string, unknown>
  readonly sources: Map<string, string>
}

/** Words for what is not YAML; the library's own quote the file, which may hold secrets. */
const syntaxProblems: Readonly<Record<string, string>> = {
  BAD_ALIAS: "an alias (*) has no anchor; text that begins with * needs quotes",
  BAD_COLLECTION_TYPE: "a tag does not fit what follows it",
  BAD_DQ_ESCAPE: "an escape in \"…\" is unknown; use '…' to take \\ as it is",
  BAD_INDENT: "a bracket is not closed, or the indentation does not fit the lines above",
  BAD_SCALAR_START: "text that begins with this sign needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a key is expected here, or a value needs quotes",
  BLOCK_IN_FLOW: "a bracket was not closed before this line",
  DUPLICATE_KEY: "this key is given twice",
  MISSING_CHAR: "a quote, a bracket, a comma or a space is missing",
  MULTILINE_IMPLICIT_KEY: "a key is not followed by a colon",
  MULTIPLE_DOCS: "one document is expected, not several",
  TAB_AS_INDENT: "indentation is made of spaces, not of tabs",
  UNEXPECTED_TOKEN: "something is here that does not belong"
}

/** What a value is, without showing it. */
const shapeOf = (node: Node): string => (isMap(node) ? "a group of keys" : isSeq(node) ? "a list" : "a value")

/** An empty place, or a null: nothing was said. */
const isNothing = (node: Node | null | undefined): boolean =>
  node === null ||
  node === undefined ||
  (isScalar(node) && node.type === "PLAIN" && /^(~|null)?$/i.test(String(node.value ?? "")))

export const read = (text: string, file: string, root: SettingSection): Tree & { readonly faults: Array<Fault> } => {
  const lines = new LineCounter()
  const document: Document = parseDocument(text, { lineCounter: lines, prettyErrors: false, schema: "failsafe" })
  const values: Record<string, unknown> = {}
  const sources = new Map<string, string>()
  const faults: Array<Fault> = []
  const at = (offset: number | undefined): string =>
    offset === undefined ? file : `${file}:${lines.linePos(offset).line}`
  const resolve = (node: unknown): Node | null | undefined =>
    isAlias(node) ? node.resolve(document) : (node as Node | null | undefined)

  const scalarText = (node: Node): string | undefined =>
    isScalar(node) && typeof node.value === "string" ? node.value : undefined
  const entries = (node: Node): unknown =>
    isSeq(node) ? node.items.map((item) => scalarText(resolve(item) ?? (item as Node))) : scalarText(node)

  const readKey = (key: SettingKey, node: Node, offset: number | undefined, into: Record<string, unknown>): void => {
    const path = key.path.join(".")
    const fits = key.kind === "list" ? isSeq(node) : isScalar(node)
    if (!fits) {
      faults.push({ path, source: at(offset), problem: `${shapeOf(node)} is not ${key.allowed}` })
      return
    }
    sources.set(path, at(offset))
    into[key.path.at(-1)!] = isSeq(node) ? entries(node) : fromText(key, scalarText(node) ?? "")
  }

  const readSection = (section: SettingSection, map: YAMLMap, into: Record<string, unknown>): void => {
    for (const pair of map.items) {
      const keyNode = resolve(pair.key)
      const name = isScalar(keyNode) ? String(keyNode.value) : ""
      const offset = keyNode?.range?.[0]
      const member = section.members.get(name)
      const path = [...section.path, name].join(".")
      const value = resolve(pair.value)
      if (member === undefined) {
        faults.push({
          path,
          source: at(offset),
          problem: `there is no such key${closest(name, section.members.keys())}`
        })
      } else if (isSection(member)) {
        if (isNothing(value)) continue
        if (isMap(value)) readSection(member, value, (into[name] = {}))
        else faults.push({ path, source: at(offset), problem: "a group of keys belongs here, each on its own line" })
      } else if (isAlias(pair.value) && value === undefined) {
        faults.push({ path, source: at(offset), problem: syntaxProblems["BAD_ALIAS"]! })
      } else if (isNothing(value)) {
        faults.push({
          path,
          source: at(offset),
          problem: `nothing is given; ${member.allowed} belongs here, or remove the key to get the default`
        })
      } else readKey(member, value!, offset, into)
    }
  }

  for (const error of document.errors) {
    faults.push({
      path: "",
      source: at(error.pos[0]),
      problem: syntaxProblems[error.code] ?? "this is not YAML"
    })
  }
  const top = resolve(document.contents)
  if (isMap(top)) readSection(root, top, values)
  else if (!isNothing(top)) {
    faults.push({ path: "", source: at(top?.range?.[0]), problem: `groups of keys belong here, not ${shapeOf(top!)}` })
  }
  // What follows a break in the syntax is guesswork.
  const broken = document.errors.some(({ code }) => code !== "DUPLICATE_KEY")
  return { values, sources, faults: broken ? faults.filter(({ path }) => path === "") : faults }
}
