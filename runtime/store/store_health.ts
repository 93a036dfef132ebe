/**
 * StoreHealth: whether the store takes what it is given, as its last attempts showed.
 *
 * Owns the account of failures by part, and who is told when one begins and ends. It tries nothing itself. Invariant:
 * what the storage is not to blame for counts neither way; a failure that only a restart can end is never taken back.
 */
import { isDamage, isStorageFailure, storageFailurePhrase } from "./storage_failure.ts";

/** The parts: the database, files beside it, and the copy of the log into the database, without which it grows. */
export type StorePart = "database" | "files" | "checkpoint";

/** A part that does not take what it is given. */
export interface StoreFailure {
  readonly part: StorePart;
  /** In words that may be shown to anyone. */
  readonly phrase: string;
  readonly error: unknown;
  /** Only a restart ends it. */
  readonly isFinal: boolean;
}

/** Who is told. Neither function may throw. */
export interface HealthListener {
  failed(failure: StoreFailure): void;
  recovered(part: StorePart): void;
}

/** The health of one store. */
export class StoreHealth {
  readonly #failures = new Map<StorePart, StoreFailure>();
  #listener: HealthListener | undefined;

  /** Why deploys and jobs cannot be taken now; undefined if they can. */
  get failure(): StoreFailure | undefined {
    return this.#failures.get("database") ?? this.#failures.get("files");
  }

  /** Tells `listener` from now on. */
  listen(listener: HealthListener): void {
    this.#listener = listener;
  }

  /** An attempt has failed. */
  failed(part: StorePart, error: unknown, isFinal: boolean = isDamage(error)): void {
    if (!isStorageFailure(error) && !isFinal) return;
    const before = this.#failures.get(part);
    if (before !== undefined && (before.isFinal || !isFinal)) return;
    const failure = { part, phrase: storageFailurePhrase(error), error, isFinal };
    this.#failures.set(part, failure);
    this.#listener?.failed(failure);
  }

  /** An attempt has succeeded. */
  succeeded(part: StorePart): void {
    const failure = this.#failures.get(part);
    if (failure === undefined || failure.isFinal) return;
    this.#failures.delete(part);
    this.#listener?.recovered(part);
  }
}
