/**
 * JobRow: a job as the embedded database has it.
 *
 * Owns the columns and the way back to a record. Invariant: a row that is not what this program wrote becomes a
 * fault, never a record with holes.
 */
import { fault } from "../../model/fault.ts";
import { JOB_STATES } from "../../model/job.ts";
import type { JobEnd, JobRecord, JobState, JobSummary } from "../../model/job.ts";
import type { NewJob } from "../job_store.ts";
import { numberOf, type Row, textOf } from "./function_row.ts";

/** The columns of a summary. */
export const SUMMARY_COLUMNS = "id, tenant, function_id, state, attempt, trace, input_bytes, output_bytes, " +
  "created_unix_ms, started_unix_ms, finished_unix_ms, cancel_requested, end";

/** The columns of a record. */
export const JOB_COLUMNS = `${SUMMARY_COLUMNS}, ` +
  "CASE call WHEN '' THEN (SELECT long.call FROM job_calls AS long WHERE long.seq = jobs.seq) ELSE call END AS call";

/** The columns of a new job, in the order of `toJobValues`. */
export const NEW_JOB_COLUMNS =
  "id, tenant, function_id, state, attempt, call, trace, input_bytes, output_bytes, " +
  "created_unix_ms, cancel_requested, kept_bytes, idempotency_key, request_digest";

/** What the table and its indexes take for a job besides its texts, roughly. */
const ROW_BYTES = 512;

/** Longest text of a call that is in its job's row; a longer one has a row of its own. */
const CALL_LENGTH_MAX = 1024;

/** The text of a call that is too long for its job's row; undefined for one that is not. */
export function longCallOf({ call }: NewJob): string | undefined {
  const text = JSON.stringify(call);
  return text.length > CALL_LENGTH_MAX ? text : undefined;
}

/** The values of a new job, queued, in the order of NEW_JOB_COLUMNS; with `longCall` its call is left out. */
export function toJobValues(job: NewJob, longCall: string | undefined): readonly (string | number | null)[] {
  const call = longCall ?? JSON.stringify(job.call);
  const trace = JSON.stringify(job.trace);
  return [
    job.id,
    job.tenant,
    job.functionId,
    "queued" satisfies JobState,
    0,
    longCall === undefined ? call : "",
    trace,
    job.input.length,
    0,
    job.createdUnixMs,
    0,
    call.length + trace.length + ROW_BYTES,
    job.idempotency?.key ?? null,
    job.idempotency?.requestDigest ?? null,
  ];
}

/**
 * The record of a row.
 *
 * @throws RuntimeFault `internal` when a column is not of its type
 */
export function fromJobRow(row: Row): JobRecord {
  return { ...fromSummaryRow(row), call: parse(textOf(row, "call")) as JobRecord["call"] };
}

/** The summary of a row. Throws as `fromJobRow`. */
export function fromSummaryRow(row: Row): JobSummary {
  const startedUnixMs = optionalNumberOf(row, "started_unix_ms");
  const finishedUnixMs = optionalNumberOf(row, "finished_unix_ms");
  return {
    id: textOf(row, "id"),
    tenant: textOf(row, "tenant"),
    functionId: textOf(row, "function_id"),
    state: stateOf(row),
    attempt: numberOf(row, "attempt"),
    trace: parse(textOf(row, "trace")) as JobRecord["trace"],
    inputBytes: numberOf(row, "input_bytes"),
    outputBytes: numberOf(row, "output_bytes"),
    createdUnixMs: numberOf(row, "created_unix_ms"),
    ...(startedUnixMs === undefined ? {} : { startedUnixMs }),
    ...(finishedUnixMs === undefined ? {} : { finishedUnixMs }),
    ...(numberOf(row, "cancel_requested") === 0 ? {} : { cancelRequested: true as const }),
    ...(row["end"] === null ? {} : { end: parse(textOf(row, "end")) as JobEnd }),
  };
}

function stateOf(row: Row): JobState {
  const state = JOB_STATES.find((known) => known === row["state"]);
  if (state === undefined) throw damagedJob();
  return state;
}

function optionalNumberOf(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : numberOf(row, column);
}

/** Only this program writes the columns, so their inner shape is taken as it was written. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damagedJob(error);
  }
}

function damagedJob(cause?: unknown): Error {
  return fault("internal", "Stored job is damaged", { cause });
}
