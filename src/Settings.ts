/** The whole configuration: a YAML file, overridden by environment variables, checked by one schema. */
import { FileSystem } from "@effect/platform"
import { Effect, Either, ParseResult, Redacted, Schema } from "effect"
import { closest } from "./cli/DidYouMean.ts"
import * as SettingsFile from "./cli/SettingsFile.ts"
import {
  fromText,
  isSection,
  keysOf,
  type SettingKey,
  type SettingSection,
  sectionOfSchema
} from "./cli/SettingsKeys.ts"
import { Allowed, section, setting } from "./domain/Setting.ts"
import { isExposed, TOKEN } from "./http/Access.ts"
import { DatabaseConfig } from "./storage/Database.ts"
import { TapeConfig } from "./tape/TapeConfig.ts"
import { KalshiConfig } from "./venues/kalshi/Config.ts"
import * as Credentials from "./venues/kalshi/Credentials.ts"
import { platforms } from "./venues/Venues.ts"

const HostName = Schema.String.pipe(Schema.pattern(/^[\w.:-]+$/)).annotations({
  [Allowed]: "a host name or an address"
})

const Token = Schema.Redacted(Schema.String.pipe(Schema.filter((text) => text === "" || TOKEN.test(text)))).annotations(
  { [Allowed]: "16 to 512 letters, digits or any of - . _ ~ + /" }
)

export const HttpConfig = Schema.Struct({
  host: setting(HostName, "127.0.0.1", "the address to listen on; 0.0.0.0 is every one of this machine"),
  port: setting(Schema.Int.pipe(Schema.between(0, 65_535)), 8080, "the port to listen on; 0 takes any that is free"),
  token: setting(
    Token,
    Redacted.make(""),
    "what callers must send as Authorization: Bearer …, never logged; needed where other machines reach the address"
  )
}).annotations({ identifier: "HttpConfig" })
export type HttpConfig = typeof HttpConfig.Type

export const LogConfig = Schema.Struct({
  level: setting(
    Schema.Literal("trace", "debug", "info", "warn", "error", "none"),
    "info",
    "the least important entries to write: trace, debug, info, warn, error or none"
  ),
  format: setting(
    Schema.Literal("auto", "json", "pretty"),
    "auto",
    "json: an object a line; pretty: for people; auto: pretty on a terminal, else json"
  )
}).annotations({ identifier: "LogConfig" })
export type LogConfig = typeof LogConfig.Type

export const Settings = Schema.Struct({
  http: section(HttpConfig),
  log: section(LogConfig),
  data_dir: setting(Schema.NonEmptyString, "./data", "where the embedded database and other files are kept"),
  database: section(DatabaseConfig),
  tape: section(TapeConfig),
  platforms: section(platforms)
}).annotations({ identifier: "Settings" })
export type Settings = typeof Settings.Type

/** What serves without a file. */
export const defaults: Settings = Schema.decodeUnknownSync(Settings)({})

const root: SettingSection = sectionOfSchema(Settings)

/** Every key with its variable, its description and what it allows. */
export const keys: ReadonlyArray<SettingKey> = keysOf(root)

const Fault = Schema.Struct({ path: Schema.String, source: Schema.String, problem: Schema.String })
type Fault = typeof Fault.Type

/** A configuration that was refused, with all that is wrong with it. No fault shows a secret. */
export class SettingsError extends Schema.TaggedError<SettingsError>("parallax/Settings/SettingsError")(
  "SettingsError",
  { faults: Schema.Array(Fault) }
) {
  override get message(): string {
    return this.faults.map(renderFault).join("\n")
  }
}

const renderFault = ({ path, problem, source }: Fault): string =>
  path === "" ? `${source}: ${problem}` : `${source}: ${path}: ${problem}`

/** The faults for a terminal, one a line. */
export const render = (error: SettingsError): string => {
  const count = error.faults.length === 1 ? "one fault" : `${error.faults.length} faults`
  return [`The configuration is refused: ${count}.`, ...error.faults.map((fault) => `  ${renderFault(fault)}`)].join(
    "\n"
  )
}

/** Environment variables; others than those that begin with `PARALLAX_` are nobody's business here. */
export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = "PARALLAX_"
/** The variable that names the file. */
export const FILE_VARIABLE = "PARALLAX_CONFIG"

const overlay = (tree: SettingsFile.Tree, env: Environment): Array<Fault> => {
  const byVariable = new Map(keys.map((key) => [key.variable, key]))
  const faults: Array<Fault> = []
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith(PREFIX) || variable === FILE_VARIABLE) continue
    const key = byVariable.get(variable)
    if (key === undefined) {
      const known = closest(variable, [...byVariable.keys(), FILE_VARIABLE])
      faults.push({ path: "", source: variable, problem: `there is no such variable${known}` })
      continue
    }
    let group = tree.values
    for (const name of key.path.slice(0, -1)) group = (group[name] ??= {}) as Record<string, unknown>
    group[key.path.at(-1)!] = fromText(key, text)
    tree.sources.set(key.path.join("."), variable)
  }
  return faults
}

/** The key that an issue is about; issues inside a list are about the list. */
const keyAt = (path: ReadonlyArray<PropertyKey>): SettingKey | undefined => {
  let member: SettingKey | SettingSection | undefined = root
  for (const name of path) {
    if (member === undefined || !isSection(member)) break
    member = member.members.get(String(name))
  }
  return member === undefined || isSection(member) ? undefined : member
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  const masked = text.replace(/\/\/[^/@]*@/g, "//…@")
  return masked.length > 80 ? `${masked.slice(0, 80)}…` : masked
}

