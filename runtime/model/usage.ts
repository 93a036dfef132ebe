/**
 * Usage: what one call has cost.
 *
 * Owns the shape only; the cell measures, the executor puts the figures on spans, headers and metrics.
 * Invariant: plain JSON data, every figure a finite number that is never negative.
 */

/** The metering figures of one call, its start function included. */
export interface Usage {
  /** Fuel that the instrumentation charged: about one unit an instruction, more for bulk operations. */
  readonly fuel: number;
  /** How often the call gave up the thread, so that others of its cell had their turn. */
  readonly yields: number;
  /** Microseconds that the call held the thread. */
  readonly cpuUs: number;
  /** Size of the linear memory at the end, which is its peak: memories never shrink. */
  readonly memoryBytes: number;
}

/** Of a call whose account nobody could read: its process died. */
export const NO_USAGE: Usage = Object.freeze({ fuel: 0, yields: 0, cpuUs: 0, memoryBytes: 0 });
