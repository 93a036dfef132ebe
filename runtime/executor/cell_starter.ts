/**
 * CellStarter: starts cells, one attempt each, and pauses between attempts while they fail.
 *
 * Owns cells that are on their way in or out: starts under way, and the ends of cells that are awaited. It does
 * not decide how many there should be (cell_pool.ts does). Invariant: cells are started outside any request,
 * since one outlives the request for which it was started.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../model/clock.ts";
import type { PooledCell } from "./cell_slots.ts";

/** First and longest pause between attempts to start a cell when starting fails. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

/** What a starter works with. */
export interface StarterOptions<Cell extends PooledCell> {
  readonly clock: Clock;
  readonly startCell: (id: number) => Promise<Cell>;
  readonly started: (cell: Cell, startMs: number) => void;
  readonly failed: (error: unknown) => void;
  readonly ended: (cell: Cell) => void;
  /** The pause after a failure is over. */
  readonly retry: () => void;
}

/** Starts cells. */
export class CellStarter<Cell extends PooledCell> {
  readonly #options: StarterOptions<Cell>;
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  /** Starts under way and cells not yet ended. */
  readonly #pending = new Set<Promise<void>>();
  #starting = 0;
  #nextId = 1;
  /** Pauses since a start last succeeded. */
  #pauses = 0;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(options: StarterOptions<Cell>) {
    this.#options = options;
  }

  /** Cells being started. */
  get starting(): number {
    return this.#starting;
  }

  /** Whether a start may be tried now: not in the pause after one that failed. */
  get isReady(): boolean {
    return !this.#closed && this.#cancelRetry === undefined;
  }

  /** Starts one, this way or the usual one; resolves when it is there or has failed, never rejects. */
  start(startCell: (id: number) => Promise<Cell> = this.#options.startCell): Promise<void> {
    return this.#outsideRequests(() => this.#track(this.#start(startCell)));
  }

  /** No more retries. */
  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Resolves when no start is under way and every cell has ended. */
  async drained(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async #start(startCell: StarterOptions<Cell>["startCell"]): Promise<void> {
    const { clock, started, failed, ended } = this.#options;
    this.#starting++;
    const startedAtMs = clock.nowMs();
    let cell: Cell;
    try {
      cell = await startCell(this.#nextId++);
    } catch (error) {
      this.#starting--;
      this.#pause();
      return failed(error);
    }
    this.#starting--;
    this.#pauses = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    void this.#track(cell.ended.then(() => ended(cell)));
    started(cell, clock.nowMs() - startedAtMs);
  }

  #pause(): void {
    if (!this.isReady) return;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.#pauses++, 10));
    this.#cancelRetry = this.#options.clock.after(pauseMs, () => {
      this.#cancelRetry = undefined;
      this.#options.retry();
    });
  }

  #track(work: Promise<void>): Promise<void> {
    this.#pending.add(work);
    return work.finally(() => this.#pending.delete(work));
  }
}
