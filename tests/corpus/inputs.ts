/**
 * Inputs that several cases share: bytes, text and numbers that are the same in every run.
 *
 * Owns the generator. It takes nothing from the clock, the platform or a random source. Invariant: equal
 * arguments give equal values.
 */

/** The next states of a 32-bit linear congruential generator (the constants of Numerical Recipes). */
export function makeSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

/** `length` bytes that look random. */
export function sampleBytes(length: number, seed: number = 1): Uint8Array<ArrayBuffer> {
  const next = makeSequence(seed);
  return Uint8Array.from({ length }, () => next() >>> 24);
}

const WORDS = ["alpha", "beta", "γάμμα", "delta", "épsilon", "zeta", "数字", "theta", "iota", "kappa"];

/** `count` words, some of them outside ASCII. */
export function sampleText(count: number, seed: number = 1): string {
  const next = makeSequence(seed);
  return Array.from({ length: count }, () => WORDS[(next() >>> 16) % WORDS.length]).join(" ");
}
