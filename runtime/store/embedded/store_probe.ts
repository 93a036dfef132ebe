/**
 * StoreProbe: looks after a store that nobody writes to, and tries again one that has failed.
 *
 * Owns what is looked at and how often. What it finds it tells to the store's health. It repairs nothing. Invariants:
 * it writes only where a write has failed before; a folder that is not this gateway's any more is found within two
 * looks, and nothing is acknowledged in it afterwards.
 */
import { StorageRefusal } from "../storage_failure.ts";
import type { StoreHealth } from "../store_health.ts";
import type { CheckpointThread } from "./checkpoint_thread.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { NamedFile } from "./named_file.ts";
import type { WriteAheadLog } from "./write_ahead_log.ts";

/** How often it looks. */
const PROBE_MS = 2_000;

/** What a probe works with. */
export interface ProbeParts {
  readonly health: StoreHealth;
  readonly group: Pick<GroupCommit, "add" | "stop">;
  readonly thread: Pick<CheckpointThread, "run">;
  readonly lock: NamedFile;
  readonly database: NamedFile;
  readonly log: Pick<WriteAheadLog, "check">;
  /** Counts checkpoints, begun and ended: the database changes in one, and otherwise never. */
  readonly checkpoints: () => number;
  /** A write that changes nothing. */
  readonly writeDatabase: () => void;
  readonly writeFile: () => Promise<void>;
}

/** Looks at one store. */
export class StoreProbe implements AsyncDisposable {
  readonly #parts: ProbeParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;
  /** The database's file as of the last look, and how many checkpoints there had been. */
  #seen: { readonly stamp: string; readonly checkpoints: number } | undefined;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
    this.#lookLater();
  }

  /** Looks now. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.look().then(() => this.#lookLater()), PROBE_MS);
    Deno.unrefTimer(this.#timer);
  }

  async #look(): Promise<void> {
    const { health, group, writeDatabase, writeFile } = this.#parts;
    if (health.failure?.isFinal === true) return;
    await this.#lookAtFiles();
    // Their outcome is told where it shows.
    if (health.failure?.part === "database") await group.add(writeDatabase).catch(() => {});
    if (health.failure?.part === "files") await writeFile().catch(() => {});
  }

  async #lookAtFiles(): Promise<void> {
    const { lock, database, log, checkpoints } = this.#parts;
    try {
      await lock.check();
      await log.check();
      const count = checkpoints();
      const { mtime, size } = await database.check();
      const stamp = `${mtime?.getTime()} ${size}`;
      const seen = this.#seen;
      this.#seen = { stamp, checkpoints: checkpoints() };
      // An odd count: one is under way.
      const isQuiet = count === checkpoints() && count % 2 === 0;
      const isForeign = isQuiet && seen?.checkpoints === count && seen.stamp !== stamp;
      if (isForeign && !await this.#parts.thread.run("check")) {
        throw new StorageRefusal("the database was overwritten and is damaged");
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { health, group } = this.#parts;
    if (!(error instanceof StorageRefusal)) return health.failed("database", error);
    health.failed("database", error, true);
    group.stop(error);
  }
}
