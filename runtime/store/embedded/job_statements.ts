/**
 * The statements of jobs in the embedded database, prepared once.
 *
 * Owns their text. Invariant: every change of state names the states that it may begin from.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { JOB_COLUMNS, NEW_JOB_COLUMNS, SUMMARY_COLUMNS } from "./job_row.ts";

/** See prepareJobStatements. */
export interface JobStatements {
  readonly insert: StatementSync;
  readonly insertCall: StatementSync;
  readonly insertInput: StatementSync;
  readonly insertOutput: StatementSync;
  readonly removeInput: StatementSync;
  readonly start: StatementSync;
  readonly requeue: StatementSync;
  readonly requestCancel: StatementSync;
  readonly finish: StatementSync;
  readonly find: StatementSync;
  readonly findKey: StatementSync;
  readonly findInput: StatementSync;
  readonly findOutput: StatementSync;
  readonly listFirst: StatementSync;
  readonly listAfter: StatementSync;
  readonly unfinished: StatementSync;
  readonly kept: StatementSync;
  readonly oldest: StatementSync;
  readonly oldestOfTenant: StatementSync;
  readonly remove: StatementSync;
}

/** Prepares all of them on one connection. */
export function prepareJobStatements(database: DatabaseSync): JobStatements {
  const select = `SELECT ${JOB_COLUMNS} FROM jobs`;
  const selectSummary = `SELECT ${SUMMARY_COLUMNS} FROM jobs`;
  const newestFirst = "ORDER BY created_unix_ms DESC, id DESC LIMIT ?";
  const selectOldest = "SELECT id, tenant, kept_bytes, output_bytes FROM jobs WHERE finished_unix_ms < ?";
  const ofJob = "WHERE seq = (SELECT seq FROM jobs WHERE id = ?)";
  const places = NEW_JOB_COLUMNS.split(",").map(() => "?").join(", ");
  return {
    insert: database.prepare(`INSERT INTO jobs (${NEW_JOB_COLUMNS}) VALUES (${places})`),
    insertCall: database.prepare("INSERT INTO job_calls (seq, call) VALUES (?, ?)"),
    insertInput: database.prepare("INSERT INTO job_inputs (seq, bytes) VALUES (?, ?)"),
    insertOutput: database.prepare("INSERT INTO job_outputs (seq, bytes) VALUES (?, ?)"),
    removeInput: database.prepare("DELETE FROM job_inputs WHERE seq = ?"),
    start: database.prepare(
      "UPDATE jobs SET state = 'running', attempt = ?, started_unix_ms = ? WHERE id = ? AND state = 'queued'",
    ),
    requeue: database.prepare(
      "UPDATE jobs SET state = 'queued', attempt = ? WHERE id = ? AND state = 'running'",
    ),
    requestCancel: database.prepare(
      "UPDATE jobs SET cancel_requested = 1 WHERE id = ? AND state = 'running'",
    ),
    finish: database.prepare(
      "UPDATE jobs SET state = ?, end = ?, output_bytes = ?, finished_unix_ms = ?, kept_bytes = kept_bytes + ? " +
        "WHERE id = ? AND finished_unix_ms IS NULL RETURNING seq, input_bytes, kept_bytes",
    ),
    find: database.prepare(`${select} WHERE id = ?`),
    findKey: database.prepare("SELECT id, request_digest FROM jobs WHERE tenant = ? AND idempotency_key = ?"),
    findInput: database.prepare(`SELECT bytes FROM job_inputs ${ofJob}`),
    findOutput: database.prepare(`SELECT bytes FROM job_outputs ${ofJob}`),
    listFirst: database.prepare(`${selectSummary} WHERE tenant = ? ${newestFirst}`),
    listAfter: database.prepare(
      `${selectSummary} WHERE tenant = ? AND (created_unix_ms, id) < (?, ?) ${newestFirst}`,
    ),
    unfinished: database.prepare(`${select} WHERE finished_unix_ms IS NULL ORDER BY seq`),
    kept: database.prepare(
      "SELECT tenant, count(*) AS count, sum(kept_bytes) AS bytes FROM jobs WHERE finished_unix_ms IS NOT NULL " +
        "GROUP BY tenant",
    ),
    oldest: database.prepare(`${selectOldest} ORDER BY finished_unix_ms LIMIT ?`),
    oldestOfTenant: database.prepare(
      `${selectOldest.replace("WHERE", "WHERE tenant = ? AND")} ORDER BY finished_unix_ms LIMIT ?`,
    ),
    remove: database.prepare("DELETE FROM jobs WHERE id = ?"),
  };
}
