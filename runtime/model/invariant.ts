/**
 * Invariants: conditions whose failure is a bug of the runtime, never of a caller or a guest.
 *
 * Owns the error class and its two makers. The gateway answers 500 `internal` with the trace id and no text.
 */

/** A bug of the runtime. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError with `text` unless `condition` holds. */
export function invariant(condition: unknown, text: string): asserts condition {
  if (!condition) throw new InvariantError(text);
}

/** For the default branch of an exhaustive switch; a value can reach it only by a bug. */
export function unreachable(value: never): never {
  throw new InvariantError(`Unexpected value ${JSON.stringify(value)}`);
}
