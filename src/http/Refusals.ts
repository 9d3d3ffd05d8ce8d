/** How requests are refused that no handler answers. */
import { HttpApiBuilder, HttpApiError, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Effect, type Layer } from "effect"
import { InvalidRequest } from "./ApiSchemas.ts"

/** The path without its query. */
export const pathOf = (request: HttpServerRequest.HttpServerRequest): string => request.url.split("?", 1)[0] ?? ""

/** A refusal in the form of all others: what it is called, and words for whoever asked. */
export const refuse = (
  status: number,
  tag: string,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): HttpServerResponse.HttpServerResponse => HttpServerResponse.unsafeJson({ _tag: tag, message }, { status, headers })

/** A parameter that errs. */
export const refuseParameter = ({ _tag, message, parameter }: InvalidRequest): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson({ _tag, parameter, message }, { status: 400 })

/** A parameter that no endpoint has. */
export const unknownParameter = (parameter: string): InvalidRequest =>
  new InvalidRequest({ parameter, message: `there is no parameter ${parameter}` })

/** The first parameter that errs. Issues that only say that it might have been left out help nobody. */
const explain = ({ issues }: HttpApiError.HttpApiDecodeError): InvalidRequest => {
  const issue = issues.find(({ message }) => !message.startsWith("Expected undefined")) ?? issues[0]
  const parameter = String(issue?.path[0] ?? "")
  return issue?._tag === "Unexpected"
    ? unknownParameter(parameter)
    : new InvalidRequest({ parameter, message: `${parameter}: ${issue?.message ?? "refused"}` })
}

/** Answers requests whose parameters do not decode. */
export const layer: Layer.Layer<never> = HttpApiBuilder.middleware((app) =>
  Effect.catchAllCause(app, (cause) => {
    const error: unknown = Cause.squash(cause)
    return error instanceof HttpApiError.HttpApiDecodeError
      ? Effect.succeed(refuseParameter(explain(error)))
      : Effect.failCause(cause)
  })
)
