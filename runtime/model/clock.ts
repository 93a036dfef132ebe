/**
 * Clock: the only source of time for code that is tested with a fake one.
 *
 * Owns the interface and the system implementation. Invariant: `nowMs` is milliseconds since the Unix
 * epoch with sub-millisecond digits, never decreasing within one process.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** A source of time and timers. */
export interface Clock {
  /** Milliseconds since the epoch, monotonic within the process. */
  nowMs(): number;
  /**
   * Calls `callback` once after `delayMs`; the returned function cancels it. It may be called outside of the trace
   * of the caller, but never in that of another request.
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** Delays from here on may fire up to one tick late: they are deadlines, and nearly all are cancelled. */
const COARSE_DELAY_MS_MIN = 100;
const TICK_MS = 10;
/** Taken before there is any request. Binding each callback to its own context would cost microseconds. */
const outsideRequests = AsyncLocalStorage.snapshot();

/**
 * Many coarse timers on one timer of the system: setting and cancelling costs a Set operation, where a
 * system timer of its own costs microseconds, which every request would pay several times.
 */
class CoarseTimers {
  /** Callbacks by the tick at whose end they are due. */
  readonly #due = new Map<number, Set<() => void>>();
  #armedTick = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  after(delayMs: number, callback: () => void): () => void {
    const tick = Math.ceil((performance.now() + delayMs) / TICK_MS);
    let callbacks = this.#due.get(tick);
    if (callbacks === undefined) {
      callbacks = new Set();
      this.#due.set(tick, callbacks);
      if (tick < this.#armedTick) this.#arm(tick);
    }
    // Wrapped: the same function may be set twice.
    const entry = (): void => callback();
    callbacks.add(entry);
    return () => callbacks.delete(entry);
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#armedTick = tick;
    const delayMs = Math.max(0, tick * TICK_MS - performance.now());
    // One timer fires for many requests, so that it must not run in the context of the one that set it.
    this.#timer = outsideRequests(() => setTimeout(() => this.#fire(), delayMs));
    // A deadline that nobody waits for keeps no process alive.
    Deno.unrefTimer(this.#timer);
  }

  #fire(): void {
    const nowTick = performance.now() / TICK_MS;
    let next = Infinity;
    const due: Set<() => void>[] = [];
    for (const [tick, callbacks] of this.#due) {
      if (tick <= nowTick) {
        due.push(callbacks);
        this.#due.delete(tick);
      } else if (tick < next) {
        if (callbacks.size > 0) next = tick;
        else this.#due.delete(tick);
      }
    }
    this.#armedTick = Infinity;
    if (next !== Infinity) this.#arm(next);
    for (const callbacks of due) {
      for (const callback of callbacks) callback();
    }
  }
}

/** Made at the first coarse delay, so that importing this file starts nothing. */
let coarseTimers: CoarseTimers | undefined;

/** The machine's own clock: the epoch at process start plus monotonic time since. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => performance.timeOrigin + performance.now(),
  after(delayMs: number, callback: () => void): () => void {
    if (delayMs >= COARSE_DELAY_MS_MIN) {
      coarseTimers ??= new CoarseTimers();
      return coarseTimers.after(delayMs, callback);
    }
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
});
