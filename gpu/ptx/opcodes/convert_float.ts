/**
 * Conversions that have a float on one side: what cvt does with f16, bf16, tf32, f32 and f64 (PTX ISA 9.7.9).
 *
 * Owns the way of a value: taken from its register as a single or double without error, rounded to an integer
 * or clamped if the instruction says so, and rounded once to its destination. Invariant: a double on that way is
 * exact or rounded to odd, so that the last rounding is the only one that counts.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { TOWARD } from "../helpers/half.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { directed, directedDouble, finish, floatOperand, isFloat, roundingOf, saturate } from "./float.ts";
import { halfName, isHalf, narrow, widen } from "./half.ts";
import type { HalfName } from "./half.ts";
import { isInteger, operandAt } from "./integer.ts";
import { unsupported } from "./row.ts";

/** Largest finite values, for `.satfinite`. */
const FINITE_MAX: Readonly<Partial<Record<PtxType, number>>> = {
  f16: 65_504,
  bf16: 2 ** 128 - 2 ** 120,
  tf32: 2 ** 128 - 2 ** 117,
};

const INTEGRAL = { rni: "nearest", rzi: "trunc", rmi: "floor", rpi: "ceil" } as const;

/** Rounded to an integer of the same float type, if the instruction says so. */
function integral(i: Instruction, value: Value): Value {
  for (const word of i.modifiers) {
    if (word === "rni" || word === "rzi" || word === "rmi" || word === "rpi") return value[INTEGRAL[word]]();
  }
  return value;
}

/** An operand of a float type as single or double, exactly; subnormal singles flushed if asked for. */
function wideOperand(f: Formula, e: Emitter, i: Instruction, operand: PtxOperand, type: PtxType): Value {
  if (isFloat(type)) return floatOperand(f, e, i, operand, type);
  if (!isHalf(type)) throw unsupported(i, `from .${type}`);
  return widen(f, halfName(type), f.value("i32", () => e.pushInt(operand, "b16")));
}

/** An integer operand. */
function integerOperand(f: Formula, e: Emitter, i: Instruction, type: PtxType): Value {
  return f.value(storageOf(type), () => e.pushInt(operandAt(i, 1), type));
}

/** The two halves of a 64-bit integer as doubles: their sum is its value. */
function halvesOf64(f: Formula, value: Value, isSigned: boolean): readonly [high: Value, low: Value] {
  const x = f.let(value);
  const high = isSigned ? x.shrS(32n) : x.shrU(32n);
  return [high.toFloat("f64", isSigned).mul(2 ** 32), x.and(0xffff_ffffn).toFloat("f64", false)];
}

/** To f32, f64, f16 or bf16. */
export function emitToFloat(e: Emitter, i: Instruction, to: PtxType, from: PtxType): void {
  const f = new Formula(e.code, e.parts);
  if (isInteger(from)) {
    const value = fromInteger(f, e, i, to, from);
    (isHalf(to) ? value : finish(f, i, value)).push();
  } else {
    const value = integral(i, wideOperand(f, e, i, operandAt(i, 1), from));
    if (isHalf(to)) half(f, i, halfName(to), value).push();
    else finish(f, i, toWidth(f, i, value, to)).push();
  }
  f.release();
  e.set(operandAt(i, 0), to);
}

/** A single or double as one of the other width, rounded by the instruction's mode. */
function toWidth(f: Formula, i: Instruction, value: Value, to: PtxType): Value {
  if (to === "f64") return value.type === "f64" ? value : value.promote();
  if (value.type === "f32") return value;
  return directed(f, roundingOf(i), (isNegated) => isNegated ? value.neg() : value);
}

