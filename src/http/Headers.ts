/** What every answer tells a browser: to believe its type, keep nothing, run nothing, and let no other site have it. */
import { createHash } from "node:crypto"

const COMMON = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Headers of all answers, those that Node gives by itself included. */
export const security: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; ${COMMON}`,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}

/** The sources of elements without attributes: those with attributes hold data, or lead elsewhere and stay forbidden. */
const hashesOf = (html: string, element: "script" | "style"): string =>
  [...html.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, "g"))]
    .map(([, source]) => `'sha256-${createHash("sha256").update(source!).digest("base64")}'`)
    .join(" ")

const policies = new WeakMap<Uint8Array, string>()

/**
 * The policy of a page of ours: the scripts and styles within it, named by their digests, and nothing from elsewhere.
 * A page is read once for as long as the same bytes are served.
 */
export const policyOfPage = (page: Uint8Array): string => {
  const known = policies.get(page)
  if (known !== undefined) return known
  const html = new TextDecoder().decode(page)
  const policy =
    `default-src 'none'; script-src ${hashesOf(html, "script")}; style-src ${hashesOf(html, "style")}; ` +
    `img-src data:; font-src data:; connect-src 'self'; ${COMMON}`
  policies.set(page, policy)
  return policy
}
