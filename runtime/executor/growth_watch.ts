/**
 * GrowthWatch: when a pool should have one cell more.
 *
 * Owns the two reasons: a line that stood for 50 ms while no cell had room, and calls that stay, namely when
 * every cell has had a number of them for 50 ms. Mere throughput is no reason: a line that moves needs no more
 * cells, and calls that come and go leave none behind. It starts nothing itself. Invariant: at most one timer,
 * and none is set while the pool may not grow.
 */
import type { Clock } from "../model/clock.ts";

/** How long either reason must last. */
const GROW_AFTER_MS = 50;

/** What a watch looks at. */
export interface GrowthOptions {
  readonly clock: Clock;
  readonly depth: () => number;
  /** Since when all cells have had the calls that are reason enough; Infinity if they have not. */
  readonly loadedSinceMs: () => number;
  readonly mayGrow: () => boolean;
  readonly grow: () => void;
}

/** Watches a pool that could grow. */
export class GrowthWatch {
  readonly #options: GrowthOptions;
  /** Since when calls have waited while no cell had room, and how many had been served by then. */
  #full: { readonly atMs: number; readonly served: number } | undefined;
  #served = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: GrowthOptions) {
    this.#options = options;
  }

  /** Notes that one of the line was served. */
  noteServed(): void {
    this.#served++;
  }

  /** Notes whether calls wait while no cell has room. */
  noteFull(isFull: boolean): void {
    if (!isFull) this.#full = undefined;
    else if (this.#full === undefined) this.#mark();
  }

  /** Sets the timer if there is something to wait for. */
  watch(): void {
    if (this.#cancelTimer !== undefined || !this.#options.mayGrow()) return;
    const dueAtMs = this.#dueAtMs();
    if (dueAtMs === Infinity) return;
    const { clock } = this.#options;
    this.#cancelTimer = clock.after(Math.max(0, dueAtMs - clock.nowMs()), () => {
      this.#cancelTimer = undefined;
      this.#decide();
    });
  }

  /** Stops watching. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #decide(): void {
    const { clock, grow } = this.#options;
    if (this.#dueAtMs() > clock.nowMs()) this.watch();
    else grow();
  }

  /** When the earlier of the two reasons will have lasted long enough. */
  #dueAtMs(): number {
    const nowMs = this.#options.clock.nowMs();
    if (this.#full !== undefined && this.#full.atMs + GROW_AFTER_MS <= nowMs && this.#isMoving(this.#full)) {
      this.#mark();
    }
    const sinceMs = Math.min(this.#full?.atMs ?? Infinity, this.#options.loadedSinceMs());
    return sinceMs + GROW_AFTER_MS;
  }

  /** Whether as many were served since then as wait now: their turn will come as soon. */
  #isMoving({ served }: { readonly served: number }): boolean {
    return this.#served - served >= this.#options.depth();
  }

  #mark(): void {
    this.#full = { atMs: this.#options.clock.nowMs(), served: this.#served };
  }
}
