/** Decimals stay text within the list, so that they are exact; `numeric` takes them as they are. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const priceBands = `
  ALTER TABLE markets ADD COLUMN price_bands jsonb;
  COMMENT ON COLUMN markets.tick_size IS 'the finest step between prices; price_bands say where it holds';
  COMMENT ON COLUMN markets.price_bands IS
    'the prices at which it trades: [{"start","end","step"}], ascending, dollars as text; null: unknown';
`

export default Effect.flatMap(SqlClient, (sql) => sql.unsafe(priceBands).unprepared)
