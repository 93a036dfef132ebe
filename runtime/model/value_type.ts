/**
 * WebAssembly value and function types as the rest of the runtime speaks of them.
 *
 * Owns the names and the printed form of signatures. It does not decode binaries (runtime/wasm does).
 * Invariant: every reference type, whatever its heap type, is the single word "ref": no reference ever
 * crosses the HTTP border, so nothing outside the reader needs to tell them apart.
 */

/** A value type of the WebAssembly core specification (§2.3.1–2.3.5), references folded into "ref". */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "ref";

/** A function signature: parameter and result types in order (core specification §2.3.6). */
export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Prints a signature as `(i32, i64) -> (f32)`; both lists are always in parentheses. */
export function formatFunctionType(type: FunctionType): string {
  return `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

/** True when two signatures are the same, parameter by parameter and result by result. */
export function equalFunctionTypes(a: FunctionType, b: FunctionType): boolean {
  return formatFunctionType(a) === formatFunctionType(b);
}
