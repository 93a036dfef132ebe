/** cvt between every two types in every rounding, against exact values rounded by integer arithmetic. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import {
  BF16,
  decode,
  F16,
  F32,
  F64,
  finite,
  fromInteger,
  round,
  roundShift,
  TF32,
  zero,
} from "../interpreter/softfloat.ts";
import type { Exact, FloatFormat, RoundingMode } from "../interpreter/softfloat.ts";
import { checkCases, edgesOf, inputsOf, RandomBits, singles } from "./cases.ts";
import type { Case } from "./cases.ts";
import { compileInstruction } from "./one_instruction.ts";

const MODES = ["rn", "rz", "rm", "rp"] as const;
const FLOATS = [
  { type: "f16", format: F16, letter: "h" },
  { type: "bf16", format: BF16, letter: "h" },
  { type: "f32", format: F32, letter: "f" },
  { type: "f64", format: F64, letter: "d" },
] as const;

interface IntegerType {
  readonly type: string;
  readonly bits: number;
  readonly isSigned: boolean;
}

const INTEGERS: readonly IntegerType[] = [8, 16, 32, 64].flatMap((bits) => [
  { type: `u${bits}`, bits, isSigned: false },
  { type: `s${bits}`, bits, isSigned: true },
]);

function letterOf(bits: number): string {
  return bits === 64 ? "l" : bits === 32 ? "r" : "h";
}

function widthOf(letter: string): number {
  return letter === "l" ? 64 : letter === "r" ? 32 : 16;
}

function valueOf({ bits, isSigned }: IntegerType, held: bigint): bigint {
  return isSigned ? BigInt.asIntN(bits, held) : BigInt.asUintN(bits, held);
}

function boundsOf({ bits, isSigned }: IntegerType): readonly [bigint, bigint] {
  const half = 1n << BigInt(bits - 1);
  return isSigned ? [-half, half - 1n] : [0n, 2n * half - 1n];
}

function clamp(value: bigint, [min, max]: readonly [bigint, bigint]): bigint {
  return value < min ? min : value > max ? max : value;
}

/** Bits that registers of a width may hold: around every bound, and random ones. */
function integersOf(width: number): bigint[] {
  const values: bigint[] = [];
  for (const places of [0, 7, 8, 11, 15, 16, 24, 25, 31, 32, 53, 54, 63]) {
    if (places >= width) continue;
    for (const near of [-2n, -1n, 0n, 1n, 2n]) {
      values.push((1n << BigInt(places)) + near, -(1n << BigInt(places)) + near);
    }
  }
  for (let shift = 0; shift < width - 26; shift += 3) {
    // Halves of the units of f32 and their neighbours.
    for (const near of [-1n, 0n, 1n]) values.push(((0x1ff_ffffn << BigInt(shift)) >> 1n) + near);
    for (const near of [-1n, 0n, 1n]) values.push(((0x100_0001n << BigInt(shift)) << 1n) + near);
  }
  values.push(...new RandomBits(`integers ${width}`, F64).tuples(60, 1).flat());
  return [...new Set(values.map((value) => BigInt.asUintN(width, value)))];
}

Deno.test("cvt between integers wraps, or saturates if asked to", () => {
  const cases: Case[] = [];
  for (const to of INTEGERS) {
    for (const from of INTEGERS) {
      for (const sat of ["", ".sat"]) {
        for (const [d, a] of [[letterOf(to.bits), letterOf(from.bits)], ["l", "l"], ["r", "r"]] as const) {
          if (widthOf(d) < to.bits || widthOf(a) < from.bits) continue;
          cases.push({
            text: `cvt${sat}.${to.type}.${from.type} %${d}0, %${a}1`,
            inputs: singles(integersOf(widthOf(a))),
            expected: (held = 0n) => {
              const value = valueOf(from, held);
              return BigInt.asUintN(widthOf(d), sat === "" ? valueOf(to, value) : clamp(value, boundsOf(to)));
            },
          });
        }
      }
    }
  }
  checkCases(cases);
});

Deno.test("cvt from integers to floats is exact in every mode", () => {
  checkCases(
    FLOATS.flatMap(({ type, format, letter }) =>
      INTEGERS.flatMap((from) =>
        MODES.map((mode): Case => ({
          text: `cvt.${mode}.${type}.${from.type} %${letter}0, %${letterOf(from.bits)}1`,
          inputs: singles(integersOf(widthOf(letterOf(from.bits)))),
          expected: (held = 0n) => round(format, mode, fromInteger(valueOf(from, held))),
        }))
      )
    ),
  );
});

