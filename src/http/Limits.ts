/** How much a request may say, whatever it asks for. Limits of one parameter are with the parameter. */
import type { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { pathOf, refuse, refuseParameter, unknownParameter } from "./Refusals.ts"

/** Bytes of the first line and all headers; Node refuses what is longer. */
export const MAX_HEADER_BYTES = 16_384
/** Characters of path and query: a cursor, a search of 200 escaped signs of three bytes each, and room. */
export const MAX_URL_LENGTH = 4096

/** Whether a body comes with the request. */
export const hasBody = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["transfer-encoding"] !== undefined || !/^0*$/.test(headers["content-length"] ?? "")

/** The refusal of a request that says too much; nothing for the others. */
export const refusalOf = (
  request: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse | undefined => {
  const { method, url } = request
  if (url.length > MAX_URL_LENGTH) {
    return refuse(414, "UriTooLong", `a path and query of at most ${MAX_URL_LENGTH} characters is expected`)
  }
  if ((method === "GET" || method === "HEAD") && hasBody(request)) {
    return refuse(413, "ContentTooLarge", "no body is expected")
  }
  // The router reads parameters into an object, where this name would be lost and so go unrefused.
  return new URLSearchParams(url.slice(pathOf(request).length)).has("__proto__")
    ? refuseParameter(unknownParameter("__proto__"))
    : undefined
}
