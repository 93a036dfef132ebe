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
 * ends with the function that it made: a table of keys can then not outgrow the table of functions.
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
