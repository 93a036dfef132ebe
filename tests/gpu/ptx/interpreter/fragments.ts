/**
 * Fragments: elements of matrices in the registers of lanes.
 *
 * Owns how elements of every type are packed into registers, and the multiplication of whole matrices. Invariant
 * (which the compiler follows as well): a result starts with its element of C; products are exact and are added
 * in rising order of k, one rounding to f32 an addition. Results of f16 are rounded once at the end; f64 uses
 * fused multiply-add; integers wrap, or saturate at the end with `.satfinite`.
 */
import type { PtxOperand } from "../../../../gpu/ptx/ast.ts";
import { fmaBits } from "./exact_arithmetic.ts";
import {
  bitsOfDouble,
  bitsOfNumber,
  brainOfBits,
  doubleOfBits,
  halfOfBits,
  numberOf,
  singleOfBits,
} from "./float_bits.ts";
import type { Site } from "./site.ts";
import { F16, F64, type FloatFormat } from "./softfloat.ts";
import type { Thread } from "./thread.ts";

/** Bits of an element. */
const ELEMENT_BITS = {
  f16: 16,
  bf16: 16,
  tf32: 32,
  f32: 32,
  f64: 64,
  s32: 32,
  s8: 8,
  u8: 8,
  s4: 4,
  u4: 4,
  b1: 1,
  e5m2: 8,
  e4m3: 8,
} as const;

export type ElementType = keyof typeof ELEMENT_BITS;

export function isElementType(word: string): word is ElementType {
  return Object.hasOwn(ELEMENT_BITS, word);
}

/** Elements in one register. */
export function elementsPerRegister(type: ElementType): number {
  return Math.max(1, 32 / ELEMENT_BITS[type]);
}

export function elementBytes(type: ElementType): number {
  return ELEMENT_BITS[type] / 8;
}

const E5M2: FloatFormat = { bits: 8, precision: 3, bias: 15, nan: 0x7fn };

/** E4M3 has no infinities: the largest exponent holds numbers, but for one NaN of each sign. */
function e4m3OfBits(bits: number): number {
  const magnitude = bits & 0x7f;
  if (magnitude === 0x7f) return Number.NaN;
  const exponent = magnitude >> 3;
  const fraction = magnitude & 7;
  const value = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return (bits & 0x80) !== 0 ? -value : value;
}

/** What the bits of an element mean. Those of f64 come as a number already. */
export function elementOfBits(type: ElementType, bits: number): number {
  switch (type) {
    case "f16":
      return halfOfBits(bits);
    case "bf16":
      return brainOfBits(bits);
    case "tf32":
      // The low 13 bits take no part.
      return singleOfBits((bits & 0xffff_e000) >>> 0);
    case "f32":
      return singleOfBits(bits);
    case "s32":
      return bits | 0;
    case "s8":
      return (bits << 24) >> 24;
    case "s4":
      return (bits << 28) >> 28;
    case "e5m2":
      return numberOf(E5M2, bits);
    case "e4m3":
      return e4m3OfBits(bits);
    default:
      return bits;
  }
}

/** The elements of an operand, lane by lane. */
export interface Fragment {
  readonly type: ElementType;
  readonly count: number;
  read(t: Thread, index: number): number;
  write(t: Thread, index: number, value: number): void;
}

/** Views an operand, a register or a vector of them, as elements. Destinations may be written only. */
export function fragmentOf(site: Site, operand: PtxOperand, type: ElementType): Fragment {
  const { u32, u16, f32, f64, i32 } = site.registers;
  const elements = operand.kind === "vector" ? operand.elements : [operand];
  const slots = elements.map((each) =>
    each.kind === "sink" ? site.scope.scratch() : site.read(each, type === "f64" ? "f64" : "b32")
  );
  const perRegister = elementsPerRegister(type);
  const bits = ELEMENT_BITS[type];
  const mask = 2 ** Math.min(bits, 32) - 1;
  const slotOf = (index: number): number => slots[Math.floor(index / perRegister)] ?? 0;
  const read = (t: Thread, index: number): number => {
    const slot = t.base + slotOf(index);
    if (type === "f64") return f64[slot] as number;
    const word = u32[slot << 1] as number;
    return elementOfBits(type, ((word >>> (bits * (index % perRegister))) & mask) >>> 0);
  };
  const write = (t: Thread, index: number, value: number): void => {
    const slot = t.base + slotOf(index);
    switch (type) {
      case "f64":
        f64[slot] = value;
        break;
      case "f32":
        if (Number.isNaN(value)) u32[slot << 1] = 0x7fff_ffff;
        else f32[slot << 1] = value;
        break;
      case "s32":
        i32[slot << 1] = value;
        break;
      case "f16":
        u16[(slot << 2) + (index % 2)] = bitsOfNumber(F16, value);
        break;
      default:
        throw site.unknown(`cannot write ${type}`);
    }
  };
  return { type, count: slots.length * perRegister, read, write };
}

/** A matrix, row by row. */
export type Matrix = number[];

export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** `m16n8k16` and the like. */
export function shapeOf(site: Site): MatrixShape {
  for (const word of site.ins.modifiers) {
    const found = /^m(\d+)n(\d+)k(\d+)$/.exec(word);
    if (found !== null) return { m: Number(found[1]), n: Number(found[2]), k: Number(found[3]) };
  }
  throw site.unknown("names no shape");
}

/** `a * b + c` for elements of the type of the result. */
function accumulate(
  site: Site,
  a: ElementType,
  d: ElementType,
): (a: number, b: number, sum: number) => number {
  if (a === "b1") {
    return site.has("and") ? (x, y, sum) => sum + (x & y) : (x, y, sum) => sum + (x ^ y);
  }
  if (d === "s32") return (x, y, sum) => sum + x * y;
  if (d === "f64") {
    return (x, y, sum) =>
      doubleOfBits(fmaBits(F64, "rn", bitsOfDouble(x), bitsOfDouble(y), bitsOfDouble(sum)));
  }
  return (x, y, sum) => Math.fround(sum + x * y);
}

/** `A * B + C`. */
export function multiply(
  site: Site,
  shape: MatrixShape,
  types: { readonly a: ElementType; readonly d: ElementType },
  a: Matrix,
  b: Matrix,
  c: Matrix,
): Matrix {
  const { m, n, k } = shape;
  const add = accumulate(site, types.a, types.d);
  const isSaturating = site.has("satfinite") && types.d === "s32";
  const result: Matrix = [];
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column] ?? 0;
      for (let each = 0; each < k; each++) sum = add(a[row * k + each] ?? 0, b[each * n + column] ?? 0, sum);
      result.push(isSaturating ? Math.min(Math.max(sum, -(2 ** 31)), 2 ** 31 - 1) : sum);
    }
  }
  return result;
}
