/**
 * Statements and transactions of the embedded database.
 *
 * Owns begin, commit and roll back. Invariant: when the body or the commit throws, nothing of it remains
 * and the connection is ready for the next transaction.
 */
import type { DatabaseSync } from "node:sqlite";

/**
 * Runs one statement without parameters. Prepared, because an error of `DatabaseSync.exec` lacks the
 * `errcode` that tells a full disk from a damaged file (Deno 2.9.6).
 */
export function runStatement(database: DatabaseSync, statement: string): void {
  database.prepare(statement).run();
}

/** Runs `body` in a write transaction and returns what it returns, after a durable commit. */
export function inTransaction<T>(database: DatabaseSync, body: () => T): T {
  runStatement(database, "BEGIN IMMEDIATE");
  try {
    const result = body();
    runStatement(database, "COMMIT");
    return result;
  } catch (error) {
    // Some failures, a full disk among them, have rolled back already (sqlite.org/lang_transaction.html).
    if (database.isTransaction) runStatement(database, "ROLLBACK");
    throw error;
  }
}
