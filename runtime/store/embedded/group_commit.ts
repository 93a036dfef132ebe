/**
 * GroupCommit: many small writes in one transaction, and many transactions in one sync of the log.
 *
 * Owns the two stages and who waits for what. Its connection commits without a sync (PRAGMA synchronous =
 * NORMAL); the write-ahead log is synced afterwards through a handle of its own, on another thread, which makes
 * durable all that was committed before (sqlite.org/wal.html: a commit is its frames in the log; fdatasync(2)
 * flushes the file, whoever wrote it). So the event loop pays for copying pages and never waits for the disk.
 * Invariant: a promise resolves only after a sync that began after its transaction was committed.
 */
import type { DatabaseSync } from "node:sqlite";
import { inTransaction } from "./transaction.ts";

/** How long the first write of a group waits for others. */
const GATHER_MS = 2;
/** Most writes in one transaction, some 10 µs each: the event loop has a turn between two. */
const GROUP_COUNT_MAX = 256;

/** The handle by which the log is synced. */
export interface LogFile {
  syncData(): Promise<void>;
}

interface Write {
  run(): void;
  succeed(): void;
  fail(error: unknown): void;
}

/** A queue of writes in front of one connection. */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #log: LogFile;
  /** Not yet committed. */
  #waiting: Write[] = [];
  /** Committed, and not yet known to be on the disk. */
  #committed: Write[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isSyncing = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(database: DatabaseSync, log: LogFile) {
    this.#database = database;
    this.#log = log;
  }

  /** Runs `work` in the next transaction; resolves with what it returned when that is durable. */
  add<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.#waiting.push({
        run: () => {
          result = work();
        },
        succeed: () => resolve(result),
        fail: reject,
      });
      this.#timer ??= setTimeout(() => this.#commit(), GATHER_MS);
    });
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.#waiting.length === 0 && this.#committed.length === 0 && !this.#isSyncing) {
      return Promise.resolve();
    }
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  #commit(): void {
    const group = this.#waiting.splice(0, GROUP_COUNT_MAX);
    this.#timer = this.#waiting.length === 0 ? undefined : setTimeout(() => this.#commit(), 0);
    try {
      inTransaction(this.#database, () => {
        for (const write of group) write.run();
      });
      this.#committed.push(...group);
    } catch (error) {
      for (const write of group) write.fail(error);
    }
    void this.#sync();
  }

  async #sync(): Promise<void> {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    while (this.#committed.length > 0) {
      const group = this.#committed;
      this.#committed = [];
      try {
        await this.#log.syncData();
        for (const write of group) write.succeed();
      } catch (error) {
        for (const write of group) write.fail(error);
      }
    }
    this.#isSyncing = false;
    if (this.#waiting.length > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
