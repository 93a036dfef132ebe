/**
 * Integer arithmetic and logic: add, mul, mad, div, min, shl, and, their wide, packed and saturating forms.
 *
 * Owns the semantics of integers of 16, 32 and 64 bits; carry chains are in carry.ts, bit fields in bits.ts.
 * Functions get exact values by signedness and may answer any exact integer: the store wraps it. Invariant: no
 * intermediate product of 32-bit values goes through a double.
 */
import { bytesOf, type PtxType } from "../../../../gpu/ptx/ast.ts";
import { largeStep, type Slots, smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

export function isSigned(type: PtxType): boolean {
  return type.startsWith("s");
}

/** High half of the exact product of two values of so many bits. */
function highHalf(bits: number): (a: number, b: number) => number {
  if (bits === 16) return (a, b) => Math.floor((a * b) / 65536);
  return (a, b) => Number((BigInt(a) * BigInt(b)) >> 32n);
}

const quotient = (a: number, b: number): number => (b === 0 ? -1 : Math.trunc(a / b));
const remainder = (a: number, b: number): number => (b === 0 ? a : a % b);
const quotientLarge = (a: bigint, b: bigint): bigint => (b === 0n ? -1n : a / b);
const remainderLarge = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b);

type Small = (a: number, b: number, c: number) => number;
type Large = (a: bigint, b: bigint, c: bigint) => bigint;

/** What an opcode computes on up to 32 bits, and on 64. */
function functionsOf(site: Site, type: PtxType): { small: Small; large: Large } | undefined {
  const bits = 8 * bytesOf(type);
  const isHigh = site.has("hi");
  const high = highHalf(bits);
  switch (site.ins.opcode) {
    case "add":
      return { small: (a, b) => a + b, large: (a, b) => a + b };
    case "sub":
      return { small: (a, b) => a - b, large: (a, b) => a - b };
    case "mul":
      if (isHigh) return { small: high, large: (a, b) => (a * b) >> 64n };
      return { small: Math.imul, large: (a, b) => a * b };
    case "mad":
      if (isHigh) return { small: (a, b, c) => high(a, b) + c, large: (a, b, c) => ((a * b) >> 64n) + c };
      return { small: (a, b, c) => Math.imul(a, b) + c, large: (a, b, c) => a * b + c };
    case "div":
      return { small: quotient, large: quotientLarge };
    case "rem":
      return { small: remainder, large: remainderLarge };
    case "abs":
      return { small: (a) => Math.abs(a), large: (a) => (a < 0n ? -a : a) };
    case "neg":
      return { small: (a) => -a, large: (a) => -a };
    case "min":
      return { small: (a, b) => (a < b ? a : b), large: (a, b) => (a < b ? a : b) };
    case "max":
      return { small: (a, b) => (a > b ? a : b), large: (a, b) => (a > b ? a : b) };
    case "and":
      return { small: (a, b) => a & b, large: (a, b) => a & b };
    case "or":
      return { small: (a, b) => a | b, large: (a, b) => a | b };
    case "xor":
      return { small: (a, b) => a ^ b, large: (a, b) => a ^ b };
    case "not":
      return { small: (a) => ~a, large: (a) => ~a };
    case "cnot":
      return { small: (a) => (a === 0 ? 1 : 0), large: (a) => (a === 0n ? 1n : 0n) };
    case "sad":
      return { small: (a, b, c) => c + Math.abs(a - b), large: (a, b, c) => c + (a < b ? b - a : a - b) };
    default:
      return undefined;
  }
}

const S32_MIN = -(2 ** 31);
const S32_MAX = 2 ** 31 - 1;

/** Applies `.sat` (to the range of s32) and `.relu` to a function of small values. */
function clamped(site: Site, fn: Small): Small {
  if (site.has("sat")) return (a, b, c) => Math.min(Math.max(fn(a, b, c), S32_MIN), S32_MAX);
  if (site.has("relu")) return (a, b, c) => Math.max(fn(a, b, c), 0);
  return fn;
}

/** A step for plain integer opcodes; all operands of one type. */
export function integerStep(site: Site): Step {
  const packed = site.has("u16x2") ? "u16" : site.has("s16x2") ? "s16" : undefined;
  if (packed !== undefined) return packedStep(site, packed);
  const { type } = site;
  if (type === "pred") return predicateStep(site);
  if (site.has("wide")) return wideStep(site);
  const functions = functionsOf(site, type);
  if (functions === undefined) throw site.unknown();
  const slots: Slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index));
  const { i64, u64, i32, u32, i16, u16 } = site.registers;
  switch (bytesOf(type)) {
    case 8:
      return largeStep(isSigned(type) ? i64 : u64, slots, functions.large);
    case 4:
      return smallStep(isSigned(type) ? i32 : u32, 1, slots, clamped(site, functions.small));
    case 2:
      return smallStep(isSigned(type) ? i16 : u16, 2, slots, clamped(site, functions.small));
    default:
      throw site.unknown();
  }
}

