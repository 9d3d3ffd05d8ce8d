/** Who may ask: whoever knows the token where there is one; without one, whoever speaks to this machine by its own name. */
import { createHash, timingSafeEqual } from "node:crypto"
import { BlockList, isIP } from "node:net"
import type { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Redacted } from "effect"
import { pathOf, refuse } from "./Refusals.ts"

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether nobody but this machine reaches the address: 127.0.0.0/8, `::1` or `localhost`. Other names are not looked up. */
export const isLoopback = (host: string): boolean => {
  const version = isIP(host)
  if (version === 0) return /^localhost\.?$/i.test(host)
  // A zone, as in fe80::1%eth0, is none of loopback.
  return !host.includes("%") && loopback.check(host, version === 4 ? "ipv4" : "ipv6")
}

/** A token as RFC 6750 §2.1 writes it, long enough not to be guessed. */
export const TOKEN = /^[A-Za-z0-9._~+/-]{16,512}=*$/

export interface AccessOptions {
  /** The address that is listened on. */
  readonly host: string
  /** Empty where none is asked for. */
  readonly token: Redacted.Redacted
}

/** Whether other machines could ask, and nothing would tell who does. Nobody is served like that. */
export const isExposed = ({ host, token }: AccessOptions): boolean => !isLoopback(host) && Redacted.value(token) === ""

/** Texts of any length become as long as each other, and so comparable in the same time. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Asked for by machines that hold no secret: an orchestrator's probes. Nothing else lies below `/health/`. */
const isPublic = (path: string): boolean => /^\/health\/[a-z]+\/?$/.test(path)

const hostOf = (authority: string): string => {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(authority)
  return match?.[1] ?? match?.[2] ?? ""
}

/**
 * A page of another site can be made to look like this machine's (its name then leads to a loopback address), so that
 * the browser lets it read what is served here. It cannot help saying its own name in `Host`, and it knows no token.
 */
const isRebound = (authority: string | undefined): boolean => authority !== undefined && !isLoopback(hostOf(authority))

const bearerOf = (authorization: string | undefined): string | undefined =>
  /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]

export type Access = (request: HttpServerRequest.HttpServerRequest) => HttpServerResponse.HttpServerResponse | undefined

/** The refusal of a request that may not be answered; nothing for the others. */
export const make = (token: Redacted.Redacted): Access => {
  if (Redacted.value(token) === "") {
    return ({ headers }) =>
      isRebound(headers["host"])
        ? refuse(
            421,
            "MisdirectedRequest",
            "this is served under the names of this machine alone; set http.token to serve it under others"
          )
        : undefined
  }
  const expected = digest(Redacted.value(token))
  return (request) => {
    if (isPublic(pathOf(request))) return undefined
    const given = bearerOf(request.headers["authorization"])
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return undefined
    const message = given === undefined ? "Authorization: Bearer and the token are expected" : "this is not the token"
    return refuse(401, "Unauthorized", message, { "www-authenticate": "Bearer" })
  }
}
