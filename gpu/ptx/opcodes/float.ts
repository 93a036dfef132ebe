/**
 * Floating-point arithmetic for f32 and f64: what the shared opcodes do with floats (PTX ISA 9.7.3).
 *
 * Owns the emission for float types, and what stands around any of it: flushing of subnormals, clamping, the
 * choice of rounding. Round to nearest is the engine's own arithmetic; other roundings go through helpers.
 * Invariant: add, sub, mul, fma, div and sqrt are correctly rounded in every rounding mode.
 */
import type { PtxOperand } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { MODE } from "../helpers/exact_double.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt } from "./integer.ts";

/** Float widths as WebAssembly names them. */
export type FloatName = "f32" | "f64";

/** Rounding modes of floats. */
export type Rounding = "rn" | "rz" | "rm" | "rp";

/** The smallest normal single. */
export const NORMAL_MIN_F32 = 2 ** -126;

export function floatName(i: Instruction): FloatName {
  return typeAt(i) === "f64" ? "f64" : "f32";
}

/** Whether a type is one of the two that WebAssembly computes with. */
export function isFloat(type: string): type is FloatName {
  return type === "f32" || type === "f64";
}

export function roundingOf(i: Instruction): Rounding {
  for (const word of i.modifiers) {
    if (word === "rz" || word === "rm" || word === "rp") return word;
  }
  return "rn";
}

/** A single with subnormals turned into zeros of their sign. */
export function flush(f: Formula, value: Value): Value {
  const x = f.let(value);
  return x.abs().lt(NORMAL_MIN_F32).select(f.f32(0).copysign(x), x);
}

/** A value held between 0 and 1; NaN and -0 become +0. */
export function saturate(f: Formula, value: Value): Value {
  const x = f.let(value);
  return x.gt(0).select(x, 0).min(1);
}

/** A constant that is no subnormal need not be flushed. */
function isNormalConstant(operand: PtxOperand): boolean {
  if (operand.kind === "integer") return true;
  if (operand.kind !== "float" || operand.width !== 32) return false;
  return (operand.bits & 0x7f80_0000n) !== 0n || (operand.bits & 0x7fff_ffffn) === 0n;
}

/** An operand of a float type; its subnormals are flushed if the instruction says so. */
export function floatOperand(
  f: Formula,
  e: Emitter,
  i: Instruction,
  operand: PtxOperand,
  type: FloatName,
): Value {
  const value = f.value(type, () => e.push(operand, type));
  const isFlushed = type === "f32" && i.modifiers.includes("ftz") && !isNormalConstant(operand);
  return isFlushed ? f.let(flush(f, value)) : value;
}

/** What an instruction asks for after its operation: flushing and clamping. */
export function finish(f: Formula, i: Instruction, value: Value): Value {
  let result = value;
  if (result.type === "f32" && i.modifiers.includes("ftz")) result = flush(f, result);
  if (i.modifiers.includes("sat")) result = saturate(f, result);
  return result;
}

/**
 * A single that is rounded as `rounding` says from a double, which is exact or rounded to odd.
 *
 * @param wide the double; of the negated operands if `isNegated`
 */
export function directed(f: Formula, rounding: Rounding, wide: (isNegated: boolean) => Value): Value {
  switch (rounding) {
    case "rn":
      return wide(false).demote();
    case "rz":
      return f.call("demoteRz", wide(false));
    case "rp":
      return f.call("demoteRp", wide(false));
    case "rm":
      return f.call("demoteRp", wide(true)).neg();
  }
}

/** As `directed`, for a double by a helper that takes the mode. */
export function directedDouble(
  f: Formula,
  rounding: Rounding,
  exact: (isNegated: boolean, mode: Value) => Value,
): Value {
  if (rounding === "rm") return exact(true, f.i32(MODE.rp)).neg();
  return exact(false, f.i32(MODE[rounding]));
}

export function emitFloatBinary(e: Emitter, i: Instruction, name: "add" | "sub" | "mul"): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const a = floatOperand(f, e, i, operandAt(i, 1), type);
  const b = floatOperand(f, e, i, operandAt(i, 2), type);
  const rounding = roundingOf(i);
  const result = rounding === "rn" ? a[name](b) : directedBinary(f, rounding, name, a, b);
  finish(f, i, result).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

