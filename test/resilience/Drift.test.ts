import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, FastCheck as fc, Schema } from "effect"
import { type Report, shapeOf, unread } from "../../src/resilience/Drift.ts"

/** What is reported of a value, as `kind path`. */
const drift = <A, I>(schema: Schema.Schema<A, I>, value: unknown): ReadonlyArray<string> => {
  const found: Array<string> = []
  const report: Report = (path, kind) => found.push(`${kind} ${path}`)
  const shape = shapeOf(schema)
  if (!shape.fits(value)) shape.explain(value, "", report)
  return found
}

type Any = Schema.Schema<unknown, unknown>

/** A Schema, and what is known of it besides. */
type Spec =
  | { readonly of: "leaf"; readonly schema: Any }
  | { readonly of: "list"; readonly item: Spec }
  | { readonly of: "struct"; readonly fields: ReadonlyArray<Field> }

interface Field {
  readonly key: string
  readonly spec: Spec
  readonly presence: "required" | "optional" | "nullable"
}

const KEYS = ["a", "b", "price", "size", "sid", "length"]

const { spec } = fc.letrec<{ readonly spec: Spec; readonly leaf: Spec; readonly struct: Spec; readonly list: Spec }>(
  (tie) => ({
    spec: fc.oneof({ depthSize: "small", withCrossShrink: true }, tie("leaf"), tie("struct"), tie("list")),
    leaf: fc.record({
      of: fc.constant("leaf" as const),
      schema: fc.constantFrom(
        ...([
          Schema.String,
          Schema.Int,
          Schema.Boolean,
          Schema.NumberFromString,
          Schema.NonEmptyString,
          Schema.Literal("yes", "no"),
          Schema.Union(Schema.Number, Schema.String),
          Schema.NullOr(Schema.String)
        ] as unknown as ReadonlyArray<Any>)
      )
    }),
    list: fc.record({ of: fc.constant("list" as const), item: tie("spec") }),
    struct: fc.record({
      of: fc.constant("struct" as const),
      fields: fc.uniqueArray(
        fc.record({
          key: fc.constantFrom(...KEYS),
          spec: tie("spec"),
          presence: fc.constantFrom("required" as const, "optional" as const, "nullable" as const)
        }),
        { selector: ({ key }) => key, maxLength: 5 }
      )
    })
  })
)

const schemaOf = (spec: Spec): Any => {
  if (spec.of === "leaf") return spec.schema
  if (spec.of === "list") return Schema.Array(schemaOf(spec.item)) as unknown as Any
  const fields = spec.fields.map(({ key, presence, spec }) => {
    const schema = schemaOf(spec)
    if (presence === "required") return [key, schema]
    if (presence === "optional") return [key, Schema.optionalWith(schema, { exact: true })]
    return [key, Schema.optionalWith(schema, { nullable: true, exact: true })]
  })
  return Schema.Struct(Object.fromEntries(fields)) as unknown as Any
}

const example = spec.chain((spec) =>
  Arbitrary.make(Schema.encodedSchema(schemaOf(spec))).map((value: unknown) => ({ spec, value }))
)

/** Every place of a value: what stands there, what is said of it, and how to put something else there. */
interface Place {
  readonly path: string
  readonly value: unknown
  readonly spec: Spec
  readonly put: (value: unknown) => void
}

const places = (path: string, value: unknown, spec: Spec, put: Place["put"]): ReadonlyArray<Place> => {
  const here = { path, value, spec, put }
  if (spec.of === "list" && Array.isArray(value)) {
    const inner = value.flatMap((one, i) => places(`${path}[]`, one, spec.item, (other) => (value[i] = other)))
    return [here, ...inner]
  }
  if (spec.of === "struct" && typeof value === "object" && value !== null) {
    const object = value as Record<string, unknown>
    const at = (key: string) => (path === "" ? key : `${path}.${key}`)
    return [
      here,
      ...spec.fields.flatMap(({ key, spec }) =>
        Object.hasOwn(object, key) ? places(at(key), object[key], spec, (other) => (object[key] = other)) : []
      )
    ]
  }
  return [here]
}

/** A copy with one change made to it, and what is to be said of that. */
const changed = (
  { spec, value }: { readonly spec: Spec; readonly value: unknown },
  change: (all: ReadonlyArray<Place>) => string | undefined
) => {
  const root = { value: structuredClone(value) }
  const said = change(places("", root.value, spec, (other) => (root.value = other)))
  fc.pre(said !== undefined)
  return { schema: schemaOf(spec), value: root.value, said }
}

const pick = <A>(all: ReadonlyArray<A>, n: number): A | undefined => all[n % Math.max(1, all.length)]
const at = (path: string, key: string) => (path === "" ? key : `${path}.${key}`)

