/**
 * Launch record: the words in a context's memory through which a launch and its kernel speak.
 *
 * Owns the layout, which the device writes and compiled code reads, and the numbers of faults. It is code-free.
 * Invariant: every field is aligned to its size; parameters begin at `params`, aligned for any type.
 */

/** Byte offsets in the record. */
export const RECORD = {
  /** i32 each: extents of the grid in blocks. */
  gridX: 0,
  gridY: 4,
  gridZ: 8,
  /** i32: bytes of shared memory of a block, static and dynamic. */
  sharedBytes: 12,
  /** i64 each, places in the memory: shared memory, saved registers, local memory, of one worker. */
  sharedBase: 16,
  saveBase: 24,
  localBase: 32,
  /** i64: place of the counter of blocks that were begun, one for all workers. */
  counter: 40,
  /** i64: blocks of the grid. */
  blockCount: 48,
  /** i32: fuel until the kernel asks, and what it had of it when it ended. */
  fuelGranted: 56,
  fuelLeft: 60,
  /** i32 each: why the kernel was ended (FAULT), 0 if it was not, and the line of the PTX. */
  fault: 64,
  faultLine: 68,
  /** i64: place of the parameters. */
  params: 72,
  /** i64: blocks that a worker takes from the counter at a time. */
  chunk: 80,
  bytes: 88,
} as const;

/** Why a kernel was ended: CUresult values (cuda.h 13.0) where there is one. */
export const FAULT = {
  illegalAddress: 700,
  timeout: 702,
  assert: 710,
  misalignedAddress: 716,
  launchFailed: 719,
} as const;
