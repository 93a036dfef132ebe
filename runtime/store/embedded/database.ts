/**
 * The embedded database file: opened, configured, checked and migrated.
 *
 * Owns the settings of the connection. It runs no query of a request. Invariant: what comes back is a sound
 * database of this program's schema version, and a connection that never makes the event loop wait: its commits are
 * in the log when they return, on the disk when whoever gathers them has synced that (group_commit.ts); it copies
 * no log into the database (checkpointer.ts does) and waits for nobody's lock.
 */
import { DatabaseSync } from "node:sqlite";
import { storageAdvice, storageFailurePhrase } from "../storage_failure.ts";
import { StoreOpenError } from "../store.ts";
import { makePrivateFile } from "./durable_file.ts";
import { migrate, readSchemaVersion, SCHEMA_VERSION } from "./migrations.ts";
import { inTransaction, runStatement } from "./transaction.ts";

/** As SQLite says it (SQLITE_CORRUPT). */
const DAMAGE = Object.assign(new Error("damaged"), { errcode: 11 });
/** How long a statement waits at the start for a foreign connection, such as an operator's shell. */
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
    settle(database);
    stack.move();
    return database;
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    throw new StoreOpenError(
      `Database ${path} cannot be opened: ${storageFailurePhrase(error)}`,
      storageAdvice(error),
      { cause: error },
    );
  }
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
      "Start the newer program, or this one on another folder (--data)",
    );
  }
  migrate(database);
}

/** From the start's settings to those of a thread that must not wait. */
function settle(database: DatabaseSync): void {
  runStatement(database, "PRAGMA wal_autocheckpoint = 0");
  runStatement(database, "PRAGMA busy_timeout = 0");
  runStatement(database, "PRAGMA synchronous = NORMAL");
  // The first transaction makes the log's file, if there was none.
  inTransaction(database, () => {});
}

/** Writes a page in which nothing changes for anyone; in a transaction. */
export function touchDatabase(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  runStatement(database, `PRAGMA user_version = ${(version + 1) % 0x7fff_ffff}`);
}

/** Closes it; what is in the log is then in the database, and on the disk. */
export function closeDatabase(database: DatabaseSync): void {
  runStatement(database, "PRAGMA synchronous = FULL");
  database.close();
}

function checkSound(database: DatabaseSync, path: string): void {
  const finding = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (finding === "ok") return;
  // The finding may have lines.
  const [first] = String(finding).split("\n");
  throw new StoreOpenError(`Database ${path} is damaged: ${first}`, storageAdvice(DAMAGE));
}
