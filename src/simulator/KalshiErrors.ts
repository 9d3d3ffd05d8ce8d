/** The four shapes of error body that Kalshi answers with (Kalshi reference §5.1, §5.2). */
import { type Reply, json } from "./Rest.ts"

/** Most errors: `{"error":{"code","message","details"?}}`; the message is the code with spaces unless said otherwise. */
export const nested = (status: number, code: string, details?: string, message = code.replaceAll("_", " ")): Reply =>
  json(status, { error: { code, message, ...(details === undefined ? {} : { details }) } })

/** What cannot be read at all: `{"code","message","details"}`. */
export const flat = (details: string): Reply => json(400, { code: "bad_request", message: "bad request", details })

/** A query that breaks a rule of its endpoint: `{"msg"}`. */
export const invalid = (operation: string, field: string, tag: string): Reply =>
  json(400, {
    msg:
      `Parameter validation failed for ${operation}: Key: '${operation}Params.${field}' ` +
      `Error:Field validation for '${field}' failed on the '${tag}' tag`
  })

/** An empty token bucket: `{"error"}`, a string, and no Retry-After. */
export const tooManyRequests: Reply = json(429, { error: "too many requests" })

export const notFound: Reply = nested(404, "not_found")

/** What the edge in front of the exchange answers when there is nobody behind it. */
export const badGateway = (status: number): Reply => ({
  status,
  body: `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center></body>\r\n</html>\r\n`,
  headers: { "content-type": "text/html" }
})
