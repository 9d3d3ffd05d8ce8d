/** What the query of a request may say. Each schema names what it expects, for the answer to a request that errs. */
import { Effect, Encoding, Either, Option, ParseResult, Schema, SchemaAST } from "effect"

/** A parameter with what the documentation says of it. */
const documented = <A, I>(schema: Schema.Schema<A, I>, description: string, more: object = {}): Schema.Schema<A, I> =>
  schema.annotations({
    description,
    ...Option.match(SchemaAST.getJSONSchemaAnnotation(schema.ast), {
      onNone: () => ({}),
      onSome: (jsonSchema) => ({ jsonSchema: { ...jsonSchema, ...more, description } })
    })
  })

/** A parameter that may be left out. */
export const optional = <A, I>(schema: Schema.Schema<A, I>, description: string) =>
  Schema.optional(documented(schema, description))

/** As {@link optional}, with what is meant then. */
export const withDefault = <A>(schema: Schema.Schema<A, string>, value: NoInfer<A>, description: string) =>
  Schema.optionalWith(documented(schema, description, { default: value }), { default: () => value })

const expects = (what: string) => (): { readonly message: string; readonly override: true } => ({
  message: `${what} is expected`,
  override: true
})

/** A whole number in decimal digits. */
export const wholeNumber = (from: number, to: number) =>
  Schema.transformOrFail(Schema.String, Schema.Number, {
    strict: true,
    decode: (text, _, ast) =>
      /^\d{1,9}$/.test(text) && Number(text) >= from && Number(text) <= to
        ? ParseResult.succeed(Number(text))
        : ParseResult.fail(new ParseResult.Type(ast, text)),
    encode: (value) => ParseResult.succeed(String(value))
  }).annotations({
    message: expects(`a whole number from ${from} to ${to}`),
    jsonSchema: { type: "integer", minimum: from, maximum: to }
  })

/** A short text; blanks around it do not count. */
export const text = Schema.Trim.pipe(Schema.maxLength(200)).annotations({
  message: expects("text of at most 200 characters"),
  jsonSchema: { type: "string", maxLength: 200 }
})

export const oneOf = <const L extends readonly [string, ...Array<string>]>(...values: L) =>
  Schema.Literal(...values).annotations({ message: expects(`one of ${values.join(", ")}`) })

/** More than the ids of any venue make. */
const LONGEST_CURSOR = 2000

const encodeCursor = (kind: string, id: string): string => Encoding.encodeBase64Url(JSON.stringify([kind, id]))

/** What a cursor of ours says, and nothing for what {@link encodeCursor} would have written otherwise. */
const decodeCursor = (kind: string, encoded: string): Option.Option<string> => {
  if (encoded.length > LONGEST_CURSOR) return Option.none()
  const content = Schema.parseJson(Schema.Tuple(Schema.Literal(kind), Schema.String))
  return Either.getRight(Encoding.decodeBase64UrlString(encoded)).pipe(
    Option.flatMap(Schema.decodeOption(content)),
    Option.map(([, id]) => id),
    Option.filter((id) => encodeCursor(kind, id) === encoded)
  )
}

/** The id after which a page begins, wrapped so that nobody builds on its form. Any id survives, half characters too. */
export const cursor = (kind: string) =>
  Schema.transformOrFail(Schema.String, Schema.String, {
    strict: true,
    decode: (encoded, _, ast) =>
      Option.match(decodeCursor(kind, encoded), {
        onNone: () => ParseResult.fail(new ParseResult.Type(ast, encoded)),
        onSome: ParseResult.succeed
      }),
    encode: (id) => ParseResult.succeed(encodeCursor(kind, id))
  }).annotations({
    message: expects("the nextCursor of the page before"),
    jsonSchema: { type: "string", maxLength: LONGEST_CURSOR }
  })

export interface Page<A> {
  readonly items: ReadonlyArray<A>
  /** The id to go on after; `null` at the end. */
  readonly last: string | null
}

/** The items after an id, in the order of their ids: a list that changes between pages repeats nothing and skips nothing. */
export const pageOf = <A>(
  items: Iterable<A>,
  id: (item: A) => string,
  options: { readonly after: string | undefined; readonly limit: number }
): Page<A> => {
  const { after, limit } = options
  const rest = [...items]
    .filter((item) => after === undefined || id(item) > after)
    .sort((a, b) => (id(a) < id(b) ? -1 : 1))
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return { items: page, last: rest.length > limit && last !== undefined ? id(last) : null }
}

/** The `nextCursor` of a page. */
export const nextCursor = (schema: Schema.Schema<string, string>, page: Page<unknown>): Effect.Effect<string | null> =>
  page.last === null ? Effect.succeed(null) : Effect.orDie(Schema.encode(schema)(page.last))
