/**
 * Checkpointer: keeps the write-ahead log small without the event loop waiting for it.
 *
 * Owns when the log is copied into the database, and who waits meanwhile. Most of it is copied beside the commits;
 * then they are held, though not the event loop, while the rest is copied and the log emptied.
 *
 * SQLite begins a log anew as soon as all of it is copied, and syncs its new head before it goes on, or else a loss of
 * power may mix frames of two logs. That sync would be the event loop's. So the log is emptied here, and that made
 * durable, with no commit in between; and only a connection whose log is known to be empty commits without any sync
 * of its own (`synchronous = OFF`), which the next checkpoint takes back before it copies anything.
 * Invariant: no commit begins a log anew without a sync.
 */
import type { DatabaseSync } from "node:sqlite";
import { storageFailurePhrase, StorageRefusal } from "../storage_failure.ts";
import type { CheckpointThread } from "./checkpoint_thread.ts";
import type { GroupCommit } from "./group_commit.ts";
import { runStatement } from "./transaction.ts";
import type { WriteAheadLog } from "./write_ahead_log.ts";

/** A log of this size is copied. */
export const CHECKPOINT_BYTES = 4 * 1024 * 1024;
/** With a log of this size nothing is committed before it is copied. */
export const LOG_BYTES_MAX = 64 * 1024 * 1024;
/** How soon a checkpoint that failed is tried again. */
const RETRY_MS = 1000;

/** What a checkpointer works with. */
export interface CheckpointerParts {
  /** The connection that commits. */
  readonly database: DatabaseSync;
  readonly group: Pick<GroupCommit, "hold" | "release">;
  readonly log: Pick<WriteAheadLog, "bytes" | "empty">;
  readonly thread: Pick<CheckpointThread, "run">;
  readonly nowMs: () => number;
  /** Told of the outcome of each. */
  readonly observer?: { checkpointed(): void; failed(error: unknown): void };
}

/** Checkpoints of one database. */
export class Checkpointer {
  readonly #parts: CheckpointerParts;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown; readonly retryAtMs: number } | undefined;
  #count = 0;

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
  }

  /** To be called when the log may have grown: begins a checkpoint if one is due. */
  consider(): void {
    const { log, group, nowMs } = this.#parts;
    if (log.bytes < CHECKPOINT_BYTES) return;
    if (this.#running === undefined && nowMs() < (this.#failure?.retryAtMs ?? 0)) return;
    this.#running ??= this.#run().finally(() => this.#running = undefined);
    // Whoever is faster than the disk waits for it.
    if (log.bytes >= LOG_BYTES_MAX) void group.hold();
  }

  /** How many have begun, and how many have ended, together. */
  get count(): number {
    return this.#count;
  }

  /** Why nothing may be committed: the log is as large as it may get, and cannot be copied. */
  refusal(): Error | undefined {
    this.consider();
    if (this.#running !== undefined || this.#failure === undefined) return undefined;
    if (this.#parts.log.bytes < LOG_BYTES_MAX) return undefined;
    return new StorageRefusal(
      `the database's log is full and cannot be emptied: ${storageFailurePhrase(this.#failure.error)}`,
      { cause: this.#failure.error },
    );
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { database, group, thread, log, nowMs, observer } = this.#parts;
    this.#count++;
    try {
      runStatement(database, "PRAGMA synchronous = NORMAL");
      await thread.run("copy_log");
      await group.hold();
      await log.empty(async () => {
        if (!await thread.run("empty_log")) throw new StorageRefusal("somebody else reads the database");
      });
      runStatement(database, "PRAGMA synchronous = OFF");
      this.#failure = undefined;
      observer?.checkpointed();
    } catch (error) {
      this.#failure = { error, retryAtMs: nowMs() + RETRY_MS };
      observer?.failed(error);
    } finally {
      this.#count++;
      group.release();
    }
  }
}
