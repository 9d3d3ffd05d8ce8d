/** The Retry-After header, in both of its forms (RFC 9110 §10.2.3). */
import { Duration } from "effect"

/** The longest wait that a server may ask for; what is longer is more likely a mistake than a wish. */
const LONGEST = Duration.minutes(15)

/** How long a server asks to wait: seconds or an HTTP date; zero when it does not say, or says nonsense. */
export const retryAfter = (header: string | undefined, now: number): Duration.Duration => {
  const text = header?.trim() ?? ""
  if (text === "") return Duration.zero
  const millis = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(millis) && millis > 0 ? Duration.min(Duration.millis(millis), LONGEST) : Duration.zero
}