function fromInteger(f: Formula, e: Emitter, i: Instruction, to: PtxType, from: PtxType): Value {
  const value = integerOperand(f, e, i, from);
  const isSigned = from.startsWith("s");
  const rounding = roundingOf(i);
  if (isFloat(to) && rounding === "rn") return value.toFloat(to, isSigned);
  const isWide = value.type === "i64";
  if (to === "f64" && isWide) {
    const [high, low] = halvesOf64(f, value, isSigned);
    return directedDouble(
      f,
      rounding,
      (isNegated, mode) =>
        f.call("fmaF64", isNegated ? high.neg() : high, f.f64(1), isNegated ? low.neg() : low, mode),
    );
  }
  const double = isWide
    ? f.call("sumOdd", ...halvesOf64(f, value, isSigned))
    : value.toFloat("f64", isSigned);
  if (to === "f64") return double;
  if (isHalf(to)) return half(f, i, halfName(to), double);
  return directed(f, rounding, (isNegated) => isNegated ? double.neg() : double);
}

/** Clamping before the last rounding, which moves no bound: they are values of the destination. */
function limited(f: Formula, i: Instruction, type: PtxType, value: Value): Value {
  let result = value;
  if (i.modifiers.includes("sat")) result = saturate(f, result);
  if (i.modifiers.includes("relu")) result = result.max(0);
  const most = FINITE_MAX[type];
  if (i.modifiers.includes("satfinite") && most !== undefined) result = result.min(most).max(-most);
  return result;
}

/** The bits of a half, rounded by the instruction's mode. */
function half(f: Formula, i: Instruction, name: HalfName, value: Value): Value {
  const rounding = roundingOf(i);
  const limitedValue = limited(f, i, name, value);
  if (rounding === "rn") return narrow(f, name, limitedValue);
  const single = limitedValue.type === "f64" ? f.call("demoteOdd", limitedValue) : limitedValue;
  return f.call(name === "f16" ? "f32ToF16Toward" : "f32ToBf16Toward", single, f.i32(TOWARD[rounding]));
}

/** cvt.rn.f16x2.f32 d, a, b: the first operand becomes the upper half. */
export function emitToPair(e: Emitter, i: Instruction, to: PtxType): void {
  const f = new Formula(e.code, e.parts);
  const [high, low] = [1, 2].map((index) =>
    f.let(half(f, i, halfName(to), floatOperand(f, e, i, operandAt(i, index), "f32")))
  );
  if (high === undefined || low === undefined) return;
  low.or(high.shl(16)).push();
  f.release();
  e.set(operandAt(i, 0), to);
}

/** A single with 10 bits of fraction; the other 13 are zero. */
export function emitToTf32(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const x = f.let(limited(f, i, "tf32", floatOperand(f, e, i, operandAt(i, 1), "f32")));
  const bits = x.reinterpret();
  let rounded = bits;
  if (i.modifiers.includes("rna")) rounded = bits.add(0x1000);
  else if (roundingOf(i) === "rn") rounded = bits.add(bits.shrU(13).and(1).add(0xfff));
  x.eq(x).select(rounded.and(0xffff_e000), f.i32(0x7fff_ffff)).push();
  f.release();
  e.set(operandAt(i, 0), "tf32");
}

/** To an integer: what is beyond the range is its end. */
export function emitFromFloat(e: Emitter, i: Instruction, to: PtxType, from: PtxType): void {
  const f = new Formula(e.code, e.parts);
  const x = f.let(integral(i, wideOperand(f, e, i, operandAt(i, 1), from)));
  const isSigned = to.startsWith("s");
  const bits = 8 * bytesOf(to);
  let value = x.toInteger(storageOf(to) === "i64" ? "i64" : "i32", isSigned);
  if (bits < 32) {
    const wide = f.let(value);
    const most = 2 ** (isSigned ? bits - 1 : bits) - 1;
    value = (isSigned ? wide.gt(most) : wide.gtU(most)).select(f.i32(most), wide);
    if (isSigned) {
      const cut = f.let(value);
      value = cut.lt(-most - 1).select(f.i32(-most - 1), cut);
    }
  }
  // The ISA's table: a NaN is 0 unless the source or the destination has 64 bits.
  if (from === "f64" || bits === 64) {
    const nan = isSigned ? -(1n << BigInt(bits - 1)) : 1n << BigInt(bits - 1);
    value = x.eq(x).select(value, f.constant(value.type, nan));
  }
  value.push();
  f.release();
  e.set(operandAt(i, 0), to);
}
