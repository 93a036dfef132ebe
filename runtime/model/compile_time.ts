/**
 * CompileTime: the buckets in which cells count how long their engine compiles.
 *
 * Owns the bounds, which the metric of the same name has too (a test compares).
 */

/** Upper bounds of tensor_wasm_module_compile_seconds. */
export const COMPILE_SECONDS: readonly number[] = Object.freeze([
  ...[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]);
