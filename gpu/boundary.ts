/**
 * Boundary: where what goes wrong in a session becomes a code and a text.
 *
 * Owns the last error and the running of steps, for functions that answer i32 and i64. It does not know what
 * the steps do. Invariant: a failure of a guest or a device never leaves as an exception, a bug of ours always
 * does; the last error is that of the last call that failed.
 */
import { GpuError } from "./gpu_error.ts";
import { LastError } from "./last_error.ts";
import { describeFailure } from "./refusal.ts";
import type { Failure } from "./refusal.ts";
import type { OperationRecord } from "./session_parts.ts";
import { runSteps } from "./steps.ts";
import type { Steps } from "./steps.ts";

/** A code or a count, at once or later. */
export type Answer = number | Promise<number>;
/** Likewise, for functions that answer i64. */
export type WideAnswer = bigint | Promise<bigint>;

/** The boundary of one session. */
export class Boundary {
  readonly lastError: LastError;
  readonly #broken: () => void;

  /** @param broken called when the device is of no use to the session any more */
  constructor(errorBytesMax: number, broken: () => void) {
    this.lastError = new LastError(errorBytesMax);
    this.#broken = broken;
  }

  /** Runs steps that answer a count, or nothing for success. */
  answer(steps: Steps<number | void>): Answer {
    return runSteps(this.#guarded(steps));
  }

  /** Runs steps that answer a handle. */
  answerWide(steps: Steps<bigint>): WideAnswer {
    return runSteps(this.#guardedWide(steps));
  }

  /** Runs what never waits. */
  atOnce(run: () => void): number {
    try {
      run();
      return 0;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Likewise, for what answers a handle or a number of 64 bits. */
  atOnceWide(run: () => bigint): bigint {
    try {
      return run();
    } catch (error) {
      return BigInt(this.#fail(error));
    }
  }

  *#guarded(steps: Steps<number | void>): Steps<number> {
    try {
      return (yield* steps) ?? 0;
    } catch (error) {
      return this.#fail(error);
    }
  }

  *#guardedWide(steps: Steps<bigint>): Steps<bigint> {
    try {
      return yield* steps;
    } catch (error) {
      return BigInt(this.#fail(error));
    }
  }

  #fail(error: unknown): number {
    const failure = describeFailure(error);
    if (failure === undefined) throw error;
    if (error instanceof GpuError && error.isSticky) this.#broken();
    this.lastError.set(error instanceof Error ? error.message : "");
    return failure.code;
  }
}

/** Runs steps and tells how they went, on every way out. */
export function* observed<T>(steps: Steps<T>, observe: (operation: OperationRecord) => void): Steps<T> {
  const startMs = performance.now();
  let failure: Failure | undefined;
  try {
    return yield* steps;
  } catch (error) {
    failure = describeFailure(error);
    throw error;
  } finally {
    observe({ startMs, endMs: performance.now(), failure });
  }
}
