/**
 * Storage failures: what the file system and SQLite report, in words that may be shown to anyone.
 *
 * Owns the mapping of their codes to a phrase and to a fault. It decides no policy (no retry, no log).
 * Invariant: neither phrase nor fault message ever has a path, a statement or a value in it; the original
 * error is kept as the cause.
 */
import { fault, RuntimeFault } from "../model/fault.ts";
import { InvariantError } from "../model/invariant.ts";

/** Primary result codes of SQLite (sqlite.org/rescode.html); the extended ones have them in the low byte. */
const SQLITE_PHRASES: Readonly<Record<number, string>> = {
  3: "access is denied",
  5: "the database is locked by another program",
  6: "the database is locked by another program",
  8: "the storage is read-only",
  10: "the storage failed to read or write",
  11: "the database is damaged",
  13: "no space is left",
  14: "the database file cannot be opened",
  26: "the file is not a database",
};

/** Error codes of the operating system (errno(3)). */
const SYSTEM_PHRASES: Readonly<Record<string, string>> = {
  EACCES: "access is denied",
  EPERM: "access is denied",
  EROFS: "the storage is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "no space is left",
  EFBIG: "the storage takes no file of that size",
  EIO: "the storage failed to read or write",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "a file is where a folder should be",
  EISDIR: "a folder is where a file should be",
  ENOENT: "a file or folder is missing",
};

const RESTORE = "Keep the folder as it is and restore a copy of it, or start on another one (--data)";
const ADVICE: readonly (readonly [phrases: readonly string[], advice: string])[] = [
  [["no space is left"], "Free some space and start again"],
  [
    ["access is denied", "the storage is read-only"],
    "Let this user write there, or start on another folder (--data)",
  ],
  [["too many files are open"], "Raise the limit of open files (ulimit -n)"],
  [["the database is damaged", "the file is not a database"], RESTORE],
  [["the database is locked by another program"], "End the program that has it open"],
  [
    ["a part of the path is not a folder", "a file is where a folder should be"],
    "Start on another folder (--data)",
  ],
];

const SQLITE_PRIMARY_MASK = 0xff;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** A storage that we do not trust or use any more, for a reason of our own. The message is the phrase. */
export class StorageRefusal extends Error {
  override readonly name = "StorageRefusal";
}

/** The phrase for an error of the file system or of SQLite, such as "no space is left". */
export function storageFailurePhrase(error: unknown): string {
  const unknown = "the storage failed";
  if (!(error instanceof Error)) return unknown;
  if (error instanceof RuntimeFault) return storageFailurePhrase(error.cause);
  if (error instanceof StorageRefusal) return error.message;
  if (error instanceof Deno.errors.NotCapable) return "the process has no permission for it";
  const sqliteCode = primaryCode(error);
  if (sqliteCode !== undefined) return SQLITE_PHRASES[sqliteCode] ?? unknown;
  if ("code" in error && typeof error.code === "string") return SYSTEM_PHRASES[error.code] ?? unknown;
  return unknown;
}

/** What an operator can do about a storage that does not open, as a sentence; empty where we know nothing. */
export function storageAdvice(error: unknown): string {
  const phrase = storageFailurePhrase(error);
  return ADVICE.find(([phrases]) => phrases.includes(phrase))?.[1] ?? "";
}

/** Whether the storage is at fault, and not what was to be stored: then other writes fail as well. */
export function isStorageFailure(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof InvariantError) return false;
  if (error instanceof RuntimeFault) return error.cause !== undefined && isStorageFailure(error.cause);
  const sqliteCode = primaryCode(error);
  if (sqliteCode !== undefined) return SQLITE_PHRASES[sqliteCode] !== undefined;
  return error instanceof StorageRefusal || error instanceof Deno.errors.NotCapable ||
    ("code" in error && typeof error.code === "string" && SYSTEM_PHRASES[error.code] !== undefined);
}

/** Whether the database is damaged, or none. */
export function isDamage(error: unknown): boolean {
  if (error instanceof RuntimeFault) return isDamage(error.cause);
  const code = primaryCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Whether another connection has the database locked. */
export function isLocked(error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode & SQLITE_PRIMARY_MASK
    : undefined;
}

/**
 * The fault for a failed storage operation: `what` and the phrase of the error. Faults and broken
 * invariants pass through as they are.
 */
export function toStorageFault(error: unknown, what: string): RuntimeFault | InvariantError {
  if (error instanceof RuntimeFault || error instanceof InvariantError) return error;
  return fault("internal", `${what}: ${storageFailurePhrase(error)}`, { cause: error });
}
