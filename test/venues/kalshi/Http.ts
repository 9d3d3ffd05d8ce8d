/** REST answered by a function, for tests. */
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { RateLimit } from "../../../src/resilience/RateLimit.ts"
import * as Client from "../../../src/venues/kalshi/Client.ts"
import * as ClockSkew from "../../../src/venues/kalshi/ClockSkew.ts"
import { KalshiConfig } from "../../../src/venues/kalshi/Config.ts"
import * as Markets from "../../../src/venues/kalshi/Markets.ts"
import * as Rest from "../../../src/venues/kalshi/Rest.ts"
import type { Signer } from "../../../src/venues/kalshi/Signing.ts"

export interface Request {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
}

export interface Answer {
  readonly status?: number
  readonly body: unknown
  readonly headers?: Record<string, string>
}

export const configOf = (fields: object = {}): KalshiConfig =>
  Schema.decodeUnknownSync(KalshiConfig)({ api_url: "http://kalshi.test/trade-api/v2", ...fields })

const unlimited = Layer.succeed(RateLimit, { within: () => (effect) => effect })

export const layerOf = (
  answer: (request: Request) => Answer,
  seen: Array<Request> = [],
  limits: Layer.Layer<RateLimit> = unlimited
): Layer.Layer<HttpClient.HttpClient | RateLimit> =>
  Layer.merge(
    Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request, url) =>
        Effect.sync(() => {
          const asked = {
            path: url.pathname.replace("/trade-api/v2", ""),
            query: url.searchParams,
            headers: request.headers
          }
          seen.push(asked)
          const { body, headers, status } = answer(asked)
          const text = typeof body === "string" ? body : JSON.stringify(body)
          return HttpClientResponse.fromWeb(
            request,
            new Response(text, { status: status ?? 200, headers: headers ?? {} })
          )
        })
      )
    ),
    limits
  )

/** The REST side of the venue over such answers; its quotas count only where limits are given. */
export const make = (
  fields: object,
  answer: (request: Request) => Answer,
  signer?: Signer,
  limits?: Layer.Layer<RateLimit>
) => {
  const seen: Array<Request> = []
  const config = configOf(fields)
  const clockSkew = ClockSkew.make()
  return Effect.map(Client.make(config, signer, clockSkew), (client) => {
    const rest = Rest.make(client)
    return { config, clockSkew, client, rest, markets: Markets.make(config, rest), seen }
  }).pipe(Effect.provide(layerOf(answer, seen, limits)))
}