function predicateStep(site: Site): Step {
  const slots: Slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index));
  const { i32 } = site.registers;
  switch (site.ins.opcode) {
    case "and":
      return smallStep(i32, 1, slots, (a: number, b: number) => a & b);
    case "or":
      return smallStep(i32, 1, slots, (a: number, b: number) => a | b);
    case "xor":
      return smallStep(i32, 1, slots, (a: number, b: number) => a ^ b);
    case "not":
      return smallStep(i32, 1, slots, (a: number) => a ^ 1);
    default:
      throw site.unknown();
  }
}

/** Both halves of a register on their own: add, min and max of `.u16x2` and `.s16x2`. */
function packedStep(site: Site, type: "u16" | "s16"): Step {
  const functions = functionsOf(site, type);
  if (functions === undefined) throw site.unknown();
  const fn = clamped(site, functions.small);
  const half = (value: number): number => type === "s16" ? (value << 16) >> 16 : value & 0xffff;
  const apply = (a: number, b: number): number =>
    (fn(half(a), half(b), 0) & 0xffff) | (fn(half(a >> 16), half(b >> 16), 0) << 16);
  return smallStep(
    site.registers.i32,
    1,
    [site.target(), site.source(1, "b32"), site.source(2, "b32")],
    apply,
  );
}

/** `mul.wide` and `mad.wide`: the whole product, of twice the width. */
function wideStep(site: Site): Step {
  const { type } = site;
  const d = site.target();
  const a = site.source(1, type);
  const b = site.source(2, type);
  const wide: PtxType = bytesOf(type) === 4 ? "u64" : "u32";
  const c = site.ins.opcode === "mad" ? site.source(3, wide) : site.scope.constant(0n);
  const { i16, u16, i32, u32, i64 } = site.registers;
  if (bytesOf(type) === 2) {
    const from = isSigned(type) ? i16 : u16;
    return (t) => {
      const product = (from[(t.base + a) << 2] as number) * (from[(t.base + b) << 2] as number);
      i32[(t.base + d) << 1] = product + (i32[(t.base + c) << 1] as number);
    };
  }
  if (bytesOf(type) !== 4) throw site.unknown();
  const from = isSigned(type) ? i32 : u32;
  return (t) => {
    const product = BigInt(from[(t.base + a) << 1] as number) * BigInt(from[(t.base + b) << 1] as number);
    i64[t.base + d] = product + (i64[t.base + c] as bigint);
  };
}

/** Shifts: amounts are unsigned 32-bit values, and those beyond the width act as the width. */
export function shiftStep(site: Site): Step {
  const { type } = site;
  const [d, a, b] = [site.target(), site.source(1), site.source(2, "u32")];
  const isLeft = site.ins.opcode === "shl";
  const { i16, u16, i32, u32, i64, u64 } = site.registers;
  const bits = 8 * bytesOf(type);
  if (bits === 64) {
    const view = isSigned(type) ? i64 : u64;
    return (t) => {
      const amount = BigInt(Math.min(u32[(t.base + b) << 1] as number, 64));
      const value = view[t.base + a] as bigint;
      view[t.base + d] = isLeft ? value << amount : value >> amount;
    };
  }
  const scale = bits === 32 ? 1 : 2;
  const view = bits === 32 ? (isSigned(type) ? i32 : u32) : isSigned(type) ? i16 : u16;
  return (t) => {
    const amount = Math.min(u32[(t.base + b) << 1] as number, bits);
    const value = view[(t.base + a) << scale] as number;
    // A shift by 32 is none at all in JavaScript, and an unsigned value would turn negative under `>>`.
    const shifted = isLeft
      ? amount === 32 ? 0 : value << amount
      : value < 0
      ? value >> Math.min(amount, 31)
      : amount === 32
      ? 0
      : value >>> amount;
    view[(t.base + d) << scale] = shifted;
  };
}

/** `mul24` and `mad24`: products of the low 24 bits; `.lo` keeps bits 0 to 31, `.hi` bits 16 to 47. */
export function product24Step(site: Site): Step {
  const signed = isSigned(site.type);
  const isHigh = site.has("hi");
  const isMad = site.ins.opcode === "mad24";
  const low24 = (value: number): bigint => BigInt(signed ? (value << 8) >> 8 : value & 0xff_ffff);
  const apply = (a: number, b: number, c: number): number => {
    const product = low24(a) * low24(b);
    const part = Number(BigInt.asIntN(32, isHigh ? product >> 16n : product));
    const sum = isMad ? part + c : part;
    return site.has("sat") ? Math.min(Math.max(sum, S32_MIN), S32_MAX) : sum;
  };
  const slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index));
  return smallStep(site.registers.i32, 1, isMad ? slots : slots.concat(site.scope.constant(0n)), apply);
}
