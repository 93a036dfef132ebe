/**
 * DropReport: the log line that says spans or other items were lost.
 *
 * Owns its rate: the first loss is told at once, later ones at most once a minute, each line with the number
 * since the one before. Invariant: every lost item is in exactly one line by the time it is closed; telling of
 * a loss that leads to another, as when log records are lost, does not tell of that one at once.
 */
import type { Logger } from "../log/log.ts";

const INTERVAL_MS = 60_000;

/** Tells the operator of lost items. */
export class DropReport {
  readonly #log: Logger;
  readonly #message: string;
  readonly #nowMs: () => number;
  #nextAtMs = -Infinity;
  #count = 0;
  #reason = "";

  /** @param message the event's name, as in `telemetry.spans_dropped` */
  constructor(log: Logger, message: string, nowMs: () => number) {
    this.#log = log;
    this.#message = message;
    this.#nowMs = nowMs;
  }

  /** Notes that `count` items were lost. */
  add(count: number, reason: string): void {
    this.#count += count;
    this.#reason = reason;
    const nowMs = this.#nowMs();
    if (nowMs < this.#nextAtMs) return;
    this.#nextAtMs = nowMs + INTERVAL_MS;
    this.#tell();
  }

  /** Tells of what is left. */
  close(): void {
    if (this.#count > 0) this.#tell();
  }

  #tell(): void {
    const count = this.#count;
    this.#count = 0;
    this.#log.warn(this.#message, { count, reason: this.#reason });
  }
}