function directedBinary(
  f: Formula,
  rounding: Rounding,
  name: "add" | "sub" | "mul",
  a: Value,
  b: Value,
): Value {
  const other = name === "sub" ? b.neg() : b;
  if (a.type === "f64") {
    return directedDouble(f, rounding, (isNegated, mode) => {
      const first = isNegated ? a.neg() : a;
      // -0 is what changes no product and no sign of one.
      if (name === "mul") return f.call("fmaF64", first, b, f.f64(-0), mode);
      return f.call("fmaF64", first, f.f64(1), isNegated ? other.neg() : other, mode);
    });
  }
  return directed(f, rounding, (isNegated) => {
    const first = (isNegated ? a.neg() : a).promote();
    if (name === "mul") return first.mul(b.promote());
    return f.call("sumOdd", first, (isNegated ? other.neg() : other).promote());
  });
}

export function emitFloatFma(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const [a, b, c] = [1, 2, 3].map((index) => floatOperand(f, e, i, operandAt(i, index), type));
  if (a === undefined || b === undefined || c === undefined) return;
  const rounding = roundingOf(i);
  finish(f, i, rounding === "rn" ? fused(f, a, b, c) : directedFma(f, rounding, a, b, c)).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

/** a * b + c, rounded once to nearest. */
export function fused(f: Formula, a: Value, b: Value, c: Value): Value {
  const { code } = f;
  const isSingle = a.type === "f32";
  if (!f.parts.isFused) {
    return isSingle ? f.call("fmaF32", a, b, c) : f.call("fmaF64", a, b, c, f.i32(MODE.rn));
  }
  return f.value(a.type, () => {
    for (const operand of [a, b, c]) {
      operand.push();
      code.op(isSingle ? "f32x4Splat" : "f64x2Splat");
    }
    code.op(isSingle ? "f32x4RelaxedMadd" : "f64x2RelaxedMadd");
    code.lane(isSingle ? "f32x4Extract" : "f64x2Extract", 0);
  });
}

function directedFma(f: Formula, rounding: Rounding, a: Value, b: Value, c: Value): Value {
  if (a.type === "f64") {
    return directedDouble(
      f,
      rounding,
      (isNegated, mode) => f.call("fmaF64", isNegated ? a.neg() : a, b, isNegated ? c.neg() : c, mode),
    );
  }
  return directed(
    f,
    rounding,
    (isNegated) => f.call("fmaOddF32", isNegated ? a.neg() : a, b, isNegated ? c.neg() : c),
  );
}

/** The lesser or greater of two; a number beats a NaN unless `.NaN` is set, and -0 is below +0. */
export function extremum(f: Formula, i: Instruction, name: "min" | "max", left: Value, right: Value): Value {
  const propagates = i.modifiers.includes("NaN");
  const [a, b] = [f.let(left), f.let(right)];
  const [x, y] = i.modifiers.includes("abs") ? [a.abs(), b.abs()] : [a, b];
  let result = x[name](y);
  if (!propagates) result = a.eq(a).select(b.eq(b).select(result, x), y);
  // The sign of the product of both, whichever was chosen.
  if (i.modifiers.includes("xorsign")) {
    result = result.copysign(a.reinterpret().xor(b.reinterpret()).reinterpret());
  }
  return result;
}

export function emitFloatMinMax(e: Emitter, i: Instruction, name: "min" | "max"): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const [first, ...rest] = i.operands.slice(1).map((operand) => floatOperand(f, e, i, operand, type));
  if (first === undefined) return;
  const result = rest.reduce((sum, operand) => extremum(f, i, name, sum, operand), first);
  result.push();
  f.release();
  e.set(operandAt(i, 0), type);
}

export function emitFloatAbsNeg(e: Emitter, i: Instruction, name: "abs" | "neg"): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  floatOperand(f, e, i, operandAt(i, 1), type)[name]().push();
  f.release();
  e.set(operandAt(i, 0), type);
}
