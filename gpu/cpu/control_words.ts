/**
 * Control words: what the threads that share a launch tell each other, in the context's shared memory.
 *
 * Owns the layout and the protocol of joining: a helper takes part only if the launch that it was told of is
 * still the current one and still open, by one compare-and-exchange. Invariant: once a launch is closed nobody
 * joins it, so its owner knows whom to wait for.
 */

/** Indices of 32-bit words from the start of the control block. */
export const WORD = {
  /** 64 bits: the next block of the grid; the kernels count it. */
  counter: 0,
  /** Launch number << 8 | closed << 7 | helpers that have joined. */
  joined: 2,
  /** Helpers that have ended. */
  ended: 3,
  /** Not zero: everybody stops at the next question. */
  isStopped: 4,
  /** 64 bits: fuel that helpers used and the owner has not booked. */
  fuelUsed: 6,
} as const;

/** Bytes of a control block. */
export const CONTROL_BYTES = 64;

const CLOSED = 0x80;
const COUNT_MASK = 0x7f;
const NUMBER_MASK = 0xff_ffff;

/** Opens a launch for helpers. @returns its number */
export function openLaunch(words: Int32Array, base: number, last: number): number {
  const number = (last + 1) & NUMBER_MASK;
  Atomics.store(words, base + WORD.counter, 0);
  Atomics.store(words, base + WORD.counter + 1, 0);
  Atomics.store(words, base + WORD.ended, 0);
  Atomics.store(words, base + WORD.isStopped, 0);
  Atomics.store(words, base + WORD.fuelUsed, 0);
  Atomics.store(words, base + WORD.fuelUsed + 1, 0);
  Atomics.store(words, base + WORD.joined, number << 8);
  return number;
}

/** Lets nobody join any more. @returns how many have */
export function closeLaunch(words: Int32Array, base: number): number {
  return Atomics.or(words, base + WORD.joined, CLOSED) & COUNT_MASK;
}

/** Takes what helpers have used since it was last taken. */
export function takeFuel(words: Int32Array, base: number): number {
  // Helpers add to the low word alone; it is taken long before it could run over.
  return Atomics.exchange(words, base + WORD.fuelUsed, 0);
}
