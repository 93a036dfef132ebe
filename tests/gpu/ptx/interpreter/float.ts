/**
 * Floating-point arithmetic of f32 and f64: add, mul, fma, div, sqrt, min, copysign and the approximations.
 *
 * Owns roundings, `.ftz` and `.sat`. The default rounding runs on doubles where those are exact, every other
 * one through exact_arithmetic.ts. Invariant: only opcodes with `.approx` or `.full` are not correctly rounded;
 * those are computed in double precision and rounded.
 */
import type { PtxType } from "../../../../gpu/ptx/ast.ts";
import { addBits, divBits, fmaBits, mulBits, sqrtBits } from "./exact_arithmetic.ts";
import { bitsOfDouble, doubleOfBits, fusedSingle, throughBits } from "./float_bits.ts";
import { doubleStep, singleStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import { F32, F64, type FloatFormat, type RoundingMode } from "./softfloat.ts";
import type { Step } from "./thread.ts";

type Fn = (a: number, b: number, c: number) => number;

const SMALLEST_NORMAL_SINGLE = 2 ** -126;

/** Subnormal single to zero of its sign. */
export function flushed(value: number): number {
  if (Math.abs(value) >= SMALLEST_NORMAL_SINGLE || Number.isNaN(value)) return value;
  return value < 0 || Object.is(value, -0) ? -0 : 0;
}

function isNegative(value: number): boolean {
  return value < 0 || Object.is(value, -0);
}

function saturated(value: number): number {
  // A negative zero turns positive, and NaN is zero.
  return value > 0 ? Math.min(value, 1) : 0;
}

/** min and max as PTX has them: a number beats NaN, and -0 is below +0. */
function smaller(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  return Math.min(a, b);
}

function larger(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  return Math.max(a, b);
}

/** What `min` or `max` computes with its modifiers, on two operands or three. */
export function extremum(site: Site): Fn {
  const isMin = site.ins.opcode === "min";
  const propagates = site.has("NaN");
  const usesMagnitudes = site.has("abs");
  const takesSign = site.has("xorsign");
  const isTriple = site.count === 4;
  const two = propagates ? (isMin ? Math.min : Math.max) : isMin ? smaller : larger;
  return (a, b, c) => {
    const values = isTriple ? [a, b, c] : [a, b];
    let result = (usesMagnitudes ? values.map(Math.abs) : values).reduce((x, y) => two(x, y));
    if (takesSign) result = values.filter(isNegative).length % 2 === 1 ? -Math.abs(result) : Math.abs(result);
    return result;
  };
}

function reciprocalCoarse(value: number): number {
  // Only the upper halves of operand and result take part.
  const upper = (x: number): number => doubleOfBits(bitsOfDouble(x) & 0xffff_ffff_0000_0000n);
  return upper(1 / upper(value));
}

/** Functions whose results are not rounded correctly on a device either. */
const APPROXIMATE: Readonly<Record<string, Fn>> = {
  rcp: (a) => 1 / a,
  sqrt: (a) => Math.sqrt(a),
  rsqrt: (a) => 1 / Math.sqrt(a),
  div: (a, b) => a / b,
  ex2: (a) => 2 ** a,
  lg2: (a) => Math.log2(a),
  sin: (a) => Math.sin(a),
  cos: (a) => Math.cos(a),
  tanh: (a) => Math.tanh(a),
};

/** The function without `.ftz` and `.sat`; its result need not be rounded to single yet. */
function functionOf(site: Site, format: FloatFormat, mode: RoundingMode): Fn | undefined {
  const { opcode } = site.ins;
  const isSingle = format === F32;
  if (site.has("approx") || site.has("full")) {
    if (!isSingle && opcode === "rcp") return reciprocalCoarse;
    if (!isSingle && opcode === "rsqrt" && site.has("ftz")) {
      return (a) => doubleOfBits(bitsOfDouble(1 / Math.sqrt(a)) & 0xffff_ffff_0000_0000n);
    }
    return APPROXIMATE[opcode];
  }
  const isNearest = mode === "rn";
  switch (opcode) {
    case "add":
      return isNearest
        ? (a, b) => a + b
        : throughBits(format, (a = 0n, b = 0n) => addBits(format, mode, a, b));
    case "sub":
      return isNearest ? (a, b) => a - b : negatedSecond(format, mode);
    case "mul":
      return isNearest
        ? (a, b) => a * b
        : throughBits(format, (a = 0n, b = 0n) => mulBits(format, mode, a, b));
    case "fma":
    case "mad":
      if (isNearest && isSingle) return fusedSingle;
      return throughBits(format, (a = 0n, b = 0n, c = 0n) => fmaBits(format, mode, a, b, c));
    case "div":
      return isNearest
        ? (a, b) => a / b
        : throughBits(format, (a = 0n, b = 0n) => divBits(format, mode, a, b));
    case "rcp":
      return isNearest ? (a) => 1 / a : reciprocal(format, mode);
    case "sqrt":
      return isNearest ? (a) => Math.sqrt(a) : throughBits(format, (a = 0n) => sqrtBits(format, mode, a));
    case "abs":
      return (a) => Math.abs(a);
    case "neg":
      return (a) => -a;
    case "min":
    case "max":
      return extremum(site);
    default:
      return undefined;
  }
}

function negatedSecond(format: FloatFormat, mode: RoundingMode): Fn {
  const add = throughBits(format, (a = 0n, b = 0n) => addBits(format, mode, a, b));
  return (a, b) => add(a, -b);
}

function reciprocal(format: FloatFormat, mode: RoundingMode): Fn {
  const div = throughBits(format, (a = 0n, b = 0n) => divBits(format, mode, a, b));
  return (a) => div(1, a);
}

/** Modifiers that name a rounding, and what it is. */
export function roundingOf(site: Site): RoundingMode {
  return site.oneOf(["rn", "rz", "rm", "rp", "rna"]) ?? "rn";
}

/** A step for f32 and f64 arithmetic. */
export function floatStep(site: Site): Step {
  const type: PtxType = site.type;
  const format = type === "f32" ? F32 : type === "f64" ? F64 : undefined;
  if (format === undefined) throw site.unknown();
  const fn = functionOf(site, format, roundingOf(site));
  if (fn === undefined) throw site.unknown();
  const slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index, type));
  const finish = site.has("sat") ? saturated : undefined;
  if (format === F64) {
    return doubleStep(
      site.registers,
      slots,
      finish === undefined ? fn : arity(slots, (a, b, c) => finish(fn(a, b, c))),
    );
  }
  const isFlushing = site.has("ftz");
  const whole: Fn = (a, b, c) => {
    let result = isFlushing ? fn(flushed(a), flushed(b), flushed(c)) : fn(a, b, c);
    // Doubles round once more here; for +, -, *, / and roots of singles that changes nothing (53 >= 2*24 + 2).
    result = Math.fround(result);
    if (finish !== undefined) result = finish(result);
    return isFlushing ? flushed(result) : result;
  };
  return singleStep(site.registers, slots, arity(slots, whole));
}

