/** The beginning of a JSON value, for people: short whatever the value is, and without what nobody may see. */
import { isObject } from "./Reading.ts"

const LONGEST = 300
const DEEPEST = 8
/** Keys whose values are left out, wherever they stand: credentials, and the accounts that some venues name by them. */
const SECRET = /secret|pass(?:word|phrase)|signature|api_?key|private_?key|access_?(?:key|token)|authorization|^owner$/i

/** As JSON, cut to 300 characters. `path` is where the value stands: its last key may be a secret's. */
export const excerpt = (value: unknown, path = ""): string => {
  let text = ""
  const print = (value: unknown, depth: number): void => {
    if (text.length >= LONGEST) return
    if (typeof value === "string") text += JSON.stringify(value.slice(0, LONGEST))
    else if (depth >= DEEPEST && typeof value === "object" && value !== null) text += "…"
    else if (Array.isArray(value)) {
      text += "["
      for (let i = 0; i < value.length && text.length < LONGEST; i++) {
        if (i > 0) text += ","
        print(value[i], depth + 1)
      }
      text += "]"
    } else if (isObject(value)) {
      text += "{"
      let first = true
      for (const key in value) {
        if (text.length >= LONGEST) break
        text += `${first ? "" : ","}${JSON.stringify(key.slice(0, LONGEST))}:`
        first = false
        if (SECRET.test(key)) text += '"(left out)"'
        else print(value[key], depth + 1)
      }
      text += "}"
    } else text += String(value)
  }
  if (path.split(".").some((key) => SECRET.test(key.replaceAll("[]", "")))) return "(left out)"
  print(value, 0)
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
}
