/**
 * Half-precision arithmetic: f16, bf16 and their pairs (PTX ISA 9.7.4).
 *
 * Owns the emission of what the shared opcodes do with half types, and how their values come and go. A half is
 * bits in the low half of an i32; it is computed with as a single, or as a double in `fma`, and rounded back.
 * Invariant: results are those of the exact operation rounded once. For + - * that is so because a single has
 * more than twice the bits of a half and two (Figueroa, "When is double rounding innocuous?", 1995).
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { extremum, saturate } from "./float.ts";
import { operandAt, typeAt } from "./integer.ts";

/** The two formats. */
export type HalfName = "f16" | "bf16";

export function isHalf(type: PtxType): boolean {
  return type === "f16" || type === "bf16" || type === "f16x2" || type === "bf16x2";
}

export function halfName(type: PtxType): HalfName {
  return type.startsWith("bf16") ? "bf16" : "f16";
}

export function isPair(type: PtxType): boolean {
  return type.endsWith("x2");
}

/** The single of a half, exactly. */
export function widen(f: Formula, name: HalfName, half: Value): Value {
  return name === "f16" ? f.call("f16ToF32", half) : half.shl(16).reinterpret();
}

/** The half nearest to a single or double. */
export function narrow(f: Formula, name: HalfName, value: Value): Value {
  if (value.type === "f64") return f.call(name === "f16" ? "f64ToF16" : "f64ToBf16", value);
  return f.call(name === "f16" ? "f32ToF16" : "f32ToBf16", value);
}

/** A half with subnormals turned into zeros of their sign. */
export function flushSubnormal(f: Formula, name: HalfName, value: Value): Value {
  const half = f.let(value);
  return half.and(name === "f16" ? 0x7c00 : 0x7f80).select(half, half.and(0x8000));
}

/** The halves of an operand: one, or the lower and the upper; flushed if the instruction says so. */
export function halvesOf(
  f: Formula,
  e: Emitter,
  i: Instruction,
  operand: PtxOperand,
  type: PtxType,
): readonly Value[] {
  const parts = isPair(type)
    ? pairOf(f, f.let(f.value("i32", () => e.push(operand, type))))
    : [f.value("i32", () => e.pushInt(operand, "b16"))];
  const isFlushed = i.modifiers.includes("ftz") && halfName(type) === "f16";
  return isFlushed ? parts.map((half) => f.let(flushSubnormal(f, "f16", half))) : parts;
}

function pairOf(f: Formula, both: Value): readonly Value[] {
  return [f.let(both.and(0xffff)), f.let(both.shrU(16))];
}

/** What an instruction asks for after its operation, and the way back to a half. */
function finishHalf(f: Formula, i: Instruction, name: HalfName, value: Value): Value {
  let wide = value;
  if (i.modifiers.includes("sat")) wide = saturate(f, wide);
  // Negative numbers become zero; a NaN stays one.
  if (i.modifiers.includes("relu")) wide = wide.max(0);
  const half = narrow(f, name, wide);
  return i.modifiers.includes("ftz") && name === "f16" ? flushSubnormal(f, name, half) : half;
}

/** Emits an operation half by half: `compute` makes the result's bits from those of the operands. */
export function emitByHalves(
  e: Emitter,
  i: Instruction,
  compute: (f: Formula, name: HalfName, halves: readonly Value[]) => Value,
): void {
  const type = typeAt(i);
  const f = new Formula(e.code, e.parts);
  const operands = i.operands.slice(1).map((operand) => halvesOf(f, e, i, operand, type));
  const results = (operands[0] ?? []).map((_, part) => {
    const halves = operands.flatMap((each) => each[part] ?? []);
    return f.let(compute(f, halfName(type), halves));
  });
  const [low, high] = results;
  if (low === undefined) return;
  (high === undefined ? low : low.or(high.shl(16))).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

export function emitHalfBinary(e: Emitter, i: Instruction, name: "add" | "sub" | "mul"): void {
  emitByHalves(e, i, (f, half, [a, b]) => {
    if (a === undefined || b === undefined) return f.i32(0);
    return finishHalf(f, i, half, widen(f, half, a)[name](widen(f, half, b)));
  });
}

/** The product of two halves is exact as a single, and so as a double; the sum is rounded to odd there. */
export function emitHalfFma(e: Emitter, i: Instruction): void {
  emitByHalves(e, i, (f, half, [a, b, c]) => {
    if (a === undefined || b === undefined || c === undefined) return f.i32(0);
    const [x, y, z] = [a, b, c].map((operand) => widen(f, half, operand).promote());
    if (x === undefined || y === undefined || z === undefined) return f.i32(0);
    return finishHalf(f, i, half, f.call("sumOdd", x.mul(y), z));
  });
}

export function emitHalfMinMax(e: Emitter, i: Instruction, name: "min" | "max"): void {
  emitByHalves(e, i, (f, half, [a, b]) => {
    if (a === undefined || b === undefined) return f.i32(0);
    return narrow(f, half, extremum(f, i, name, widen(f, half, a), widen(f, half, b)));
  });
}

/** A matter of the sign bit, of NaNs too. */
export function emitHalfAbsNeg(e: Emitter, i: Instruction, name: "abs" | "neg"): void {
  emitByHalves(
    e,
    i,
    (f, _, [a]) => a === undefined ? f.i32(0) : name === "abs" ? a.and(0x7fff) : a.xor(0x8000),
  );
}
