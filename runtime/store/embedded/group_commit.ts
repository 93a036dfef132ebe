/**
 * GroupCommit: many small writes in one transaction, and many transactions in one sync of the log.
 *
 * Owns the two stages and who waits for what. Its connection commits without a sync; the write-ahead log is synced
 * afterwards on another thread (write_ahead_log.ts), which makes durable all that was committed before
 * (sqlite.org/wal.html: a commit is its frames in the log; fdatasync(2) flushes the file, whoever wrote it). So the
 * event loop pays for copying pages and waits neither for the disk nor for a foreign lock.
 * Invariants: a promise resolves only after a sync that began after its transaction was committed; after a sync that
 * failed nothing is acknowledged any more, because frames before it may be missing on the disk.
 */
import type { DatabaseSync } from "node:sqlite";
import { isLocked, isStorageFailure } from "../storage_failure.ts";
import { inTransaction } from "./transaction.ts";

/** How long the first write of a group waits for others. */
const GATHER_MS = 2;
/** Bounds of one transaction, so that the event loop has a turn between two; most writes take some 10 µs. */
const GROUP_COUNT_MAX = 256;
const GROUP_MS_MAX = 4;
/** How long a foreign connection, such as an operator's shell, may have the database locked, and how often it is tried. */
const LOCKED_MS_MAX = 1000;
const LOCKED_RETRY_MS = 20;

/** The log behind the connection. */
export interface CommitLog {
  /** Makes durable what was committed before. */
  sync(): Promise<void>;
  /** Why nothing may be committed now, if so. */
  refusal(): Error | undefined;
}

/** Who is told what became of the storage's part in it. */
export interface CommitObserver {
  /** `isFinal`: nothing is acknowledged any more. */
  failed(error: unknown, isFinal: boolean): void;
  succeeded(): void;
}

interface Write {
  run(): void;
  succeed(): void;
  fail(error: unknown): void;
}

/** A queue of writes in front of one connection. */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #log: CommitLog;
  readonly #observer: CommitObserver | undefined;
  /** Not yet committed. */
  #waiting: Write[] = [];
  /** Committed, and not yet known to be on the disk. */
  #committed: Write[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHeld = false;
  #isSyncing = false;
  #lockedSinceMs: number | undefined;
  #failure: { readonly error: unknown } | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #synced: PromiseWithResolvers<void> | undefined;

  constructor(database: DatabaseSync, log: CommitLog, observer?: CommitObserver) {
    this.#database = database;
    this.#log = log;
    this.#observer = observer;
  }

  /** Runs `work` in the next transaction, perhaps twice; resolves with what it returned when that is durable. */
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
      this.#commitIn(GATHER_MS);
    });
  }

  /** Commits nothing until `release`, writes wait meanwhile; resolves when all that was committed is synced. */
  hold(): Promise<void> {
    this.#isHeld = true;
    if (this.#isSynced) return Promise.resolve();
    this.#synced ??= Promise.withResolvers<void>();
    return this.#synced.promise;
  }

  /** Goes on. */
  release(): void {
    this.#isHeld = false;
    if (this.#waiting.length > 0) this.#commitIn(0);
  }

  /** Acknowledges nothing any more, because of `error`. */
  stop(error: unknown): void {
    this.#failure ??= { error };
    this.#failAll(error);
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  get #isSynced(): boolean {
    return this.#committed.length === 0 && !this.#isSyncing;
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#isSynced;
  }

  #commitIn(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isHeld) this.#commit();
    }, delayMs);
  }

  #commit(): void {
    const refusal = this.#failure?.error ?? this.#log.refusal();
    if (refusal !== undefined) {
      if (this.#failure === undefined) this.#observer?.failed(refusal, false);
      return this.#failAll(refusal);
    }
    const group: Write[] = [];
    try {
      inTransaction(this.#database, () => this.#runSome(group));
      this.#committed.push(...group);
      this.#lockedSinceMs = undefined;
    } catch (error) {
      if (group.length === 0 && this.#mayRetry(error)) return this.#commitIn(LOCKED_RETRY_MS);
      this.#commitAfter(error, group);
    }
    if (this.#waiting.length > 0) this.#commitIn(0);
    void this.#sync();
  }

  #runSome(group: Write[]): void {
    const endMs = performance.now() + GROUP_MS_MAX;
    try {
      do {
        const write = this.#waiting[group.length];
        if (write === undefined) break;
        group.push(write);
        write.run();
      } while (group.length < GROUP_COUNT_MAX && performance.now() < endMs);
    } finally {
      this.#waiting.splice(0, group.length);
    }
  }

  /** Somebody else has the database; they may be done in a moment. */
  #mayRetry(error: unknown): boolean {
    if (!isLocked(error)) return false;
    const nowMs = performance.now();
    this.#lockedSinceMs ??= nowMs;
    return nowMs - this.#lockedSinceMs < LOCKED_MS_MAX;
  }

  /** A storage that fails fails them all; of others one has failed, which is none of the others' business. */
  #commitAfter(error: unknown, group: readonly Write[]): void {
    this.#lockedSinceMs = undefined;
    this.#observer?.failed(error, false);
    if (group.length === 0) return this.#failAll(error);
    if (group.length === 1 || isStorageFailure(error)) {
      for (const write of group) write.fail(error);
      return;
    }
    for (const write of group) {
      try {
        inTransaction(this.#database, () => write.run());
        this.#committed.push(write);
      } catch (reason) {
        write.fail(reason);
      }
    }
  }

  #failAll(error: unknown): void {
    for (const write of this.#waiting.splice(0)) write.fail(error);
    this.#tellIdle();
  }

  async #sync(): Promise<void> {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    while (this.#committed.length > 0) {
      const group = this.#committed;
      this.#committed = [];
      try {
        if (this.#failure !== undefined) throw this.#failure.error;
        await this.#log.sync();
        this.#observer?.succeeded();
        for (const write of group) write.succeed();
      } catch (error) {
        this.#failure ??= { error };
        this.#observer?.failed(error, true);
        for (const write of group) write.fail(error);
      }
    }
    this.#isSyncing = false;
    this.#synced?.resolve();
    this.#synced = undefined;
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (!this.#isIdle) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
