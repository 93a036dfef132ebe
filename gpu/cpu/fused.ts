/**
 * Whether this host's relaxed multiply-add rounds once.
 *
 * Owns the self-test of the one instruction whose result the WebAssembly specification leaves to the host
 * (relaxed SIMD, f32x4.relaxed_madd). Compiled kernels use it where it fuses, and put the exact result together
 * where it does not. Invariant: the answer holds for the life of the process.
 */
import { ModuleWriter } from "../ptx/wasm/module_writer.ts";

let answer: boolean | undefined;

/** Whether it does, found out once. */
export function isMultiplyAddFused(): boolean {
  return answer ??= tryMultiplyAdd();
}

/** Tries a product whose last bit is lost when it is rounded before the addition, for f32 and f64. */
function tryMultiplyAdd(): boolean {
  const writer = new ModuleWriter();
  for (const type of ["f32", "f64"] as const) {
    const { index, code } = writer.begin([type, type], [type]);
    for (const operand of [0, 0, 1]) {
      code.get(operand);
      code.op(type === "f32" ? "f32x4Splat" : "f64x2Splat");
    }
    code.op(type === "f32" ? "f32x4RelaxedMadd" : "f64x2RelaxedMadd");
    code.lane(type === "f32" ? "f32x4Extract" : "f64x2Extract", 0);
    writer.export(type, "function", index);
  }
  try {
    const { f32, f64 } = new WebAssembly.Instance(new WebAssembly.Module(writer.finish().bytes))
      .exports as Record<
        string,
        (a: number, c: number) => number
      >;
    // (1 + e)² - (1 + 2e) is e², which is lost if the square is rounded.
    return f32?.(1 + 2 ** -12, -(1 + 2 ** -11)) === 2 ** -24 &&
      f64?.(1 + 2 ** -30, -(1 + 2 ** -29)) === 2 ** -60;
  } catch {
    return false;
  }
}
