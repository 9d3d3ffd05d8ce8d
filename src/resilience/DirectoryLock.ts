/**
 * Keeps two processes from working in one directory: neither the embedded database nor the tape would notice.
 *
 * The lock is a file beside the directory that says who holds it. A holder that died leaves it behind, so whoever finds
 * one looks for the holder. A process id is not enough for that: ids are used again, above all 1 in a container. It is
 * the same process only if it started at the same time, which can be seen from within its own PID namespace alone; of a
 * holder elsewhere (another container, another machine) nothing shows but that it touches the file.
 */
import { randomUUID } from "node:crypto"
import { link, mkdir, readFile, readlink, rm, stat, utimes, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { Clock, Data, Duration, Effect, Option, Schedule, Schema, type Scope } from "effect"

/** Another process, or another part of this one, works in the directory. */
export class DirectoryLocked extends Data.TaggedError("DirectoryLocked")<{
  readonly directory: string
  readonly pid: number
}> {
  override get message(): string {
    return `${this.directory} is in use by process ${this.pid}`
  }
}

/** The lock could not be taken for another reason, such as a directory that may not be written. */
export class DirectoryUnusable extends Data.TaggedError("DirectoryUnusable")<{
  readonly directory: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.directory}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const Holder = Schema.parseJson(
  Schema.Struct({
    pid: Schema.Int,
    /** When the process started, in the kernel's clock; `null` where there is no `/proc`. */
    started: Schema.NullOr(Schema.String),
    /** Within which PID namespace of which boot `pid` means anything. */
    realm: Schema.String,
    token: Schema.String
  })
)
type Holder = typeof Holder.Type

const HEARTBEAT = Duration.seconds(2)
/** A holder elsewhere that does not touch its lock for this long is dead. */
const SILENCE = Duration.seconds(7)

const attempt = <A>(directory: string, work: () => Promise<A>): Effect.Effect<A, DirectoryUnusable> =>
  Effect.tryPromise({ try: work, catch: (cause) => new DirectoryUnusable({ directory, cause }) })

const optional = (work: () => Promise<string>): Effect.Effect<string | null> =>
  Effect.orElseSucceed(Effect.tryPromise(work), () => null)

/** Field 22 of `/proc/<pid>/stat`, counted behind the command's name, which may hold anything; none of a zombie. */
const startTime = (pid: number): Effect.Effect<string | null> =>
  optional(() => readFile(`/proc/${pid}/stat`, "latin1")).pipe(
    Effect.map((text) => {
      const [state, ...fields] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? []
      return state === "Z" || state === "X" ? null : (fields[18] ?? null)
    })
  )

const thisRealm: Effect.Effect<string> = Effect.map(
  Effect.all([
    optional(() => readFile("/proc/sys/kernel/random/boot_id", "latin1")),
    optional(() => readlink("/proc/self/ns/pid"))
  ]),
  ([boot, namespace]) => `${boot?.trim() ?? ""} ${namespace ?? ""}`
)

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

const touchedAt = (file: string): Effect.Effect<number> =>
  Effect.orElseSucceed(
    Effect.tryPromise(() => stat(file)),
    () => ({ mtimeMs: 0 })
  ).pipe(Effect.map(({ mtimeMs }) => mtimeMs))

/** Looks twice, as far apart as a living holder would never be silent. */
const isTouched = (file: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const before = yield* touchedAt(file)
    if ((yield* Clock.currentTimeMillis) - before > Duration.toMillis(SILENCE) * 10) return false
    yield* Effect.logInfo(`${file} is of a process elsewhere; waiting to see whether it lives`)
    yield* Effect.sleep(SILENCE)
    return (yield* touchedAt(file)) !== before
  })

const isAlive = (file: string, holder: Holder, realm: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    if (holder.realm !== realm) return yield* isTouched(file)
    if (!exists(holder.pid)) return false
    return holder.started === null || (yield* startTime(holder.pid)) === holder.started
  })

/** Who holds it; nobody, where there is no lock or it cannot be made out. */
const read = (file: string): Effect.Effect<Option.Option<Holder>> =>
  Effect.option(
    Effect.flatMap(
      Effect.tryPromise(() => readFile(file, "utf8")),
      Schema.decode(Holder)
    )
  )

const tokenOf = (holder: Option.Option<Holder>): string | undefined => Option.getOrUndefined(holder)?.token

/** How often a lock is looked at again that somebody else is just taking over. */
const PATIENCE = 1000

/** Holds the directory until the scope closes. */
export const acquire = (directory: string): Effect.Effect<void, DirectoryLocked | DirectoryUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const lock = `${directory}.lock`
    const realm = yield* thisRealm
    const token = yield* Effect.sync(() => randomUUID())
    const mine: Holder = { pid: process.pid, started: yield* startTime(process.pid), realm, token }
    const draft = `${lock}.${token}`

    // A link appears with its content or not at all, and never over another.
    const claim = (file: string) =>
      attempt(directory, () => link(draft, file)).pipe(
        Effect.as(true),
        Effect.catchIf(
          ({ cause }) => (cause as NodeJS.ErrnoException).code === "EEXIST",
          () => Effect.succeed(false)
        )
      )
    const remove = (file: string) => Effect.promise(() => rm(file, { force: true }))
    const release = (file: string) =>
      Effect.flatMap(read(file), (holder) => (tokenOf(holder) === token ? remove(file) : Effect.void))
    /**
     * A dead holder's lock is removed only by whoever holds the lock on its removal, and only if it is the same one
     * then: otherwise the second of two who saw it dead would remove the lock of the first.
     */
    const take = (file: string, patience: number): Effect.Effect<void, DirectoryLocked | DirectoryUnusable> =>
      Effect.gen(function* () {
        if (yield* claim(file)) return
        const holder = yield* read(file)
        if (Option.isSome(holder) && (yield* isAlive(file, holder.value, realm))) {
          return yield* new DirectoryLocked({ directory, pid: holder.value.pid })
        }
        const removal = `${file}.removal`
        const evict = Effect.acquireUseRelease(
          take(removal, PATIENCE),
          () => Effect.flatMap(read(file), (now) => (tokenOf(now) === tokenOf(holder) ? remove(file) : Effect.void)),
          () => release(removal)
        )
        yield* Effect.catchIf(
          evict,
          (error) => error._tag === "DirectoryLocked" && patience > 0,
          () => Effect.yieldNow()
        )
        return yield* take(file, patience - 1)
      })
    const beat = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.ignore(attempt(directory, () => utimes(lock, now / 1000, now / 1000)))
    )

    yield* attempt(directory, () => mkdir(dirname(directory), { recursive: true }))
    const text = yield* Effect.orDie(Schema.encode(Holder)(mine))
    yield* Effect.acquireRelease(
      attempt(directory, () => writeFile(draft, text)).pipe(
        Effect.zipRight(take(lock, PATIENCE)),
        Effect.ensuring(remove(draft))
      ),
      () => release(lock)
    )
    yield* Effect.forkScoped(Effect.schedule(beat, Schedule.spaced(HEARTBEAT)))
  })
