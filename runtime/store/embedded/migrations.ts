/**
 * Migrations: the schema of the embedded database, one step per released change.
 *
 * Owns the tables and the `schema_version` row. It opens and configures no database. Invariant: a step, once
 * released, is never edited; steps and version change in one transaction, so a schema is never half new.
 */
import type { DatabaseSync } from "node:sqlite";
import { inTransaction, runStatement } from "./transaction.ts";

/**
 * Step n, a list of single statements, brings version n to n + 1.
 *
 * `function_names` outlives the functions, so that a version is never given out twice. An idempotency key
 * ends with the function that it made: a table of keys can then not outgrow the table of functions. Inputs and
 * outputs of jobs are apart from their rows, so that a change of state does not copy them, and calls that are long,
 * so that a list does not pass by them: `jobs.call` is empty then.
 */
const STEPS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE function_names (
      tenant TEXT NOT NULL,
      name TEXT NOT NULL,
      version_last INTEGER NOT NULL,
      PRIMARY KEY (tenant, name)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE functions (
      id TEXT NOT NULL PRIMARY KEY,
      tenant TEXT NOT NULL,
      name TEXT NOT NULL,
      version INTEGER NOT NULL,
      digest TEXT NOT NULL,
      module_bytes INTEGER NOT NULL,
      created_unix_ms REAL NOT NULL,
      facts TEXT NOT NULL,
      UNIQUE (tenant, name, version)
    ) STRICT`,
    "CREATE INDEX functions_by_creation ON functions (tenant, created_unix_ms, id)",
    "CREATE INDEX functions_by_digest ON functions (digest)",
    `CREATE TABLE idempotency_keys (
      tenant TEXT NOT NULL,
      key TEXT NOT NULL,
      request_digest TEXT NOT NULL,
      function_id TEXT NOT NULL UNIQUE REFERENCES functions (id) ON DELETE CASCADE,
      PRIMARY KEY (tenant, key)
    ) STRICT, WITHOUT ROWID`,
  ],
  [
    `CREATE TABLE jobs (
      seq INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      tenant TEXT NOT NULL,
      function_id TEXT NOT NULL,
      state TEXT NOT NULL,
      attempt INTEGER NOT NULL,
      call TEXT NOT NULL,
      trace TEXT NOT NULL,
      input_bytes INTEGER NOT NULL,
      output_bytes INTEGER NOT NULL,
      created_unix_ms REAL NOT NULL,
      started_unix_ms REAL,
      finished_unix_ms REAL,
      cancel_requested INTEGER NOT NULL,
      end TEXT,
      kept_bytes INTEGER NOT NULL,
      idempotency_key TEXT,
      request_digest TEXT
    ) STRICT`,
    "CREATE INDEX jobs_by_creation ON jobs (tenant, created_unix_ms, id)",
    `CREATE UNIQUE INDEX jobs_by_key ON jobs (tenant, idempotency_key)
      WHERE idempotency_key IS NOT NULL`,
    "CREATE INDEX jobs_by_end ON jobs (finished_unix_ms) WHERE finished_unix_ms IS NOT NULL",
    "CREATE INDEX jobs_of_tenant_by_end ON jobs (tenant, finished_unix_ms) WHERE finished_unix_ms IS NOT NULL",
    `CREATE TABLE job_inputs (
      seq INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
      bytes BLOB NOT NULL
    ) STRICT`,
    `CREATE TABLE job_outputs (
      seq INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
      bytes BLOB NOT NULL
    ) STRICT`,
  ],
  [
    `CREATE TABLE job_calls (
      seq INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
      call TEXT NOT NULL
    ) STRICT`,
  ],
  // What the start asks for is in the indexes alone: it would read every job that is kept otherwise.
  [
    "DROP INDEX jobs_of_tenant_by_end",
    `CREATE INDEX jobs_of_tenant_by_end ON jobs (tenant, finished_unix_ms, kept_bytes)
      WHERE finished_unix_ms IS NOT NULL`,
    "CREATE INDEX jobs_unfinished ON jobs (seq) WHERE finished_unix_ms IS NULL",
  ],
];

/** The version that this program writes. */
export const SCHEMA_VERSION = STEPS.length;

/** The version of a database; 0 for an empty one. */
export function readSchemaVersion(database: DatabaseSync): number {
  const table = database.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'",
  );
  if (table.get() === undefined) return 0;
  const version = database.prepare("SELECT version FROM schema_version").get()?.["version"];
  return typeof version === "number" ? version : 0;
}

/** Brings a database whose version is not above SCHEMA_VERSION up to it. */
export function migrate(database: DatabaseSync): void {
  const from = readSchemaVersion(database);
  if (from >= SCHEMA_VERSION) return;
  inTransaction(database, () => {
    for (const statement of STEPS.slice(from).flat()) runStatement(database, statement);
    runStatement(database, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT");
    runStatement(database, "DELETE FROM schema_version");
    database.prepare("INSERT INTO schema_version (version) VALUES (?)").run(SCHEMA_VERSION);
  });
}
