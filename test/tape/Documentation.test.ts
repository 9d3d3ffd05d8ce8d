/** The format is open: the reader in its description reads a real tape. */
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { nameOf, packedName, plainName } from "../../src/tape/TapeDirectory.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { frames, numbered } from "./Inputs.ts"
import { eventually, files, write } from "./Tapes.ts"

const page = readFileSync(new URL("../../docs/tape.md", import.meta.url), "utf8")
const hasPython = spawnSync("python3", ["--version"]).status === 0

describe("the description of the tape", () => {
  it.scoped.skipIf(!hasPython)("has a reader in another language", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory)
      tape.append({ _tag: "Swept", receivedTime: 1.5 })
      tape.append(frames("c-1", 2, "one", "two"))
      tape.rotate(Buffer.from("state"))
      tape.append(numbered(3))
      yield* tape.flush
      const packed = packedName(nameOf(tape.run, 0))
      yield* eventually(Effect.map(files(directory), (all) => all.includes(packed)))
      const script = join(directory, "reader.py")
      writeFileSync(script, /```python\n([\s\S]*?)```/.exec(page)?.[1] ?? "")
      const read = (name: string) => execFileSync("python3", [script, join(directory, name)], { encoding: "utf8" })
      assert.strictEqual(
        read(packed),
        "1 1.5 {'_tag': 'Swept', 'receivedTime': 1.5}\n" +
          "2 2.0 {'_tag': 'Frames', 'venue': 'polymarket', 'connection': 'c-1', 'frames': [b'one', b'two']}\n"
      )
      assert.match(read(plainName(nameOf(tape.run, 2))), /^3 3\.0 .*b'\{"n":3\}'\]\}\n$/)
    })
  )
})
