import { assert, describe, it } from "@effect/vitest"
import type { Frames } from "../../src/domain/Input.ts"
import { VenueId } from "../../src/domain/Market.ts"
import * as Retold from "../../src/simulator/Retold.ts"

const frames = (connection: string, receivedTime: number, ...texts: ReadonlyArray<string>): Frames => ({
  _tag: "Frames",
  venue: VenueId.make("kalshi"),
  connection,
  frames: texts.map((text) => Buffer.from(text)),
  receivedTime
})

const payloads = (lines: ReadonlyArray<string>) => lines.map((line) => JSON.parse(line).payloadUtf8 as string)

describe("several connections as one", () => {
  it("keep Polymarket's frames as they were, with their times", () => {
    assert.deepStrictEqual(Retold.polymarket()(frames("a", 5, "[]", "PONG")), [
      '{"receivedAt":"1970-01-01T00:00:00.005Z","payloadUtf8":"[]"}',
      '{"receivedAt":"1970-01-01T00:00:00.005Z","payloadUtf8":"PONG"}'
    ])
  })

  it("count Kalshi's messages on, channel by channel, whatever a connection called them", () => {
    const retell = Retold.kalshi()
    const subscribed = (channel: string, sid: number) =>
      JSON.stringify({ type: "subscribed", id: 1, msg: { channel, sid } })
    const delta = (sid: number, seq: number) => JSON.stringify({ type: "orderbook_delta", sid, seq, msg: {} })
    const told = [
      retell(frames("a", 1, subscribed("orderbook_delta", 7), subscribed("trade", 8), delta(7, 1), delta(7, 2))),
      retell(frames("a", 2, '{"type":"ok","sid":7,"seq":3,"msg":{}}', "nonsense", delta(7, 4), delta(99, 1))),
      retell(frames("b", 3, subscribed("orderbook_delta", 1), delta(1, 1), '{"type":"ticker","sid":8,"msg":{}}')),
      retell(frames("a", 4, '{"type":"trade","sid":8,"seq":1,"msg":{}}'))
    ]
    assert.deepStrictEqual(told.map(payloads), [
      [
        '{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}',
        '{"type":"subscribed","id":2,"msg":{"channel":"trade","sid":2}}',
        '{"type":"orderbook_delta","sid":1,"seq":1,"msg":{}}',
        '{"type":"orderbook_delta","sid":1,"seq":2,"msg":{}}'
      ],
      ['{"type":"orderbook_delta","sid":1,"seq":3,"msg":{}}'],
      ['{"type":"orderbook_delta","sid":1,"seq":4,"msg":{}}'],
      ['{"type":"trade","sid":2,"seq":1,"msg":{}}']
    ])
  })
})
