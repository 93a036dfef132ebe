/**
 * CrashPause: tenants whose dedicated cells keep failing wait before they get another.
 *
 * Owns how often a tenant's cells failed lately, and for how long it waits. Starting a cell on a device costs the
 * others too, so a tenant that ruins one a call must not have them at the rate of its calls. Invariant: a tenant
 * that has not failed for MEMORY_MS leaves no trace and no timer.
 */
import type { Clock } from "../model/clock.ts";

/** The second failure in a row costs the first pause, each further one twice as much, up to the longest. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;
/** So long after the end of its pause a tenant's failures are forgotten. */
const MEMORY_MS = 10_000;

interface Record {
  count: number;
  isPaused: boolean;
  cancel: () => void;
}

/** The pauses of all tenants. */
export class CrashPause {
  readonly #clock: Clock;
  readonly #resume: () => void;
  readonly #records = new Map<string, Record>();

  /** @param resume called when a pause is over */
  constructor(clock: Clock, resume: () => void) {
    this.#clock = clock;
    this.#resume = resume;
  }

  /** Tenants remembered. */
  get size(): number {
    return this.#records.size;
  }

  isPaused(tenant: string): boolean {
    return this.#records.get(tenant)?.isPaused ?? false;
  }

  /** A cell of a tenant failed. */
  note(tenant: string): void {
    const known = this.#records.get(tenant);
    known?.cancel();
    const count = (known?.count ?? 0) + 1;
    const record: Record = { count, isPaused: count > 1, cancel: () => {} };
    this.#records.set(tenant, record);
    if (!record.isPaused) return this.#remember(tenant, record);
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(count - 2, 10));
    record.cancel = this.#clock.after(pauseMs, () => {
      record.isPaused = false;
      this.#remember(tenant, record);
      this.#resume();
    });
  }

  /** Forgets everything. */
  close(): void {
    for (const { cancel } of this.#records.values()) cancel();
    this.#records.clear();
  }

  #remember(tenant: string, record: Record): void {
    record.cancel = this.#clock.after(MEMORY_MS, () => this.#records.delete(tenant));
  }
}
