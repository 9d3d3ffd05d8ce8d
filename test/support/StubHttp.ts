/** An HTTP client that answers as a test says, and remembers what it was asked. */
import { HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { Clock, Effect, Layer } from "effect"

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown
  /** Milliseconds before the answer comes. */
  readonly after?: number
}

export interface Asked {
  readonly at: number
  readonly url: URL
}

/** `undefined` stands for a connection that is refused. */
export const make = (answer: (url: URL, times: number) => Answer | undefined) => {
  const asked: Array<Asked> = []
  const times = new Map<string, number>()
  const client = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      asked.push({ at: yield* Clock.currentTimeMillis, url })
      times.set(url.href, (times.get(url.href) ?? 0) + 1)
      const said = answer(url, times.get(url.href)!)
      if (said === undefined) {
        const cause = new Error("fetch failed", { cause: new Error("connect ECONNREFUSED") })
        return yield* new HttpClientError.RequestError({ request, reason: "Transport", cause })
      }
      const { after = 0, body, headers = {}, status = 200 } = said
      if (after > 0) yield* Effect.sleep(after)
      const text = typeof body === "string" ? body : JSON.stringify(body ?? null)
      return HttpClientResponse.fromWeb(request, new Response(text, { status, headers }))
    })
  )
  return { client, asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}
