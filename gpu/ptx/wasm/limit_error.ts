/**
 * WasmLimitError: a module that no engine would take, because something in it is too large.
 *
 * Owns the error and the limits, which are those that all engines share (WebAssembly JavaScript API, "Limits").
 * Invariant: whatever the writer finishes is within them.
 */

/**
 * Most locals of a function, parameters included; bytes of its body; targets of one br_table; functions.
 * Branches to one label are bounded because V8 ends the process where a value has more than 65,535 of them
 * ("Too many phi inputs"), and takes half a minute for fewer.
 */
export const WASM_LIMITS = {
  functionLocalsMax: 50_000,
  functionBytesMax: 7_654_321,
  branchTargetsMax: 65_520,
  labelBranchesMax: 16_384,
  moduleFunctionsMax: 1_000_000,
} as const;

/** Something is above a limit. */
export class WasmLimitError extends Error {
  override readonly name = "WasmLimitError";
}

/** @throws WasmLimitError if the value is above the limit */
export function checkLimit(limit: keyof typeof WASM_LIMITS, actual: number): void {
  if (actual <= WASM_LIMITS[limit]) return;
  throw new WasmLimitError(`${limit} is ${WASM_LIMITS[limit]}, got ${actual}`);
}
