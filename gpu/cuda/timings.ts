/**
 * Timings: how long the device was busy with a launch, told when that is known.
 *
 * Owns pairs of events around the launches that asked for it. Two records cost as much as half a launch, so none
 * are made for others. Invariants: whoever asked is told at most once, after the launch is done; a launch that
 * cannot be timed runs all the same.
 */
import { GpuError } from "../gpu_error.ts";
import type { DriverContext } from "./driver_context.ts";
import { CudaEvent } from "./handles.ts";
import type { CudaStream } from "./handles.ts";

/** Told how long the device was busy, in microseconds. */
export type Timed = (deviceTimeUs: number) => void;

interface Pair {
  readonly start: CudaEvent;
  readonly end: CudaEvent;
}

interface Pending extends Pair {
  readonly timed: Timed;
}

/** Most launches that are timed at once. */
const PENDING_MAX = 64;

/** The timed launches of one context. */
export class Timings implements Disposable {
  readonly #context: DriverContext;
  readonly #free: Pair[] = [];
  readonly #pending: Pending[] = [];

  constructor(context: DriverContext) {
    this.#context = context;
  }

  /** Launches, with an event before and one behind it. */
  around(stream: CudaStream, timed: Timed | undefined, launch: () => void): void {
    const pair = timed === undefined || this.#pending.length >= PENDING_MAX ? undefined : this.#take();
    if (timed === undefined || pair === undefined) return launch();
    let isTimed = false;
    try {
      isTimed = tryRecord(pair.start, stream);
      launch();
      isTimed &&= tryRecord(pair.end, stream);
    } catch (error) {
      isTimed = false;
      throw error;
    } finally {
      if (isTimed) this.#pending.push({ ...pair, timed });
      else this.#free.push(pair);
    }
  }

  /** Tells of those that are done. @throws GpuError what a launch did wrong */
  collect(): void {
    for (let index = 0; index < this.#pending.length;) {
      const pending = this.#pending[index];
      if (pending === undefined || !pending.end.isDone()) {
        index++;
        continue;
      }
      this.#pending.splice(index, 1);
      this.#free.push(pending);
      pending.timed(Math.round(pending.start.millisecondsTo(pending.end) * 1000));
    }
  }

  [Symbol.dispose](): void {
    for (const { start, end } of [...this.#free, ...this.#pending]) {
      start[Symbol.dispose]();
      end[Symbol.dispose]();
    }
    this.#free.length = 0;
    this.#pending.length = 0;
  }

  #take(): Pair | undefined {
    const known = this.#free.pop();
    if (known !== undefined) return known;
    using stack = new DisposableStack();
    try {
      const pair = {
        start: stack.use(CudaEvent.open(this.#context, true)),
        end: stack.use(CudaEvent.open(this.#context, true)),
      };
      stack.move();
      return pair;
    } catch (error) {
      if (error instanceof GpuError && !error.isSticky) return undefined;
      throw error;
    }
  }
}

/** @throws GpuError one that is sticky: it is of work before */
function tryRecord(event: CudaEvent, stream: CudaStream): boolean {
  try {
    event.record(stream);
    return true;
  } catch (error) {
    if (error instanceof GpuError && !error.isSticky) return false;
    throw error;
  }
}
