/** Which keys a configuration has, read off its schema, and how a key is read from text. */
import { Option, type Schema, SchemaAST as AST } from "effect"
import { parseDocument } from "yaml"
import { Allowed } from "../domain/Setting.ts"

export interface SettingKey {
  readonly path: ReadonlyArray<string>
  /** The environment variable that overrides it: `PARALLAX_HTTP_PORT`. */
  readonly variable: string
  readonly kind: "text" | "number" | "boolean" | "list"
  /** As it reads after "not ": `a whole number from 1 to 65535`. */
  readonly allowed: string
  /** Never shown. */
  readonly secret: boolean
  readonly description: string
}

export interface SettingSection {
  readonly path: ReadonlyArray<string>
  readonly members: ReadonlyMap<string, SettingKey | SettingSection>
}

export const isSection = (member: SettingKey | SettingSection): member is SettingSection => "members" in member

/** Without the `| undefined` of a key that may be left out. */
const present = (ast: AST.AST): AST.AST =>
  AST.isUnion(ast) ? (ast.types.find((type) => !AST.isUndefinedKeyword(type)) ?? ast) : ast

const withoutUndefined = (ast: AST.AST): AST.AST =>
  AST.isUnion(ast) && ast.types.some(AST.isUndefinedKeyword) && ast.types.length === 2 ? present(ast) : ast

/** The keys of a group as they are written, before defaults. */
const structOf = (ast: AST.AST): AST.TypeLiteral | undefined => {
  if (AST.isTypeLiteral(ast)) return ast
  return AST.isTransformation(ast) || AST.isRefinement(ast) ? structOf(ast.from) : undefined
}

interface Bounds {
  readonly type?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
}

/** What the refinements of a schema say of themselves, the outer ones last. */
const boundsOf = (ast: AST.AST): Bounds =>
  AST.isRefinement(ast)
    ? { ...boundsOf(ast.from), ...Option.getOrUndefined(AST.getJSONSchemaAnnotation(ast)) }
    : AST.isTransformation(ast)
      ? boundsOf(ast.from)
      : {}

const rangeOf = (noun: string, { exclusiveMinimum, maximum, minimum }: Bounds): string => {
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `${noun} of ${minimum} or more`
  if (exclusiveMinimum !== undefined) return `${noun} above ${exclusiveMinimum}`
  return noun
}

const literalsOf = (ast: AST.AST): ReadonlyArray<string> =>
  AST.isLiteral(ast) ? [String(ast.literal)] : AST.isUnion(ast) ? ast.types.flatMap(literalsOf) : []

const kindOf = (ast: AST.AST): SettingKey["kind"] => {
  const encoded = AST.encodedAST(ast)
  if (AST.isTupleType(encoded)) return "list"
  if (AST.isBooleanKeyword(encoded)) return "boolean"
  return AST.isNumberKeyword(encoded) ? "number" : "text"
}

const allowedOf = (ast: AST.AST, kind: SettingKey["kind"]): string => {
  const own = AST.getAnnotation<string>(ast, Allowed)
  if (Option.isSome(own)) return own.value
  const literals = literalsOf(ast)
  if (literals.length > 0) return literals.length === 1 ? literals[0]! : `one of ${literals.join(", ")}`
  if (kind === "list") return "a list, as [one, two], of entries that are not empty"
  if (kind === "boolean") return "true or false"
  const bounds = boundsOf(ast)
  if (kind === "number") return rangeOf(bounds.type === "integer" ? "a whole number" : "a number", bounds)
  return bounds.minLength === undefined ? "text" : "text that is not empty"
}

const isSecret = (ast: AST.AST): boolean =>
  Option.exists(AST.getDescriptionAnnotation(AST.typeAST(ast)), (text) => text.startsWith("Redacted("))

/** `PARALLAX_` and the path in upper case. */
export const variableOf = (path: ReadonlyArray<string>): string => ["parallax", ...path].join("_").toUpperCase()

const memberOf = (name: string, ast: AST.AST, parent: ReadonlyArray<string>): SettingKey | SettingSection => {
  const path = [...parent, name]
  const struct = structOf(ast)
  if (struct !== undefined) return sectionOf(struct, path)
  const kind = kindOf(ast)
  return {
    path,
    variable: variableOf(path),
    kind,
    allowed: allowedOf(ast, kind),
    secret: isSecret(ast),
    description: Option.getOrElse(AST.getDescriptionAnnotation(ast), () => "")
  }
}

const sectionOf = (struct: AST.TypeLiteral, path: ReadonlyArray<string>): SettingSection => ({
  path,
  members: new Map(
    struct.propertySignatures.map(({ name, type }) => [
      String(name),
      memberOf(String(name), withoutUndefined(type), path)
    ])
  )
})

export const sectionOfSchema = (schema: Schema.Schema.AnyNoContext): SettingSection => {
  const struct = structOf(schema.ast)
  return struct === undefined ? { path: [], members: new Map() } : sectionOf(struct, [])
}

/** Every key, in the order of the schema. */
export const keysOf = (section: SettingSection): ReadonlyArray<SettingKey> =>
  [...section.members.values()].flatMap((member) => (isSection(member) ? keysOf(member) : [member]))

/** Entries of a list in one line of text: `[a, b]`, or `a, b`. Entries stay text whatever they look like. */
const entriesOf = (text: string): unknown => {
  const trimmed = text.trim()
  if (trimmed === "") return []
  if (!trimmed.startsWith("[")) return trimmed.split(",").map((entry) => entry.trim())
  const document = parseDocument(trimmed, { schema: "failsafe", prettyErrors: false })
  return document.errors.length > 0 ? text : document.toJS()
}

const NUMBER = /^[+-]?(\d[\d_]*(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

/** Text as the key wants it; text that does not fit stays text, for the schema to refuse. */
export const fromText = (key: SettingKey, text: string): unknown => {
  if (key.kind === "list") return entriesOf(text)
  if (key.kind === "number" && NUMBER.test(text.trim())) return Number(text.trim().replaceAll("_", ""))
  if (key.kind === "boolean" && /^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === "true"
  return text
}
