/**
 * Boundary: where what goes wrong in a session becomes a code and a text.
 *
 * Owns the last error, and the two ways to an answer: at once, or as a promise where something is to be waited
 * for. It does not know what is run. Invariant: a failure of a guest or a device never leaves as an exception, a
 * bug of ours always does; the last error is that of the last call that failed.
 */
import { LastError } from "./last_error.ts";
import { describeFailure } from "./refusal.ts";
import type { Failure } from "./refusal.ts";
import type { OperationRecord } from "./session_parts.ts";

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

  /** Runs what answers a count, or nothing for success. */
  answer(run: () => number | void | Promise<number | void>): Answer {
    try {
      const value = run();
      return value instanceof Promise ? value.then(countOf, (error) => this.#fail(error)) : countOf(value);
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Runs what answers a handle. */
  answerWide(run: () => WideAnswer): WideAnswer {
    try {
      const value = run();
      return value instanceof Promise ? value.catch((error) => BigInt(this.#fail(error))) : value;
    } catch (error) {
      return BigInt(this.#fail(error));
    }
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

  #fail(error: unknown): number {
    const failure = describeFailure(error);
    if (failure === undefined) throw error;
    if (failure.isSticky) this.#broken();
    this.lastError.set(error instanceof Error ? error.message : "");
    return failure.code;
  }
}

function countOf(value: number | void): number {
  return value ?? 0;
}

/** Runs something and tells how it went, on every way out. */
export function observed<T>(
  run: () => T | Promise<T>,
  observe: (operation: OperationRecord) => void,
): T | Promise<T> {
  const startMs = performance.now();
  const ended = (failure: Failure | undefined): void =>
    observe({ startMs, endMs: performance.now(), failure });
  const failed = (error: unknown): never => {
    ended(describeFailure(error));
    throw error;
  };
  let value: T | Promise<T>;
  try {
    value = run();
  } catch (error) {
    return failed(error);
  }
  if (value instanceof Promise) return value.then((settled) => (ended(undefined), settled), failed);
  ended(undefined);
  return value;
}
