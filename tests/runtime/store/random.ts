/**
 * Random numbers that a seed repeats: a linear congruential generator modulo 2^32 (Numerical Recipes, §7.1),
 * its top bits only.
 */

/** A function whose next call gives the next number in [0, 1). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 0x100_0000;
  };
}
