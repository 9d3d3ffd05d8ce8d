/** What Polymarket meters, as far as it is called here (Polymarket reference §10). */
import type { Quota } from "../../resilience/RateLimit.ts"

/**
 * Half of what the venue grants in ten seconds, in tenths of that time so that it does not come as a burst: the venue
 * slows calls down before it refuses them, at about nine tenths of the published figure.
 */
const half = (scope: string, perTenSeconds: number): Quota => ({
  scope: `polymarket ${scope}`,
  windows: [{ limit: perTenSeconds / 20, window: "1 seconds" }]
})

const everything = half("everything", 15_000)
const clob = half("clob", 9_000)
const gamma = half("gamma", 4_000)

/** By what is called: every scope that meters it, the narrowest first. */
export const QUOTAS = {
  book: [half("clob /book", 1_500), clob, everything],
  clob: [clob, everything],
  gammaMarkets: [half("gamma /markets", 300), half("gamma listings", 900), gamma, everything],
  gammaTags: [half("gamma /comments, /tags", 200), gamma, everything]
} as const
