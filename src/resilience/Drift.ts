/**
 * Whether JSON still is what a Schema says of it, and where not. Readers take what they need of a message and tolerate the
 * rest; this is how a change of the rest is noticed before it is one of what they need.
 */
import type { Schema, SchemaAST } from "effect"
import { isObject } from "./Reading.ts"

/**
 * `unknown`: a key or an element that the Schema does not have; `missing`: one that it asks for; `type`: a value of another
 * type, or a word that is none of those listed.
 */
export type DeviationKind = "unknown" | "missing" | "type"

/** Told of a deviation: its path, with `[]` for any element, and the value there, or of what lacks it. */
export type Report = (path: string, kind: DeviationKind, value: unknown) => void

/** What a Schema says of its encoded side, made ready for comparing. Neither of the two ever throws. */
export interface Shape {
  /** Whether a value deviates nowhere. Allocates nothing. */
  readonly fits: (value: unknown) => boolean
  /** Reports every deviation of a value that does not fit. */
  readonly explain: (value: unknown, path: string, report: Report) => void
}

const UNREAD = Symbol.for("parallax/resilience/Drift/Unread")

/**
 * Annotates a struct with keys that are known and that nobody reads: decoding leaves them out as before, and nothing is
 * asked of their values.
 */
export const unread = (...keys: ReadonlyArray<string>): Record<symbol, ReadonlyArray<string>> => ({ [UNREAD]: keys })

/** A value that is told by one test. */
const simple = (fits: Shape["fits"]): Shape => ({ fits, explain: (value, path, report) => report(path, "type", value) })

const anything = simple(() => true)
const nothing = simple(() => false)
const absent = simple((value) => value === undefined)
const text = simple((value) => typeof value === "string")
const number = simple((value) => typeof value === "number")
const boolean = simple((value) => typeof value === "boolean")
const composite = simple((value) => typeof value === "object" && value !== null)
const literal = (expected: unknown): Shape => simple((value) => value === expected)

interface Field {
  readonly shape: Shape
  readonly required: boolean
}

/** Keys by their names; `others` says what any other may be. */
const struct = (fields: ReadonlyMap<string, Field>, others: Shape | undefined): Shape => {
  const required = [...fields].filter(([, field]) => field.required).map(([key]) => key)
  return {
    fits: (value) => {
      if (!isObject(value)) return false
      let found = 0
      for (const key in value) {
        const field = fields.get(key)
        if (field === undefined) {
          if (others === undefined || !others.fits(value[key])) return false
        } else {
          if (!field.shape.fits(value[key])) return false
          if (field.required) found++
        }
      }
      return found === required.length
    },
    explain: (value, path, report) => {
      if (!isObject(value)) return report(path, "type", value)
      const at = (key: string) => (path === "" ? key : `${path}.${key}`)
      for (const [key, inner] of Object.entries(value)) {
        const shape = fields.get(key)?.shape ?? others
        if (shape === undefined) report(at(key), "unknown", inner)
        else if (!shape.fits(inner)) shape.explain(inner, at(key), report)
      }
      for (const key of required) if (!Object.hasOwn(value, key)) report(at(key), "missing", value)
    }
  }
}

/** First these elements, of which some may be left out at the end; then any number of `rest`. */
const list = (elements: ReadonlyArray<Field>, rest: Shape | undefined): Shape => {
  const least = elements.filter(({ required }) => required).length
  return {
    fits: (value) => {
      if (!Array.isArray(value) || value.length < least) return false
      for (let i = 0; i < value.length; i++) {
        const shape = i < elements.length ? elements[i]!.shape : rest
        if (shape === undefined || !shape.fits(value[i])) return false
      }
      return true
    },
    explain: (value, path, report) => {
      if (!Array.isArray(value)) return report(path, "type", value)
      const at = `${path}[]`
      value.forEach((inner: unknown, i) => {
        const shape = i < elements.length ? elements[i]!.shape : rest
        if (shape === undefined) report(at, "unknown", inner)
        else if (!shape.fits(inner)) shape.explain(inner, at, report)
      })
      if (value.length < least) report(at, "missing", value)
    }
  }
}

/** One of several; what fits none is compared with the one that it comes closest to. */
const union = (members: ReadonlyArray<Shape>): Shape => {
  const faults = (member: Shape, value: unknown): number => {
    let count = 0
    member.explain(value, "", (path, kind) => (count += path === "" && kind === "type" ? Number.POSITIVE_INFINITY : 1))
    return count
  }
  return {
    fits: (value) => {
      for (const member of members) if (member.fits(value)) return true
      return false
    },
    explain: (value, path, report) => {
      let closest = nothing
      let fewest = Number.POSITIVE_INFINITY
      for (const member of members) {
        const count = faults(member, value)
        if (count >= fewest) continue
        closest = member
        fewest = count
      }
      closest.explain(value, path, report)
    }
  }
}

const structOf = (ast: SchemaAST.TypeLiteral, known: ReadonlyArray<string>): Shape => {
  const fields = new Map<string, Field>(known.map((key) => [key, { shape: anything, required: false }]))
  for (const { isOptional, name, type } of ast.propertySignatures) {
    fields.set(String(name), { shape: compile(type), required: !isOptional })
  }
  const [others] = ast.indexSignatures
  return struct(fields, others === undefined ? undefined : compile(others.type))
}

/** Compiles the encoded side; what only code can judge (declarations, recursion) may be anything. */
const compile = (ast: SchemaAST.AST, unreadAbove: ReadonlyArray<string> = []): Shape => {
  const unreadHere = ast.annotations[UNREAD] as ReadonlyArray<string> | undefined
  const known = unreadHere === undefined ? unreadAbove : [...unreadAbove, ...unreadHere]
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return text
    case "NumberKeyword":
      return number
    case "BooleanKeyword":
      return boolean
    case "Literal":
      return literal(ast.literal)
    case "Enums":
      return union(ast.enums.map(([, value]) => literal(value)))
    case "UndefinedKeyword":
    case "VoidKeyword":
      return absent
    case "NeverKeyword":
    case "BigIntKeyword":
    case "SymbolKeyword":
    case "UniqueSymbol":
      return nothing
    case "ObjectKeyword":
      return composite
    case "AnyKeyword":
    case "UnknownKeyword":
    case "Declaration":
    case "Suspend":
      return anything
    case "TypeLiteral":
      return structOf(ast, known)
    case "TupleType":
      return list(
        ast.elements.map(({ isOptional, type }) => ({ shape: compile(type), required: !isOptional })),
        ast.rest[0] === undefined ? undefined : compile(ast.rest[0].type)
      )
    case "Union":
      return union(ast.types.map((type) => compile(type, known)))
    case "Refinement":
    case "Transformation":
      return compile(ast.from, known)
  }
}

/** What a value must look like for `schema` to decode it, apart from what its filters say. */
export const shapeOf = <A, I, R>(schema: Schema.Schema<A, I, R>): Shape => compile(schema.ast)
