/** Pseudo-random 64-bit values from a seed, so that a failure comes again (splitmix64). */
export function randomBits(seed: number): () => bigint {
  let state = BigInt(seed);
  const mixed = (value: bigint, shift: bigint, factor: bigint): bigint =>
    BigInt.asUintN(64, (value ^ (value >> shift)) * factor);
  return () => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    const value = mixed(mixed(state, 30n, 0xbf58_476d_1ce4_e5b9n), 27n, 0x94d0_49bb_1331_11ebn);
    return value ^ (value >> 31n);
  };
}
