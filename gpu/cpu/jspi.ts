/**
 * JavaScript Promise Integration as kernels need it: a function that may be suspended, and what suspends it.
 *
 * Owns the two wrappers that TypeScript's library does not declare (WebAssembly JSPI, phase 4). Invariant:
 * between the two lie WebAssembly frames alone.
 */

interface Jspi {
  readonly promising: (exported: unknown) => (...args: unknown[]) => Promise<unknown>;
  readonly Suspending: new (imported: unknown) => WebAssembly.ImportValue;
}

const jspi = WebAssembly as unknown as Jspi;

/** A kernel's entry as a function that answers with a promise. */
export function promising(exported: unknown): (record: bigint) => Promise<unknown> {
  return jspi.promising(exported);
}

/** The question of a kernel, whose promised answer suspends it. */
export function suspending(imported: (fuel: number) => number | Promise<number>): WebAssembly.ImportValue {
  return new jspi.Suspending(imported);
}