function integral(value: Exact, mode: RoundingMode): Exact {
  if (value.kind !== "finite" || value.exponent >= 0) return value;
  return finite(value.isNegative, roundShift(value.significand, -value.exponent, mode, value.isNegative), 0);
}

function toInteger(value: Exact, mode: RoundingMode, to: IntegerType, fromBits: number): bigint {
  const [min, max] = boundsOf(to);
  if (value.kind === "nan") return fromBits === 64 || to.bits === 64 ? 1n << BigInt(to.bits - 1) : 0n;
  if (value.kind === "infinite") return value.isNegative ? min : max;
  const rounded = integral(value, mode);
  if (rounded.kind !== "finite") return 0n;
  const magnitude = rounded.significand << BigInt(Math.max(rounded.exponent, 0));
  return clamp(rounded.isNegative ? -magnitude : magnitude, [min, max]);
}

/** Values of a format around the bounds of integers and between two of them. */
function nearIntegers(format: FloatFormat): bigint[] {
  const values: bigint[] = [];
  for (const places of [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64]) {
    for (const quarters of [-4n, -3n, -2n, -1n, 0n, 1n, 2n, 3n, 4n, 6n, 10n]) {
      for (const isNegative of [false, true]) {
        for (const mode of ["rz", "rn"] as const) {
          const bits = round(format, mode, finite(isNegative, (4n << BigInt(places)) + quarters, -2));
          values.push(bits, bits + 1n, bits - 1n);
        }
      }
    }
  }
  const width = format.bits;
  return [...new Set([...values.map((value) => BigInt.asUintN(width, value)), ...edgesOf(format)])];
}

const FLUSHED_MIN = 1n << 23n;

function flushedSingle(bits: bigint): bigint {
  return (bits & 0x7fff_ffffn) < FLUSHED_MIN ? bits & 0x8000_0000n : bits;
}

Deno.test("cvt from floats to integers rounds as asked and saturates", () => {
  const cases: Case[] = [];
  for (const from of FLOATS) {
    const inputs = singles(nearIntegers(from.format));
    for (const to of INTEGERS) {
      for (const mode of MODES) {
        for (const d of new Set([letterOf(to.bits), "l"])) {
          cases.push({
            text: `cvt.${mode}i.${to.type}.${from.type} %${d}0, %${from.letter}1`,
            inputs,
            expected: (held = 0n) => {
              const value = toInteger(decode(from.format, held), mode, to, from.format.bits);
              return BigInt.asUintN(widthOf(d), to.isSigned ? BigInt.asIntN(to.bits, value) : value);
            },
          });
        }
      }
    }
  }
  for (const mode of MODES) {
    cases.push({
      text: `cvt.${mode}i.ftz.s32.f32 %r0, %f1`,
      inputs: singles(edgesOf(F32)),
      expected: (held = 0n) =>
        BigInt.asUintN(
          32,
          toInteger(decode(F32, flushedSingle(held)), mode, { type: "s32", bits: 32, isSigned: true }, 32),
        ),
    });
  }
  checkCases(cases);
});

/** Values of a wider format: its own, and those around values and ties of a narrower one. */
function nearFormat(from: FloatFormat, to: FloatFormat): bigint[][] {
  const values = edgesOf(to).concat(
    new RandomBits(`near ${from.bits} ${to.precision}`, to).tuples(40, 1).flat(),
  );
  const around = values.flatMap((bits) => {
    const exact = decode(to, bits);
    if (exact.kind !== "finite") return [];
    // A quarter, half and three quarters of a unit above.
    return [0n, 1n, 2n, 3n].flatMap((quarters) => {
      const near = round(
        from,
        "rn",
        finite(exact.isNegative, 4n * exact.significand + quarters, exact.exponent - 2),
      );
      return [near, near + 1n, near - 1n].map((each) => BigInt.asUintN(from.bits, each));
    });
  });
  return [...inputsOf(from, 1), ...singles(around)];
}

Deno.test("cvt between floats is rounded once in every mode", () => {
  const cases: Case[] = [];
  for (const to of FLOATS) {
    for (const from of FLOATS) {
      const inputs = nearFormat(from.format, to.format);
      for (const mode of MODES) {
        cases.push({
          text: `cvt.${mode}.${to.type}.${from.type} %${to.letter}0, %${from.letter}1`,
          inputs,
          format: to.format,
          expected: (bits = 0n) => round(to.format, mode, decode(from.format, bits)),
        }, {
          text: `cvt.${mode}i.${to.type}.${from.type} %${to.letter}0, %${from.letter}1`,
          inputs,
          format: to.format,
          expected: (bits = 0n) => round(to.format, "rn", integral(decode(from.format, bits), mode)),
        });
      }
    }
  }
  checkCases(cases);
});

