/**
 * The embedded database file: opened, configured, checked and migrated.
 *
 * Owns the settings of the connection. It runs no query of a request. Invariant: what comes back is a sound
 * database of this program's schema version; a commit on the first connection is on
 * the disk when it returns.
 */
import { DatabaseSync } from "node:sqlite";
import { storageFailurePhrase } from "../storage_failure.ts";
import { StoreOpenError } from "../store.ts";
import { makePrivateFile } from "./durable_file.ts";
import { migrate, readSchemaVersion, SCHEMA_VERSION } from "./migrations.ts";
import { inTransaction, runStatement } from "./transaction.ts";

/** How long a statement waits for a foreign connection, such as an operator's shell. It blocks the thread. */
const BUSY_MS = 1000;

/**
 * Opens the database at `path`, creating it where it is missing.
 *
 * @throws StoreOpenError when it is damaged, from a newer program, or the storage refuses
 */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  try {
    // SQLite gives its other files the mode of this one.
    await makePrivateFile(path);
    using stack = new DisposableStack();
    const database = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
    stack.defer(() => database.close());
    prepare(database, path);
    stack.move();
    return database;
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    throw new StoreOpenError(`Database ${path} cannot be opened: ${storageFailurePhrase(error)}`, {
      cause: error,
    });
  }
}

/**
 * A second connection to a database that `openDatabase` gave, for writes that are gathered (group_commit.ts): its
 * commits are in the log when they return, and on the disk when whoever gathers them has synced that.
 */
export function openGatheringDatabase(path: string): DatabaseSync {
  using stack = new DisposableStack();
  const database = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
  stack.defer(() => database.close());
  runStatement(database, "PRAGMA synchronous = NORMAL");
  // The first transaction makes the log's file, if there was none.
  inTransaction(database, () => {});
  stack.move();
  return database;
}

function prepare(database: DatabaseSync, path: string): void {
  runStatement(database, "PRAGMA journal_mode = WAL");
  // In WAL mode only FULL syncs the log at every commit (sqlite.org/pragma.html#pragma_synchronous).
  runStatement(database, "PRAGMA synchronous = FULL");
  checkSound(database, path);
  const version = readSchemaVersion(database);
  if (version > SCHEMA_VERSION) {
    throw new StoreOpenError(
      `Database ${path} was written by a newer program: schema version is ${version}, ` +
        `this program knows ${SCHEMA_VERSION}`,
    );
  }
  migrate(database);
}

function checkSound(database: DatabaseSync, path: string): void {
  const finding = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (finding !== "ok") throw new StoreOpenError(`Database ${path} is damaged: ${String(finding)}`);
}
