/**
 * Control words: what the threads that share a launch tell each other, in memory that no kernel can reach.
 *
 * Owns the layout and the protocol of joining: a helper takes part only if the launch that it was told of is
 * still the current one and still open, by one compare-and-exchange. Invariant: once a launch is closed nobody
 * joins it, so its owner knows whom to wait for.
 */

/** Indices of the 32-bit words. crew_worker.ts has them by number. */
export const WORD = {
  /** Launch number << 8 | closed << 7 | helpers that have joined. */
  joined: 0,
  /** Helpers that have ended. */
  ended: 1,
  /** Not zero: everybody stops at the next question. */
  isStopped: 2,
  /** Fuel that helpers used and the owner has not booked. */
  fuelUsed: 3,
  /** The CUresult of a helper's trap that its launch record says nothing of. */
  trap: 4,
  /** Where it was, as an offset in the module; 0 if the engine does not say. */
  trapOffset: 5,
} as const;

/** The words of one context. */
export function makeControlWords(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(32));
}

const CLOSED = 0x80;
const COUNT_MASK = 0x7f;
const NUMBER_MASK = 0xff_ffff;

/** Opens a launch for helpers. @returns its number */
export function openLaunch(words: Int32Array, last: number): number {
  const number = (last + 1) & NUMBER_MASK;
  Atomics.store(words, WORD.ended, 0);
  Atomics.store(words, WORD.isStopped, 0);
  Atomics.store(words, WORD.fuelUsed, 0);
  Atomics.store(words, WORD.trap, 0);
  Atomics.store(words, WORD.trapOffset, 0);
  Atomics.store(words, WORD.joined, number << 8);
  return number;
}

/** Lets nobody join any more. @returns how many have */
export function closeLaunch(words: Int32Array): number {
  return Atomics.or(words, WORD.joined, CLOSED) & COUNT_MASK;
}

/** Takes what helpers have used since it was last taken. */
export function takeFuel(words: Int32Array): number {
  // It is taken long before it could run over.
  return Atomics.exchange(words, WORD.fuelUsed, 0);
}
