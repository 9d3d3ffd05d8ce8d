/** Which run of the tape a run's rows follow from, and how far: written with the rows, in their transaction. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = `
  ALTER TABLE runs ADD COLUMN tape_run bigint, ADD COLUMN tape_position bigint;
  COMMENT ON COLUMN runs.tape_run IS 'the number of the run on the tape; null: it had none';
  COMMENT ON COLUMN runs.tape_position IS 'the rows of every record up to this one are stored, or their loss is recorded';
  CREATE INDEX runs_tape_run ON runs (tape_run);
`

export default Effect.flatMap(SqlClient, (sql) => sql.unsafe(statements).unprepared)
