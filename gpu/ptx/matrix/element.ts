/**
 * Elements of matrices: their types, and how a vector of packed ones becomes vectors of units.
 *
 * Owns what a unit is: 32 bits of which one multiplication takes one from each side. A unit of floats is one
 * single, exactly the element; of small integers two words of 16 bits; of bits 32 of them. Invariant: units
 * of floats come in the order of their elements, those of integers in any order that both sides share.
 */
import type { Code } from "../wasm/code.ts";
import type { OpName } from "../wasm/code.ts";
import { pushWidened, widenEight } from "./half_vector.ts";

/** How units are multiplied and added up. */
export type UnitKind = "singles" | "pairs" | "bits";

export interface Element {
  readonly bits: number;
  readonly unit: UnitKind;
  /** Units in the 16 bytes that four lanes have of one register, four to a vector. */
  readonly vectors: number;
  /** Whether every product of two elements is exact as a single. */
  readonly isExact: boolean;
  /** Writes the units of the elements in a local to locals. */
  readonly expand: (code: Code, packed: number, into: readonly number[]) => void;
}

function splat(code: Code, bits: number): void {
  code.v128([bits, bits, bits, bits]);
}

/** Halves in the low bits of i32 lanes, from both ends of a vector. */
function eachHalfWord(code: Code, packed: number, body: (index: number) => void): void {
  (["i32x4ExtendLowI16x8U", "i32x4ExtendHighI16x8U"] as const).forEach((op, index) => {
    code.get(packed);
    code.op(op);
    body(index);
  });
}

const f16: Element = {
  bits: 16,
  unit: "singles",
  vectors: 2,
  isExact: true,
  expand: widenEight,
};

const bf16: Element = {
  bits: 16,
  unit: "singles",
  vectors: 2,
  isExact: false,
  expand: (code, packed, into) =>
    eachHalfWord(code, packed, (index) => {
      code.i32(16);
      code.op("i32x4Shl");
      code.set(into[index] ?? 0);
    }),
};

/** A single of which the low 13 bits take no part. */
const tf32: Element = {
  bits: 32,
  unit: "singles",
  vectors: 1,
  isExact: false,
  expand: (code, packed, [into = 0]) => {
    code.get(packed);
    splat(code, 0xffff_e000 | 0);
    code.op("v128And");
    code.set(into);
  },
};

/** Bytes in the low bits of i32 lanes, in order; `widen` makes singles of those in a local. */
function eightBitFloat(widen: (code: Code, bytes: number) => void): Element {
  return {
    bits: 8,
    unit: "singles",
    vectors: 4,
    isExact: true,
    expand: (code, packed, into) => {
      const [words, bytes] = [code.temp("v128"), code.temp("v128")];
      (["i16x8ExtendLowI8x16U", "i16x8ExtendHighI8x16U"] as const).forEach((op, half) => {
        code.get(packed);
        code.op(op);
        code.set(words);
        eachHalfWord(code, words, (index) => {
          code.set(bytes);
          widen(code, bytes);
          code.set(into[2 * half + index] ?? 0);
        });
      });
      code.release("v128", words);
      code.release("v128", bytes);
    },
  };
}

/** The upper byte of an f16. */
const e5m2: Element = eightBitFloat((code, bytes) => {
  code.get(bytes);
  code.i32(24);
  code.op("i32x4Shl");
  code.i32(16);
  code.op("i32x4ShrS");
  code.set(bytes);
  pushWidened(code, bytes);
});

/** Of the largest exponent only the last is no number: a NaN. 2^120 takes the exponent to that of a single. */
const e4m3: Element = eightBitFloat((code, bytes) => {
  code.get(bytes);
  splat(code, 0x7f);
  code.op("v128And");
  code.i32(20);
  code.op("i32x4Shl");
  splat(code, 0x7b80_0000);
  code.op("f32x4Mul");
  code.get(bytes);
  splat(code, 0x7f);
  code.op("v128And");
  splat(code, 0x7f);
  code.op("i32x4Eq");
  splat(code, 0x7fc0_0000);
  code.op("v128And", "v128Or");
  code.get(bytes);
  splat(code, 0x80);
  code.op("v128And");
  code.i32(24);
  code.op("i32x4Shl", "v128Or");
});

function extendBytes(code: Code, packed: number, isSigned: boolean, into: readonly number[]): void {
  const ops: readonly OpName[] = isSigned
    ? ["i16x8ExtendLowI8x16S", "i16x8ExtendHighI8x16S"]
    : ["i16x8ExtendLowI8x16U", "i16x8ExtendHighI8x16U"];
  ops.forEach((op, index) => {
    code.get(packed);
    code.op(op);
    code.set(into[index] ?? 0);
  });
}

function byte(isSigned: boolean): Element {
  return {
    bits: 8,
    unit: "pairs",
    vectors: 2,
    isExact: true,
    expand: (code, packed, into) => extendBytes(code, packed, isSigned, into),
  };
}

/** Even elements and odd ones as bytes of their own. */
function nibble(isSigned: boolean): Element {
  return {
    bits: 4,
    unit: "pairs",
    vectors: 4,
    isExact: true,
    expand: (code, packed, into) => {
      const bytes = code.temp("v128");
      for (const half of [0, 1]) {
        code.get(packed);
        if (half === 0) {
          splat(code, 0x0f0f_0f0f);
          code.op("v128And");
        } else {
          code.i32(4);
          code.op("i8x16ShrU");
        }
        if (isSigned) {
          splat(code, 0x0808_0808);
          code.op("v128Xor");
          splat(code, 0x0808_0808);
          code.op("i8x16Sub");
        }
        code.set(bytes);
        extendBytes(code, bytes, isSigned, into.slice(2 * half));
      }
      code.release("v128", bytes);
    },
  };
}

const b1: Element = {
  bits: 1,
  unit: "bits",
  vectors: 1,
  isExact: true,
  expand: (code, packed, [into = 0]) => {
    code.get(packed);
    code.set(into);
  },
};

/** Types of A and B. */
export const ELEMENTS: Readonly<Record<string, Element>> = {
  f16,
  bf16,
  tf32,
  e4m3,
  e5m2,
  s8: byte(true),
  u8: byte(false),
  s4: nibble(true),
  u4: nibble(false),
  b1,
};
