/**
 * A SchedulerHost whose time and event loop tests move by hand.
 *
 * Owns a time that stands still, but for `lookMs` at each look at the clock and for `advance`, and turns of the event
 * loop that come when the test says so. Invariant: nothing in it depends on the speed of the machine.
 */
import { setImmediate } from "node:timers";
import type { SchedulerHost } from "../../runtime/cell/scheduler.ts";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** How a host passes its time. */
export interface ManualHostOptions {
  /** Time that passes at each look at the clock: a guest that spins gets somewhere. Default 0. */
  readonly lookMs?: number;
}

/** Time and turns by hand. */
export class ManualHost implements SchedulerHost {
  readonly #lookMs: number;
  readonly #timers = new Set<Timer>();
  readonly #turns: (() => void)[] = [];
  #nowMs = 0;
  #turnCount = 0;

  constructor({ lookMs = 0 }: ManualHostOptions = {}) {
    this.#lookMs = lookMs;
  }

  nowMs(): number {
    return this.#nowMs += this.#lookMs;
  }

  /** The time, without letting any pass. */
  get timeMs(): number {
    return this.#nowMs;
  }

  /** Turns of the event loop so far. */
  get turnCount(): number {
    return this.#turnCount;
  }

  /** Turns that were asked for and have not come. */
  get turnsWaiting(): number {
    return this.#turns.length;
  }

  /** Timers that have neither fired nor been cancelled. */
  get timerCount(): number {
    return this.#timers.size;
  }

  nextTurn(callback: () => void): void {
    this.#turns.push(callback);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Time passes while somebody holds the thread: no timer can fire. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Moves time forward and fires what is due, in order of time. Answers with how much that was. */
  advance(ms: number): number {
    const endMs = this.#nowMs + ms;
    let fired = 0;
    for (let next = this.#next(); next !== undefined && next.atMs <= endMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.callback();
      fired++;
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
    return fired;
  }

  /** Lets everything happen that needs neither time nor a turn of the event loop. */
  settle(): Promise<void> {
    return new Promise((resolve) => void setImmediate(() => resolve()));
  }

  /** As `settle`, then fires what is due and takes the turns that were asked for. False if there was nothing. */
  async turn(): Promise<boolean> {
    await this.settle();
    const fired = this.advance(0);
    const turns = this.#turns.splice(0);
    for (const callback of turns) {
      this.#turnCount++;
      callback();
    }
    await this.settle();
    return fired + turns.length > 0;
  }

  /** Takes turns, and jumps to the next timer when there is no turn to take, until `isDone`. */
  async runUntil(isDone: () => boolean): Promise<void> {
    for (;;) {
      await this.settle();
      if (isDone()) return;
      if (await this.turn()) continue;
      const next = this.#next();
      if (next === undefined) throw new Error("Nothing is left that could happen");
      this.advance(next.atMs - this.#nowMs);
    }
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (next === undefined || timer.atMs < next.atMs) next = timer;
    }
    return next;
  }
}