/** The function with as many arguments as the instruction has sources; absent ones are zero. */
function arity(slots: readonly number[], fn: Fn): unknown {
  if (slots.length === 2) return (a: number) => fn(a, 0, 0);
  if (slots.length === 3) return (a: number, b: number) => fn(a, b, 0);
  return fn;
}

/** `copysign d, a, b`: the magnitude of b with the sign of a. */
export function copysignStep(site: Site): Step {
  const { u32, u64 } = site.registers;
  const [d, a, b] = [site.target(), site.source(1), site.source(2)];
  if (site.type === "f64") {
    const sign = 1n << 63n;
    return (t) =>
      void (u64[t.base + d] = ((u64[t.base + a] as bigint) & sign) | ((u64[t.base + b] as bigint) & ~sign));
  }
  return (t) => {
    const magnitude = (u32[(t.base + b) << 1] as number) & 0x7fff_ffff;
    u32[(t.base + d) << 1] = magnitude | ((u32[(t.base + a) << 1] as number) & 0x8000_0000);
  };
}

/** `testp.op p, a`. */
export function testStep(site: Site): Step {
  const { f32, f64, u32 } = site.registers;
  const isDouble = site.type === "f64";
  const [p, a] = [site.target(), site.source(1)];
  const smallest = isDouble ? 2 ** -1022 : SMALLEST_NORMAL_SINGLE;
  const test = (value: number): boolean => {
    const magnitude = Math.abs(value);
    switch (site.ins.modifiers[0]) {
      case "finite":
        return Number.isFinite(value);
      case "infinite":
        return magnitude === Number.POSITIVE_INFINITY;
      case "number":
        return !Number.isNaN(value);
      case "notanumber":
        return Number.isNaN(value);
      case "normal":
        return Number.isFinite(value) && magnitude >= smallest;
      case "subnormal":
        return magnitude > 0 && magnitude < smallest;
      default:
        throw site.unknown();
    }
  };
  return (t) => {
    const value = (isDouble ? f64[t.base + a] : f32[(t.base + a) << 1]) as number;
    u32[(t.base + p) << 1] = test(value) ? 1 : 0;
  };
}