/** Held between 0 and 1; NaN is 0. */
function saturated(value: Exact): Exact {
  if (value.kind === "nan" || value.isNegative) return zero(false);
  if (value.kind === "infinite") return fromInteger(1n);
  const isAbove = value.exponent >= 0
    ? value.significand > 0n
    : value.significand >> BigInt(-value.exponent) > 0n;
  return isAbove ? fromInteger(1n) : value;
}

Deno.test("cvt.sat holds floats between 0 and 1, .ftz flushes singles", () => {
  checkCases([
    {
      text: "cvt.sat.f32.f32 %f0, %f1",
      inputs: inputsOf(F32, 1),
      format: F32,
      expected: (bits = 0n) => round(F32, "rn", saturated(decode(F32, bits))),
    },
    {
      text: "cvt.ftz.sat.f32.f32 %f0, %f1",
      inputs: inputsOf(F32, 1),
      format: F32,
      expected: (bits = 0n) => round(F32, "rn", saturated(decode(F32, flushedSingle(bits)))),
    },
    {
      text: "cvt.rn.ftz.f32.f64 %f0, %d1",
      inputs: nearFormat(F64, F32),
      format: F32,
      expected: (bits = 0n) => flushedSingle(round(F32, "rn", decode(F64, bits))),
    },
    {
      text: "cvt.ftz.f64.f32 %d0, %f1",
      inputs: inputsOf(F32, 1),
      format: F64,
      expected: (bits = 0n) => round(F64, "rn", decode(F32, flushedSingle(bits))),
    },
    {
      text: "cvt.rn.sat.f32.f64 %f0, %d1",
      inputs: nearFormat(F64, F32),
      format: F32,
      expected: (bits = 0n) => round(F32, "rn", saturated(decode(F64, bits))),
    },
    {
      text: "cvt.rz.sat.f16.f32 %h0, %f1",
      inputs: nearFormat(F32, F16),
      expected: (bits = 0n) => round(F16, "rz", saturated(decode(F32, bits))),
    },
    {
      text: "cvt.rn.sat.f32.s32 %f0, %r1",
      inputs: singles(integersOf(32)),
      format: F32,
      expected: (bits = 0n) => round(F32, "rn", saturated(fromInteger(BigInt.asIntN(32, bits)))),
    },
    {
      text: "cvt.rn.sat.f16.u64 %h0, %l1",
      inputs: singles(integersOf(64)),
      expected: (bits = 0n) => round(F16, "rn", saturated(fromInteger(bits))),
    },
  ]);
});

function rectified(value: Exact): Exact {
  return value.kind !== "nan" && value.isNegative ? zero(false) : value;
}

function largest(format: FloatFormat, isNegative: boolean): bigint {
  return round(format, "rz", finite(isNegative, 1n, 4096));
}

/** Rounded, with what is beyond the range held to its end. */
function heldFinite(format: FloatFormat, mode: RoundingMode, value: Exact): bigint {
  const bits = round(format, mode, value);
  return value.kind !== "nan" && decode(format, bits).kind === "infinite"
    ? largest(format, value.isNegative)
    : bits;
}

Deno.test("cvt to pairs of halves puts the first operand above the second", () => {
  const cases = ([["f16x2", F16], ["bf16x2", BF16]] as const).flatMap(([type, format]) => {
    const inputs = nearFormat(F32, format).map(([bits = 0n]) => [bits, bits ^ 0x8000_0000n]);
    const both = (half: (bits: bigint) => bigint) => (a = 0n, b = 0n): bigint => (half(a) << 16n) | half(b);
    return ["rn", "rz"].flatMap((word): Case[] => {
      const mode = word as RoundingMode;
      return [{
        text: `cvt.${mode}.${type}.f32 %r0, %f1, %f2`,
        inputs,
        expected: both((bits) => round(format, mode, decode(F32, bits))),
      }, {
        text: `cvt.${mode}.relu.${type}.f32 %r0, %f1, %f2`,
        inputs,
        expected: both((bits) => round(format, mode, rectified(decode(F32, bits)))),
      }, {
        text: `cvt.${mode}.satfinite.${type}.f32 %r0, %f1, %f2`,
        inputs,
        expected: both((bits) => heldFinite(format, mode, decode(F32, bits))),
      }];
    });
  });
  const relu = ([["f16", F16], ["bf16", BF16]] as const).map(([type, format]): Case => ({
    text: `cvt.rn.relu.satfinite.${type}.f32 %h0, %f1`,
    inputs: nearFormat(F32, format),
    expected: (bits = 0n) => heldFinite(format, "rn", rectified(decode(F32, bits))),
  }));
  checkCases([...cases, ...relu]);
});

