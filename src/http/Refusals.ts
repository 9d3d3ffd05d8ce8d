/** How a request is refused whose parameters do not decode. */
import { HttpApiBuilder, HttpApiError, HttpServerResponse } from "@effect/platform"
import { Cause, Effect, type Layer } from "effect"
import { InvalidRequest } from "./ApiSchemas.ts"

/** The first parameter that errs. Issues that only say that it might have been left out help nobody. */
const explain = ({ issues }: HttpApiError.HttpApiDecodeError): InvalidRequest => {
  const issue = issues.find(({ message }) => !message.startsWith("Expected undefined")) ?? issues[0]
  const parameter = String(issue?.path[0] ?? "")
  const message =
    issue?._tag === "Unexpected" ? `there is no parameter ${parameter}` : `${parameter}: ${issue?.message ?? "refused"}`
  return new InvalidRequest({ parameter, message })
}

export const layer: Layer.Layer<never> = HttpApiBuilder.middleware((app) =>
  Effect.catchAllCause(app, (cause) => {
    const error: unknown = Cause.squash(cause)
    if (!(error instanceof HttpApiError.HttpApiDecodeError)) return Effect.failCause(cause)
    const { _tag, message, parameter } = explain(error)
    return Effect.succeed(HttpServerResponse.unsafeJson({ _tag, parameter, message }, { status: 400 }))
  })
)
