/** Requests to Kalshi: signed where there is a key, paced, tried again, every refusal as a typed error (§1.3, §5). */
import { HttpClient, HttpClientRequest } from "@effect/platform"
import { Clock, Effect, Either, ParseResult, Schema } from "effect"
import type { CircuitOpen, Snapshot } from "../../resilience/CircuitBreaker.ts"
import type { Watch } from "../../resilience/DriftLog.ts"
import * as HttpJson from "../../resilience/HttpJson.ts"
import { RateLimit } from "../../resilience/RateLimit.ts"
import { makeBreaker, resilient } from "../../resilience/Resilient.ts"
import { VenueError, type VenueErrorReason } from "../Venue.ts"
import type { ClockSkew } from "./ClockSkew.ts"
import type { KalshiConfig } from "./Config.ts"
import { KALSHI } from "./Normalize.ts"
import { BASIC, type Bucket, costOf, quotaOf } from "./Quotas.ts"
import type { Signer } from "./Signing.ts"
import { ErrorBody } from "./Wire.ts"

export type Query = ReadonlyArray<readonly [string, string]>

export interface Client {
  /** `GET` of a path below `api_url`, decoded. */
  readonly get: <A, I>(schema: Schema.Schema<A, I>, path: string, query?: Query) => Effect.Effect<A, VenueError>
  /** What the account is granted; the basic tier's bucket counts until it is told. */
  readonly grant: (bucket: Bucket) => void
  readonly breaker: Effect.Effect<Snapshot>
  readonly clockSkew: ClockSkew
}

export const failed = (reason: VenueErrorReason, where: string, detail: string): VenueError =>
  new VenueError({ venue: KALSHI, reason, where, detail })

const decodeErrorBody = Schema.decodeUnknownEither(Schema.parseJson(ErrorBody))

/** The words of an error body, whichever of its shapes it has; other text as it is (§5.1). */
export const errorText = (body: string): string =>
  Either.match(decodeErrorBody(body), {
    onLeft: () => body,
    onRight: (parsed) => {
      if ("msg" in parsed) return parsed.msg
      const inner = "error" in parsed ? parsed.error : parsed
      if (typeof inner === "string") return inner
      const { code, details, message } = inner
      // The message mostly is the code with spaces in it.
      const words = message !== undefined && message.replaceAll(" ", "_") !== code ? message : undefined
      return [code, words, details].filter((part) => part !== undefined && part !== "").join(": ") || body
    }
  })

/** A refused signature with what is known of the clock, which is the likeliest cause that is not the key's fault. */
const withClock = (text: string, clockSkew: ClockSkew): string => {
  const warning = clockSkew.warning()
  return warning === "" ? text : `${text}; ${warning}`
}

/** Why a handshake or a request was not let in, for people. */
export const refusal = (body: string, clockSkew: ClockSkew): string => withClock(errorText(body), clockSkew)

/** Signs each attempt anew and reads the venue's clock off each answer. */
const observing = (
  client: HttpClient.HttpClient,
  signer: Signer | undefined,
  clockSkew: ClockSkew
): HttpClient.HttpClient =>
  HttpClient.transform(
    signer === undefined
      ? client
      : HttpClient.mapRequestEffect(client, (request) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const time = now - clockSkew.correction()
            return HttpClientRequest.setHeaders(
              request,
              signer.headers(request.method, new URL(request.url).pathname, time)
            )
          })
        ),
    (answer) =>
      Effect.gen(function* () {
        const sent = yield* Clock.currentTimeMillis
        const response = yield* answer
        yield* clockSkew.observe(response.headers, sent, yield* Clock.currentTimeMillis)
        return response
      })
  )

export const make = (
  config: KalshiConfig,
  signer: Signer | undefined,
  clockSkew: ClockSkew,
  onAnswer: Watch["answer"] = () => {}
): Effect.Effect<Client, never, HttpClient.HttpClient | RateLimit> =>
  Effect.gen(function* () {
    const requestOnce = HttpJson.request(observing(yield* HttpClient.HttpClient, signer, clockSkew))
    const limits = yield* RateLimit
    const breaker = yield* makeBreaker("kalshi rest")
    /** A signature that is refused may only be of the wrong time, which the refusal tells. */
    const request: typeof requestOnce = (...args) =>
      Effect.suspend(() => {
        const used = clockSkew.correction()
        return Effect.catchIf(
          requestOnce(...args),
          ({ status }) => status === 401 && signer !== undefined && clockSkew.refused(used),
          () => requestOnce(...args)
        )
      })
    let quota = quotaOf(BASIC, config.max_requests_per_second)

    const detailOf = (failure: HttpJson.HttpFailure): string =>
      HttpJson.meaning(failure) === "unauthorized" ? refusal(failure.detail, clockSkew) : errorText(failure.detail)

    const venueError = (where: string) => (failure: HttpJson.HttpFailure | CircuitOpen) =>
      new VenueError({
        venue: KALSHI,
        reason: HttpJson.meaning(failure),
        where,
        detail: failure._tag === "CircuitOpen" ? failure.message : detailOf(failure),
        retryAfter: failure.retryAfter,
        cause: failure
      })

    return {
      clockSkew,
      breaker: breaker.snapshot,
      grant: (bucket) => {
        quota = quotaOf(bucket, config.max_requests_per_second)
      },
      get: (schema, path, query) => {
        const url = `${config.api_url}${path}`
        return request("GET", url, query === undefined ? {} : { query }).pipe(
          resilient({ breaker, limits, quotas: [quota], cost: costOf(path) }),
          Effect.mapError(venueError(`GET ${url}`)),
          Effect.tap((body) => Effect.map(Clock.currentTimeMillis, (now) => onAnswer(schema, body, now))),
          Effect.flatMap((body) =>
            Effect.mapError(Schema.decodeUnknown(schema)(body), (error) =>
              failed("protocol", `GET ${url}`, ParseResult.TreeFormatter.formatErrorSync(error).slice(0, 500))
            )
          )
        )
      }
    }
  })
