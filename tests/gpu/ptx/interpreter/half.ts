/**
 * Half precision: arithmetic of f16, bf16 and their packed pairs.
 *
 * Owns opcodes whose type is one of these four. Values are bits; results come from exact arithmetic, rounded
 * once. Invariant: the two halves of a packed value never influence each other.
 */
import type { PtxType } from "../../../../gpu/ptx/ast.ts";
import { addBits, fmaBits, mulBits } from "./exact_arithmetic.ts";
import { extremum, roundingOf } from "./float.ts";
import { bitsOfNumber, numberOf } from "./float_bits.ts";
import { smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import { BF16, F16, type FloatFormat, type RoundingMode } from "./softfloat.ts";
import type { Step } from "./thread.ts";

/** A function of bits of the format. */
type Fn = (a: number, b: number, c: number) => number;

export function isHalfType(type: PtxType | undefined): boolean {
  return type === "f16" || type === "f16x2" || type === "bf16" || type === "bf16x2";
}

export function halfFormat(type: PtxType): FloatFormat {
  return type.startsWith("b") ? BF16 : F16;
}

function exactly(fn: (...bits: bigint[]) => bigint): Fn {
  return (a, b, c) => Number(fn(BigInt(a), BigInt(b), BigInt(c)));
}

/** Applies a function of numbers; for results that need no exact arithmetic. */
function asNumbers(format: FloatFormat, fn: (a: number, b: number, c: number) => number): Fn {
  return (a, b, c) => bitsOfNumber(format, fn(numberOf(format, a), numberOf(format, b), numberOf(format, c)));
}

function functionOf(site: Site, format: FloatFormat, mode: RoundingMode): Fn | undefined {
  switch (site.ins.opcode) {
    case "add":
      return exactly((a = 0n, b = 0n) => addBits(format, mode, a, b));
    case "sub":
      return exactly((a = 0n, b = 0n) => addBits(format, mode, a, b ^ 0x8000n));
    case "mul":
      return exactly((a = 0n, b = 0n) => mulBits(format, mode, a, b));
    case "fma":
      return exactly((a = 0n, b = 0n, c = 0n) => fmaBits(format, mode, a, b, c));
    case "min":
    case "max":
      return asNumbers(format, extremum(site));
    case "abs":
      return (a) => a & 0x7fff;
    case "neg":
      return (a) => a ^ 0x8000;
    case "ex2":
      return asNumbers(format, (a) => 2 ** a);
    case "tanh":
      return asNumbers(format, Math.tanh);
    default:
      return undefined;
  }
}

/** Subnormal bits to zero bits of the sign. */
export function flushedBits(format: FloatFormat, bits: number): number {
  const hidden = 2 ** (format.precision - 1);
  return (bits & 0x7fff) < hidden ? bits & 0x8000 : bits;
}

function isNan(format: FloatFormat, bits: number): boolean {
  return Number.isNaN(numberOf(format, bits));
}

/** Adds `.ftz`, `.sat`, `.relu` to a function of bits. */
function finished(site: Site, format: FloatFormat, fn: Fn): Fn {
  const isFlushing = site.has("ftz");
  const [isSaturating, isRectifying] = [site.has("sat"), site.has("relu")];
  const one = bitsOfNumber(format, 1);
  const flush = (bits: number): number => isFlushing ? flushedBits(format, bits) : bits;
  return (a, b, c) => {
    const result = flush(fn(flush(a), flush(b), flush(c)));
    if (isSaturating) {
      if (isNan(format, result) || (result & 0x8000) !== 0) return 0;
      return result > one ? one : result;
    }
    if (isRectifying && (result & 0x8000) !== 0 && !isNan(format, result)) return 0;
    return result;
  };
}

/** A step for arithmetic of a half type; both halves on their own for packed ones. */
export function halfStep(site: Site): Step {
  const { type } = site;
  const format = halfFormat(type);
  const plain = functionOf(site, format, roundingOf(site));
  if (plain === undefined) throw site.unknown();
  const fn = finished(site, format, plain);
  const slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index, type));
  if (!type.endsWith("x2")) {
    const apply = (a: number, b = 0, c = 0): number => fn(a, b, c);
    return smallStep(site.registers.u16, 2, slots, apply);
  }
  const apply = (a: number, b = 0, c = 0): number => {
    const low = fn(a & 0xffff, b & 0xffff, c & 0xffff);
    return (low | (fn(a >>> 16, b >>> 16, c >>> 16) << 16)) >>> 0;
  };
  return smallStep(site.registers.u32, 1, slots, apply);
}

/** Atomic min and max of half types: the smaller or larger number of each half. */
export function packedExtremum(type: PtxType, operation: "min" | "max"): (old: bigint, b: bigint) => bigint {
  const format = halfFormat(type);
  const halves = type.endsWith("x2") ? 2n : 1n;
  const pick = (old: number, b: number): number => {
    const [x, y] = [numberOf(format, old), numberOf(format, b)];
    if (Number.isNaN(x)) return b;
    if (Number.isNaN(y)) return old;
    return (operation === "min" ? Math.min(x, y) : Math.max(x, y)) === x ? old : b;
  };
  return (old, b) => {
    let result = 0n;
    for (let half = 0n; half < halves; half++) {
      const shift = 16n * half;
      const picked = pick(Number((old >> shift) & 0xffffn), Number((b >> shift) & 0xffffn));
      result |= BigInt(picked) << shift;
    }
    return result;
  };
}