Deno.test("cvt to tf32 leaves ten bits of fraction", () => {
  const tf32 = (mode: RoundingMode, value: Exact): bigint =>
    value.kind === "nan" ? 0x7fff_ffffn : round(TF32, mode, value) << 13n;
  // Values of TF32 with something below, in the bits of F32.
  const inputs = [
    ...inputsOf(F32, 1),
    ...singles(
      edgesOf(TF32).flatMap((bits) =>
        [0n, 1n, 0xfffn, 0x1000n, 0x1001n, 0x1fffn].map((rest) => BigInt.asUintN(32, (bits << 13n) | rest))
      ),
    ),
  ];
  checkCases((["rna", "rn", "rz"] as const).flatMap((mode): Case[] => [{
    text: `cvt.${mode}.tf32.f32 %r0, %f1`,
    inputs,
    expected: (bits = 0n) => tf32(mode, decode(F32, bits)),
  }, {
    text: `cvt.${mode}.satfinite.tf32.f32 %r0, %f1`,
    inputs,
    expected: (bits = 0n) => {
      const value = decode(F32, bits);
      return value.kind === "nan" ? 0x7fff_ffffn : heldFinite(TF32, mode, value) << 13n;
    },
  }, {
    text: `cvt.${mode}.relu.tf32.f32 %r0, %f1`,
    inputs,
    expected: (bits = 0n) => tf32(mode, rectified(decode(F32, bits))),
  }]));
});

Deno.test("cvt.pack saturates two integers and packs them", () => {
  const values = [
    0n,
    1n,
    127n,
    128n,
    255n,
    256n,
    32767n,
    32768n,
    65535n,
    65536n,
    -1n,
    -128n,
    -129n,
    -32768n,
    -32769n,
  ];
  const held = values.map((value) => BigInt.asUintN(32, value));
  const pairs = held.flatMap((a) => held.map((b) => [a, b]));
  checkCases(
    INTEGERS.filter(({ bits }) => bits <= 16).map((to): Case => {
      const width = BigInt(to.bits);
      const part = (bits: bigint): bigint =>
        BigInt.asUintN(to.bits, clamp(BigInt.asIntN(32, bits), boundsOf(to)));
      if (to.bits === 16) {
        return {
          text: `cvt.pack.sat.${to.type}.s32 %r0, %r1, %r2`,
          inputs: pairs,
          expected: (a = 0n, b = 0n) => (part(a) << width) | part(b),
        };
      }
      return {
        text: `cvt.pack.sat.${to.type}.s32.b32 %r0, %r1, %r2, %r3`,
        inputs: pairs.map(([a = 0n, b = 0n]) => [a, b, 0x1234_5678n]),
        expected: (a = 0n, b = 0n, c = 0n) => BigInt.asUintN(32, (c << 16n) | (part(a) << width) | part(b)),
      };
    }),
  );
});

Deno.test("conversions that do not exist are refused", () => {
  for (
    const text of [
      "cvt.f32.f64 %f0, %d1",
      "cvt.f32.s32 %f0, %r1",
      "cvt.s32.f32 %r0, %f1",
      "cvt.rn.s32.f32 %r0, %f1",
      "cvt.f16.f32 %h0, %f1",
      "cvt.rn.f16x2.f32 %r0, %f1",
      "cvt.rn.f16x2.f64 %r0, %d1, %d2",
      "cvt.rn.e4m3x2.f32 %h0, %f1, %f2",
      "cvt.rs.f16x2.f32 %r0, %f1, %f2, %r3",
      "cvt.rna.f32.f64 %f0, %d1",
      "cvt.tf32.f32 %r0, %f1",
      "cvt.rn.relu.f32.f64 %f0, %d1",
      "cvt.pack.sat.u8.s32 %r0, %r1, %r2",
      "cvt.pack.u16.s32 %r0, %r1, %r2",
    ]
  ) assert.throws(() => compileInstruction(text), PtxError, text);
});
