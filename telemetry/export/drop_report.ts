/**
 * DropReport: the log line that says spans were lost.
 *
 * Owns its rate: the first loss is told at once, later ones at most once a minute, each line with the number
 * since the one before. Invariant: every lost span is in exactly one line by the time it is closed.
 */
import type { Logger } from "../log.ts";

const INTERVAL_MS = 60_000;

/** Tells the operator of lost spans. */
export class DropReport {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  #nextAtMs = -Infinity;
  #count = 0;
  #reason = "";

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Notes that `count` spans were lost. */
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
    this.#log.warn("telemetry.spans_dropped", { count: this.#count, reason: this.#reason });
    this.#count = 0;
  }
}
