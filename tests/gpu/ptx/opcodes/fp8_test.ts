/** Conversions of e4m3x2 and e5m2x2, against a search among all values of the format. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { bitsOfNumber, bitsOfSingle, numberOf, singleOfBits } from "../interpreter/float_bits.ts";
import { F16, F32 } from "../interpreter/softfloat.ts";
import { checkCases, edgesOf, RandomBits } from "./cases.ts";
import type { Case } from "./cases.ts";
import { compileInstruction } from "./one_instruction.ts";

interface Fp8 {
  readonly type: string;
  /** Values of the bits from 0 up to the largest finite one, all positive. */
  readonly values: readonly number[];
}

/** Values in order, by exponent and fraction. */
function valuesOf(fractionBits: number, bias: number, count: number): number[] {
  return Array.from({ length: count }, (_, bits) => {
    const exponent = bits >> fractionBits;
    const fraction = (bits % 2 ** fractionBits) / 2 ** fractionBits;
    return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  });
}

const FORMATS: readonly Fp8[] = [
  { type: "e4m3x2", values: valuesOf(3, 7, 0x7f) },
  { type: "e5m2x2", values: valuesOf(2, 15, 0x7c) },
];

/** The nearest value's bits, the even one of two that are as near. */
function nearest({ values }: Fp8, value: number): number {
  if (Number.isNaN(value)) return 0x7f;
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(value), values.at(-1) ?? 0);
  let best = 0;
  values.forEach((each, bits) => {
    const [error, least] = [Math.abs(each - magnitude), Math.abs((values[best] ?? 0) - magnitude)];
    if (error < least || (error === least && bits % 2 === 0)) best = bits;
  });
  return sign | best;
}

function relu(value: number): number {
  return Number.isNaN(value) ? value : Math.max(value, 0);
}

/** Values and the middles between them, and what is just beside them. */
function near({ values }: Fp8): number[] {
  const middles = values.map((value, index) => (value + (values[index + 1] ?? 2 * value)) / 2);
  return [...values, ...middles].flatMap((value) => {
    const bits = bitsOfSingle(value);
    return [value, singleOfBits(bits + 1), ...(bits > 0 ? [singleOfBits(bits - 1)] : []), -value];
  });
}

Deno.test("cvt.rn.satfinite rounds singles and pairs of f16 to eight bits", () => {
  checkCases(FORMATS.flatMap((format): Case[] => {
    const random = new RandomBits(format.type, F32).tuples(200, 1).flat();
    const inputs = [...near(format).map((value) => BigInt(bitsOfSingle(value))), ...edgesOf(F32), ...random];
    const pairs = inputs.map((bits, index) => [bits, inputs[(index * 3 + 1) % inputs.length] ?? 0n]);
    const halves = [
      ...new Set(near(format).map((value) => BigInt(bitsOfNumber(F16, value)))),
      ...edgesOf(F16),
    ];
    const half = (bits: bigint): bigint => BigInt(nearest(format, numberOf(F16, Number(bits))));
    const single = (bits: bigint): number => singleOfBits(Number(bits));
    return [{
      text: `cvt.rn.satfinite.${format.type}.f32 %h0, %f1, %f2`,
      inputs: pairs,
      expected: (a = 0n, b = 0n) => BigInt((nearest(format, single(a)) << 8) | nearest(format, single(b))),
    }, {
      text: `cvt.rn.satfinite.relu.${format.type}.f32 %h0, %f1, %f2`,
      inputs: pairs.slice(-250),
      expected: (a = 0n, b = 0n) =>
        BigInt((nearest(format, relu(single(a))) << 8) | nearest(format, relu(single(b)))),
    }, {
      text: `cvt.rn.satfinite.${format.type}.f16x2 %h0, %r1`,
      inputs: halves.map((bits, index) => [bits | ((halves[(index * 3 + 1) % halves.length] ?? 0n) << 16n)]),
      expected: (both = 0n) => half(both & 0xffffn) | (half(both >> 16n) << 8n),
    }];
  }));
});

Deno.test("cvt.rn.f16x2 widens every pair of eight bits", () => {
  const inputs = Array.from({ length: 256 }, (_, low) => [BigInt(low | (((low * 7 + 3) & 0xff) << 8))]);
  checkCases(FORMATS.flatMap((format): Case[] => {
    const wide = (bits: number): number => {
      const value = format.values[bits & 0x7f];
      if (value !== undefined) return bitsOfNumber(F16, bits < 0x80 ? value : -value);
      const isInfinite = format.type === "e5m2x2" && (bits & 0x7f) === 0x7c;
      return isInfinite ? ((bits & 0x80) << 8) | 0x7c00 : 0x7fff;
    };
    const both = (half: (bits: number) => number) => (pair = 0n): bigint =>
      (BigInt(half(Number(pair) >> 8)) << 16n) | BigInt(half(Number(pair) & 0xff));
    return [
      { text: `cvt.rn.f16x2.${format.type} %r0, %h1`, inputs, expected: both(wide) },
      {
        text: `cvt.rn.relu.f16x2.${format.type} %r0, %h1`,
        inputs,
        expected: both((bits) => wide(bits) >= 0x8000 ? 0 : wide(bits)),
      },
    ];
  }));
});

Deno.test("other forms of eight-bit floats are refused", () => {
  for (
    const text of [
      "cvt.rn.e4m3x2.f32 %h0, %f1, %f2",
      "cvt.rz.satfinite.e4m3x2.f32 %h0, %f1, %f2",
      "cvt.rn.satfinite.e4m3x2.f32 %h0, %f1",
      "cvt.rn.satfinite.e2m1x2.f32 %h0, %f1, %f2",
      "cvt.satfinite.f16x2.e5m2x2 %r0, %h1",
    ]
  ) assert.throws(() => compileInstruction(text), PtxError, text);
});
