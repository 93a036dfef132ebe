/**
 * The thread that does what waits for the disk: checkpoints, and the look whether a database is sound.
 *
 * It is started by checkpoint_thread.ts, never imported, and has connections of its own. A checkpoint syncs the log,
 * copies its pages into the database and syncs that (sqlite.org/wal.html#ckpt). Invariant: every request is answered.
 */
import { DatabaseSync } from "node:sqlite";
import type { ThreadReply, ThreadRequest } from "./checkpoint_thread.ts";

/** How long emptying the log waits for readers and writers that are in the way: only foreign ones can be for long. */
const BUSY_MS = 200;

/** What a worker's global scope has, which the types of a window lack. */
const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<ThreadRequest>) => void) | null;
  postMessage(reply: ThreadReply): void;
};

let database: DatabaseSync | undefined;

scope.onmessage = ({ data }): void => {
  try {
    scope.postMessage({ id: data.id, isDone: run(data) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number"
      ? { errcode: error.errcode }
      : {};
    scope.postMessage({ id: data.id, failure: { message, ...code } });
  }
};

function run({ path, task }: ThreadRequest): boolean {
  if (task === "check") return isSound(path);
  if (task === "close") return close();
  database ??= open(path);
  const mode = task === "copy_log" ? "PASSIVE" : "TRUNCATE";
  const { busy, log, checkpointed } = database.prepare(`PRAGMA wal_checkpoint(${mode})`).get() ?? {};
  return busy === 0 && log === checkpointed;
}

function open(path: string): DatabaseSync {
  const opened = new DatabaseSync(path, { timeout: BUSY_MS });
  // Syncs log and database in a checkpoint (sqlite.org/pragma.html#pragma_synchronous).
  opened.prepare("PRAGMA synchronous = NORMAL").run();
  return opened;
}

function close(): true {
  database?.close();
  database = undefined;
  return true;
}

function isSound(path: string): boolean {
  const fresh = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
  try {
    return fresh.prepare("PRAGMA quick_check(1)").get()?.["quick_check"] === "ok";
  } finally {
    fresh.close();
  }
}