describe("drift", () => {
  it.prop("is none in what the Schema itself allows", [example], ([{ spec, value }]) => {
    assert.deepStrictEqual(drift(schemaOf(spec), value), [])
  })

  it.prop("names the key that is missing, and nothing else", [example, fc.nat()], ([one, n]) => {
    const { said, schema, value } = changed(one, (all) => {
      const found = pick(
        all.flatMap(({ path, spec, value }) =>
          spec.of !== "struct" || typeof value !== "object" || value === null
            ? []
            : spec.fields.flatMap(({ key, presence }) =>
                presence === "required" ? [{ object: value as Record<string, unknown>, key, path }] : []
              )
        ),
        n
      )
      if (found === undefined) return undefined
      delete found.object[found.key]
      return `missing ${at(found.path, found.key)}`
    })
    assert.deepStrictEqual(drift(schema, value), [said])
  })

  it.prop(
    "names the key that is new, whatever it is called",
    [example, fc.nat(), fc.constantFrom("new", "__proto__", "constructor", "hasOwnProperty", "x.y")],
    ([one, n, key]) => {
      const { said, schema, value } = changed(one, (all) => {
        const objects = all.filter(
          ({ spec, value }) => spec.of === "struct" && typeof value === "object" && value !== null
        )
        const found = pick(objects, n)
        if (found === undefined) return undefined
        Object.defineProperty(found.value, key, { value: 1, enumerable: true, configurable: true, writable: true })
        return `unknown ${at(found.path, key)}`
      })
      assert.deepStrictEqual(drift(schema, value), [said])
    }
  )

  it.prop("names the place whose type changed, and nothing else", [example, fc.nat()], ([one, n]) => {
    const { said, schema, value } = changed(one, (all) => {
      const found = pick(all, n)!
      found.put(found.spec.of === "leaf" ? [[]] : true)
      return `type ${found.path}`
    })
    assert.deepStrictEqual(drift(schema, value), [said])
  })

  it.prop("is found in any JSON without a throw", [spec, fc.jsonValue()], ([spec, value]) => {
    const found = drift(schemaOf(spec), value)
    const fits = shapeOf(schemaOf(spec)).fits(value)
    assert.strictEqual(found.length === 0, fits)
  })

  it("is found in the deepest nesting without a throw", () => {
    const deep: unknown = JSON.parse("[".repeat(20_000) + "]".repeat(20_000))
    assert.deepStrictEqual(drift(Schema.Struct({ a: Schema.String }), deep), ["type "])
    assert.deepStrictEqual(drift(Schema.Array(Schema.Array(Schema.String)), deep), ["type [][]"])
  })

  it("takes `__proto__` from JSON for the key that it is", () => {
    const schema = Schema.Struct({ a: Schema.String })
    assert.deepStrictEqual(drift(schema, JSON.parse('{"a":"","__proto__":{"b":1}}')), ["unknown __proto__"])
    assert.deepStrictEqual(drift(schema, JSON.parse('{"__proto__":{"a":""}}')), ["unknown __proto__", "missing a"])
    const record = Schema.Record({ key: Schema.String, value: Schema.Number })
    assert.deepStrictEqual(drift(record, JSON.parse('{"__proto__":"1","b":2}')), ["type __proto__"])
  })

  it("compares with the one of several that comes closest", () => {
    const schema = Schema.Union(
      Schema.Struct({ kind: Schema.Literal("a"), price: Schema.String }),
      Schema.Struct({ kind: Schema.Literal("b"), size: Schema.String })
    )
    assert.deepStrictEqual(drift(schema, { kind: "b", size: 1 }), ["type size"])
    assert.deepStrictEqual(drift(schema, { kind: "a", price: "1", more: 1 }), ["unknown more"])
    assert.deepStrictEqual(drift(schema, null), ["type "])
  })

  it("knows how long a tuple is", () => {
    const schema = Schema.Array(Schema.Tuple(Schema.String, Schema.Number))
    assert.deepStrictEqual(drift(schema, [["a", 1]]), [])
    assert.deepStrictEqual(drift(schema, [["a"], ["a", 1, 2], ["a", "1"]]), [
      "missing [][]",
      "unknown [][]",
      "type [][]"
    ])
  })

  it("says nothing of keys that nobody reads, whether the struct is transformed or not", () => {
    const plain = Schema.Struct({ a: Schema.String }).annotations(unread("b"))
    const transformed = Schema.Struct({
      a: Schema.optionalWith(Schema.String, { default: () => "" })
    }).annotations(unread("b"))
    for (const schema of [plain, transformed] as unknown as ReadonlyArray<Any>) {
      assert.deepStrictEqual(drift(schema, { a: "", b: [1] }), [])
      assert.deepStrictEqual(drift(schema, { a: "", b: [1], c: 1 }), ["unknown c"])
      assert.deepStrictEqual(Schema.decodeUnknownSync(schema)({ a: "x", b: 1 }), { a: "x" })
    }
  })
})
