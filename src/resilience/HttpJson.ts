/** JSON over HTTP with a bound on everything: time, size, attempts, and a typed word for each way to fail. */
import { type HttpBody, type HttpClient, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Clock, Data, Duration, Effect, Option, Stream } from "effect"
import type { CircuitOpen } from "./CircuitBreaker.ts"
import { retryAfter } from "./RetryAfter.ts"

export class HttpFailure extends Data.TaggedError("HttpFailure")<{
  readonly reason: "unreachable" | "timeout" | "status" | "body"
  readonly method: string
  readonly url: string
  /** 0 when there was no answer. */
  readonly status: number
  readonly detail: string
  readonly retryAfter: Duration.Duration
}> {
  override get message(): string {
    return `${this.method} ${this.url}: ${this.status > 0 ? `${this.status} ` : ""}${this.detail}`
  }
}

/** No answer, or one that says that the other side is not well: server faults, and restarts of the matching engine (425). */
export const isOutage = (error: HttpFailure): boolean =>
  error.reason === "unreachable" || error.reason === "timeout" || error.status === 425 || error.status >= 500

/** What passes by itself. */
export const isTransient = (error: HttpFailure): boolean => isOutage(error) || error.status === 429

/** How long everybody is asked to keep away: by any 429, and by an outage that says when it will be over. */
export const pause = (error: HttpFailure): Option.Option<Duration.Duration> =>
  error.status === 429 || (isOutage(error) && !Duration.isZero(error.retryAfter))
    ? Option.some(error.retryAfter)
    : Option.none()

/** What a request that failed, or was not made, means to whoever wanted it. */
export const meaning = (error: HttpFailure | CircuitOpen) => {
  if (error._tag === "CircuitOpen") return "unavailable"
  if (error.reason === "unreachable" || error.reason === "timeout") return error.reason
  if (error.reason === "body") return "protocol"
  if (error.status === 429) return "rate-limited"
  if (error.status === 401 || error.status === 403) return "unauthorized"
  if (error.status === 404) return "not-found"
  return isTransient(error) ? "unavailable" : "rejected"
}

export interface RequestOptions {
  readonly query?: ReadonlyArray<readonly [string, string]>
  readonly body?: HttpBody.HttpBody
  readonly timeout?: Duration.DurationInput
  /** The largest answer that is read. */
  readonly maxBytes?: number
}

const MAX_DETAIL = 200
/** The longest page of a market list takes about 3 MB. */
const MAX_BYTES = 64 * 1024 * 1024

/** The words in an error body: JSON with an `error` field, or text, or a page of HTML without its tags. */
const explain = (text: string): string =>
  text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, MAX_DETAIL) || "empty body"

/** One request, one attempt; the answer parsed as JSON but not yet decoded. */
export const request =
  (client: HttpClient.HttpClient) =>
  (method: "GET" | "POST", url: string, options: RequestOptions = {}): Effect.Effect<unknown, HttpFailure> => {
    const fail = (reason: HttpFailure["reason"], detail: string, status = 0, wait = Duration.zero) =>
      new HttpFailure({ reason, method, url, status, detail, retryAfter: wait })

    const maxBytes = options.maxBytes ?? MAX_BYTES
    const textOf = ({ status, stream }: HttpClientResponse.HttpClientResponse) =>
      Effect.suspend(() => {
        const decoder = new TextDecoder()
        let text = ""
        let bytes = 0
        return stream.pipe(
          Stream.catchAll((error) =>
            error.reason === "EmptyBody"
              ? Stream.empty
              : fail("unreachable", describeCause(error.cause, error.reason), status)
          ),
          Stream.runForEach((chunk) => {
            bytes += chunk.byteLength
            if (bytes > maxBytes) return fail("body", `the answer is longer than ${maxBytes} bytes`, status)
            text += decoder.decode(chunk, { stream: true })
            return Effect.void
          }),
          Effect.map(() => text + decoder.decode())
        )
      })

    const read = (response: HttpClientResponse.HttpClientResponse) =>
      Effect.gen(function* () {
        const text = yield* textOf(response)
        if (response.status < 200 || response.status >= 300) {
          const wait = retryAfter(response.headers["retry-after"], yield* Clock.currentTimeMillis)
          return yield* fail("status", explain(text), response.status, wait)
        }
        return yield* Effect.try({
          try: (): unknown => JSON.parse(text),
          catch: () => fail("body", `the answer is not JSON: ${explain(text)}`, response.status)
        })
      })

    return client
      .execute(
        HttpClientRequest.make(method)(url, {
          acceptJson: true,
          urlParams: options.query ?? [],
          ...(options.body === undefined ? {} : { body: options.body })
        })
      )
      .pipe(
        Effect.mapError((error) =>
          fail("unreachable", error._tag === "RequestError" ? describeCause(error.cause, error.reason) : error.reason)
        ),
        Effect.flatMap(read),
        Effect.timeoutFail({
          duration: options.timeout ?? "10 seconds",
          onTimeout: () => fail("timeout", "no answer in time")
        })
      )
  }

const describeCause = (cause: unknown, otherwise: string): string => {
  if (!(cause instanceof Error)) return otherwise
  const inner = cause.cause instanceof Error ? cause.cause : cause
  return inner.message || otherwise
}
