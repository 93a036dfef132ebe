/**
 * Floating-point arithmetic for f32 and f64: what the shared opcodes do with floats (PTX ISA 9.7.3).
 *
 * Owns the emission for float types. Round to nearest is the engine's own arithmetic; other roundings, flushing
 * of subnormals and clamping go through helpers. Invariant: add, sub, mul, fma, div and sqrt are correctly
 * rounded in every rounding mode.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emitter.ts";
import type { Instruction } from "../ir.ts";
import { operandAt, typeAt } from "./integer.ts";
import { unsupported } from "./row.ts";

/** Float widths as WebAssembly names them. */
export type FloatName = "f32" | "f64";

export function floatName(i: Instruction): FloatName {
  return typeAt(i) === "f64" ? "f64" : "f32";
}

const BINARY = {
  add: { f32: "f32Add", f64: "f64Add" },
  sub: { f32: "f32Sub", f64: "f64Sub" },
  mul: { f32: "f32Mul", f64: "f64Mul" },
} as const;

export function emitFloatBinary(e: Emitter, i: Instruction, name: keyof typeof BINARY): void {
  const type = typeAt(i);
  if (type !== "f32" && type !== "f64") throw unsupported(i, "half");
  e.push(operandAt(i, 1), type);
  e.push(operandAt(i, 2), type);
  e.code.op(BINARY[name][type]);
  e.set(operandAt(i, 0), type);
}

export function emitFloatFma(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  if (type !== "f32" && type !== "f64") throw unsupported(i, "half");
  emitFused(
    e,
    () => {
      e.push(operandAt(i, 1), type);
    },
    () => e.push(operandAt(i, 2), type),
    () => e.push(operandAt(i, 3), type),
    type,
  );
  e.set(operandAt(i, 0), type);
}

/** Pushes a * b + c, rounded once; each operand is pushed by its function. */
export function emitFused(
  e: Emitter,
  a: () => void,
  b: () => void,
  c: () => void,
  type: FloatName,
): void {
  const { code } = e;
  if (!e.parts.isFused) {
    a();
    b();
    c();
    e.call("fmaF32");
    return;
  }
  for (const push of [a, b, c]) {
    push();
    code.op(type === "f32" ? "f32x4Splat" : "f64x2Splat");
  }
  code.op(type === "f32" ? "f32x4RelaxedMadd" : "f64x2RelaxedMadd");
  code.lane(type === "f32" ? "f32x4Extract" : "f64x2Extract", 0);
}

export function emitFloatMinMax(e: Emitter, i: Instruction, name: "min" | "max"): void {
  const { code } = e;
  const type = typeAt(i);
  if (type !== "f32" && type !== "f64") throw unsupported(i, "half");
  const [a, b] = [code.temp(type), code.temp(type)];
  e.push(operandAt(i, 1), type);
  code.set(a);
  e.push(operandAt(i, 2), type);
  code.set(b);
  // The operand that is a number wins over a NaN.
  code.get(a);
  code.get(b);
  code.op(type === "f32" ? (name === "min" ? "f32Min" : "f32Max") : name === "min" ? "f64Min" : "f64Max");
  code.get(a);
  code.get(b);
  code.get(b);
  code.op(type === "f32" ? "f32Eq" : "f64Eq", "select");
  code.get(b);
  code.get(a);
  code.get(a);
  code.op(type === "f32" ? "f32Eq" : "f64Eq", "select");
  code.release(type, a);
  code.release(type, b);
  e.set(operandAt(i, 0), type);
}

export function emitFloatAbsNeg(e: Emitter, i: Instruction, name: "abs" | "neg"): void {
  const type = typeAt(i);
  if (type !== "f32" && type !== "f64") throw unsupported(i, "half");
  e.push(operandAt(i, 1), type);
  e.code.op(type === "f32" ? (name === "abs" ? "f32Abs" : "f32Neg") : name === "abs" ? "f64Abs" : "f64Neg");
  e.set(operandAt(i, 0), type);
}

/** Pushes an operand as the instruction's float type, subnormals flushed if the instruction says so. */
export function pushFlushed(
  e: Emitter,
  i: Instruction,
  operand: PtxOperand,
  type: PtxType = typeAt(i),
): void {
  e.push(operand, type);
  if (i.modifiers.includes("ftz")) throw unsupported(i, ".ftz");
}
