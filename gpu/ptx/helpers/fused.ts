/**
 * Fused multiply-add, rounded once.
 *
 * Owns `fma` for f32 and f64. WebAssembly has none but the relaxed vector one, which fuses where the processor
 * can; a self-test at start says whether it does (`ModuleParts.isFused`), and where it does not the exact result
 * is put together here. Invariant: the result is the correctly rounded one on every host.
 */
import type { Helper } from "./mod.ts";

/**
 * f32: the product of two floats is exact as a double. The sum is rounded to odd, so that rounding it once more
 * to a float is right (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums").
 */
const fmaF32: Helper = {
  params: ["f32", "f32", "f32"],
  results: ["f32"],
  write: (code) => {
    const [product, addend, sum, virtual, error, bits] = [
      code.local("f64"),
      code.local("f64"),
      code.local("f64"),
      code.local("f64"),
      code.local("f64"),
      code.local("i64"),
    ];
    code.get(0);
    code.op("f64PromoteF32");
    code.get(1);
    code.op("f64PromoteF32", "f64Mul");
    code.set(product);
    code.get(2);
    code.op("f64PromoteF32");
    code.set(addend);
    code.get(product);
    code.get(addend);
    code.op("f64Add");
    code.set(sum);
    // Knuth's two-sum: the error of the addition, exactly.
    code.get(sum);
    code.get(product);
    code.op("f64Sub");
    code.set(virtual);
    code.get(product);
    code.get(sum);
    code.get(virtual);
    code.op("f64Sub", "f64Sub");
    code.get(addend);
    code.get(virtual);
    code.op("f64Sub", "f64Add");
    code.set(error);
    code.get(sum);
    code.op("i64ReinterpretF64");
    code.set(bits);
    // Inexact, finite and even: the neighbour in the direction of the error is odd.
    code.get(error);
    code.f64(0);
    code.op("f64Ne");
    code.get(error);
    code.get(error);
    code.op("f64Eq", "i32And");
    code.get(bits);
    code.op("i32WrapI64");
    code.i32(1);
    code.op("i32And", "i32Eqz", "i32And");
    code.if();
    code.get(bits);
    code.i64(1n);
    code.i64(-1n);
    code.get(error);
    code.f64(0);
    code.op("f64Gt");
    code.get(sum);
    code.f64(0);
    code.op("f64Gt", "i32Eq", "select", "i64Add");
    code.set(bits);
    code.end();
    code.get(bits);
    code.op("f64ReinterpretI64", "f32DemoteF64");
  },
};

export const FUSED_HELPERS = {
  fmaF32,
} as const satisfies Record<string, Helper>;