/** The tree holds groups where groups belong, so that an issue is about a key, or repeats one that is. */
const explain = (error: ParseResult.ParseError, tree: SettingsFile.Tree): Array<Fault> => {
  const faults = new Map<string, Fault>()
  for (const issue of ParseResult.ArrayFormatter.formatErrorSync(error)) {
    const key = keyAt(issue.path)
    if (key === undefined) continue
    const path = key.path.join(".")
    const value = key.path.reduce<unknown>((group, name) => (group as Record<string, unknown>)[name], tree.values)
    const problem = `${key.secret ? "what is given" : shown(value)} is not ${key.allowed}`
    faults.set(path, { path, source: tree.sources.get(path) ?? "the configuration", problem })
  }
  return [...faults.values()]
}

/** What others reach is not served to whoever asks. */
const exposed = ({ sources, values }: SettingsFile.Tree): Array<Fault> => {
  const http = Schema.decodeUnknownEither(HttpConfig)(values["http"] ?? {})
  if (Either.isLeft(http) || !isExposed(http.right)) return []
  const problem =
    `a token is needed, since other machines reach ${http.right.host}: ` +
    "give 16 random letters and digits or more, or set http.host to 127.0.0.1"
  const source = sources.get("http.token") ?? sources.get("http.host") ?? "the configuration"
  return [{ path: "http.token", source, problem }]
}

/** A key with no use, or two for one: books would be polled by one who thinks that he has them as they change. */
const kalshiKey = ({ sources, values }: SettingsFile.Tree): Array<Fault> => {
  const given = (values["platforms"] as Record<string, unknown> | undefined)?.["kalshi"]
  const decoded = Schema.decodeUnknownEither(KalshiConfig)(given ?? {})
  if (Either.isLeft(decoded)) return []
  const fault = Credentials.pairFault(decoded.right)
  return fault === undefined ? [] : [keyFault(fault, sources)]
}

const keyFault = ({ key, problem }: Credentials.KeyFault, sources: SettingsFile.Tree["sources"]): Fault => {
  const paths = [key, "key_id", "private_key_path", "private_key"].map((name) => `platforms.kalshi.${name}`)
  const source = paths.map((path) => sources.get(path)).find((one) => one !== undefined)
  return { path: paths[0]!, source: source ?? "the configuration", problem }
}

const decode = Schema.decodeUnknownEither(Settings, { errors: "all", onExcessProperty: "error" })

/** Checks a file's text, if there is one, with what the environment overrides. */
export const parse = (
  file: { readonly name: string; readonly text: string } | undefined,
  env: Environment
): Either.Either<Settings, SettingsError> => {
  const tree = file === undefined ? undefined : SettingsFile.read(file.text, file.name, root)
  const merged: SettingsFile.Tree = tree ?? { values: {}, sources: new Map() }
  const faults = [...(tree?.faults ?? []), ...overlay(merged, env)]
  const decoded = decode(merged.values)
  if (Either.isLeft(decoded)) faults.push(...explain(decoded.left, merged))
  faults.push(...exposed(merged), ...kalshiKey(merged))
  return faults.length === 0 && Either.isRight(decoded)
    ? Either.right(decoded.right)
    : Either.left(new SettingsError({ faults }))
}

/** Why a file cannot be read, by the reason of the file system. */
const unreadable: ReadonlyMap<string, string> = new Map([
  ["NotFound", "there is no such file"],
  ["PermissionDenied", "the file may not be read"]
])

/** Refuses a key that its venue's client could not sign with. Reads the file that holds it, if one does. */
export const checkKey = (settings: Settings): Effect.Effect<Settings, SettingsError> =>
  Effect.flatMap(Credentials.load(settings.platforms.kalshi), (credentials) =>
    credentials._tag === "Unusable" && settings.platforms.kalshi.enabled
      ? new SettingsError({ faults: [keyFault(credentials, new Map())] })
      : Effect.succeed(settings)
  )

const readText = (name: string, source: string): Effect.Effect<string, SettingsError, FileSystem.FileSystem> => {
  const refuse = (problem: string) =>
    new SettingsError({ faults: [{ path: "", source, problem: `${name}: ${problem}` }] })
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(name)
    if (info.type === "Directory") return yield* refuse("a file is expected, not a directory")
    return yield* fs.readFileString(name)
  }).pipe(
    Effect.catchTags({
      SystemError: (error) => refuse(unreadable.get(error.reason) ?? "the file cannot be read"),
      BadArgument: () => refuse("this does not name a file")
    })
  )
}

/** Reads the file that `--config` or else `PARALLAX_CONFIG` names; without either the defaults serve. */
export const load = (options: {
  readonly file?: string | undefined
  readonly env: Environment
}): Effect.Effect<Settings, SettingsError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { env, file } = options
    const named = env[FILE_VARIABLE] === "" ? undefined : env[FILE_VARIABLE]
    const name = file ?? named
    if (name === undefined) return yield* parse(undefined, env)
    const text = yield* readText(name, file === undefined ? FILE_VARIABLE : "--config")
    return yield* parse({ name, text }, env)
  })
