/** f16, bf16 and their pairs, every opcode, against exact arithmetic rounded once. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { addBits, fmaBits, mulBits } from "../interpreter/exact_arithmetic.ts";
import { BF16, decode, F16, F32, F64, round } from "../interpreter/softfloat.ts";
import type { FloatFormat } from "../interpreter/softfloat.ts";
import { checkCases, edgesOf, fewEdgesOf, inputsOf, isNan, pairs, RandomBits, singles } from "./cases.ts";
import type { Case } from "./cases.ts";
import { compileInstruction } from "./one_instruction.ts";

const HALVES = [
  { type: "f16", format: F16 },
  { type: "bf16", format: BF16 },
] as const;

type Half = (typeof HALVES)[number];
type Bits = (...bits: readonly bigint[]) => bigint;

const SIGN = 0x8000n;

function one(format: FloatFormat): bigint {
  return BigInt(format.bias) << BigInt(format.precision - 1);
}

const EXACT: Readonly<Record<string, (format: FloatFormat) => readonly [size: 2 | 3, exact: Bits]>> = {
  add: (format) => [2, (a = 0n, b = 0n) => addBits(format, "rn", a, b)],
  sub: (format) => [2, (a = 0n, b = 0n) => addBits(format, "rn", a, b ^ SIGN)],
  mul: (format) => [2, (a = 0n, b = 0n) => mulBits(format, "rn", a, b)],
  fma: (format) => [3, (a = 0n, b = 0n, c = 0n) => fmaBits(format, "rn", a, b, c)],
};

function flushed(bits: bigint): bigint {
  return (bits & 0x7c00n) === 0n ? bits & SIGN : bits;
}

function saturated(format: FloatFormat, bits: bigint): bigint {
  if (isNan(format, bits) || (bits & SIGN) !== 0n) return 0n;
  return bits > one(format) ? one(format) : bits;
}

function rectified(format: FloatFormat, bits: bigint): bigint {
  return isNan(format, bits) || (bits & SIGN) === 0n ? bits : 0n;
}

/** Cases of an instruction on a half and on a pair; the upper halves are the inputs in another order. */
function casesOf(
  opcode: string,
  words: string,
  { type }: Half,
  inputs: readonly (readonly bigint[])[],
  exact: Bits,
): Case[] {
  const size = inputs[0]?.length ?? 0;
  const registers = (letter: string): string =>
    Array.from({ length: size + 1 }, (_, index) => `%${letter}${index}`).join(", ");
  return [{
    text: `${opcode}${words}.${type} ${registers("h")}`,
    inputs,
    expected: exact,
  }, {
    text: `${opcode}${words}.${type}x2 ${registers("r")}`,
    // A third of them, as the halves are not each other's business.
    inputs: inputs.filter((_, index) => index % 3 === 0).map((tuple, index) => {
      const upper = inputs[(index * 7 + 3) % inputs.length] ?? tuple;
      return tuple.map((bits, at) => bits | ((upper[at] ?? 0n) << 16n));
    }),
    expected: (...both) =>
      exact(...both.map((bits) => bits & 0xffffn)) | (exact(...both.map((bits) => bits >> 16n)) << 16n),
  }];
}

Deno.test("add, sub, mul and fma are rounded once", () => {
  checkCases(HALVES.flatMap((half) =>
    Object.entries(EXACT).flatMap(([opcode, make]) => {
      const [size, exact] = make(half.format);
      const inputs = inputsOf(half.format, size, 500);
      return [
        ...casesOf(opcode, "", half, inputs, exact),
        ...casesOf(opcode, ".rn", half, inputs.slice(0, 50), exact),
      ];
    })
  ));
});

Deno.test(".ftz, .sat and .relu apply to each half", () => {
  const cases = Object.entries(EXACT).flatMap(([opcode, make]) => {
    const [size, exact] = make(F16);
    const inputs = inputsOf(F16, size, 100);
    const [half] = HALVES;
    return [
      ...casesOf(opcode, ".rn.ftz", half, inputs, (...bits) => flushed(exact(...bits.map(flushed)))),
      ...casesOf(opcode, ".sat", half, inputs, (...bits) => saturated(F16, exact(...bits))),
      ...casesOf(
        opcode,
        ".ftz.sat",
        half,
        inputs,
        (...bits) => saturated(F16, flushed(exact(...bits.map(flushed)))),
      ),
    ];
  });
  const relu = HALVES.flatMap((half) => {
    const [size, exact] = EXACT["fma"]?.(half.format) ?? assert.fail();
    return casesOf(
      "fma",
      ".rn.relu",
      half,
      inputsOf(half.format, size, 200),
      (...bits) => rectified(half.format, exact(...bits)),
    );
  });
  checkCases([...cases, ...relu]);
});

function extremum(format: FloatFormat, isMin: boolean, propagates: boolean, a: bigint, b: bigint): bigint {
  const [isFirstNan, isSecondNan] = [isNan(format, a), isNan(format, b)];
  if (isFirstNan && isSecondNan) return 0x7fffn;
  if (isFirstNan || isSecondNan) return propagates ? 0x7fffn : isFirstNan ? b : a;
  const order = (bits: bigint): bigint => bits < SIGN ? bits : SIGN - bits - 1n;
  return (order(a) < order(b)) === isMin ? a : b;
}

Deno.test("min and max choose as the ISA's tables say", () => {
  checkCases(HALVES.flatMap((half) => {
    const { format } = half;
    const inputs = pairs(edgesOf(format));
    const flush = format === F16 ? ".ftz" : "";
    return ["min", "max"].flatMap((opcode) => {
      const isMin = opcode === "min";
      return [
        ...casesOf(opcode, "", half, inputs, (a = 0n, b = 0n) => extremum(format, isMin, false, a, b)),
        ...casesOf(opcode, ".NaN", half, inputs, (a = 0n, b = 0n) => extremum(format, isMin, true, a, b)),
        ...casesOf(
          opcode,
          flush,
          half,
          inputs,
          (a = 0n, b = 0n) =>
            flush === ""
              ? extremum(format, isMin, false, a, b)
              : extremum(format, isMin, false, flushed(a), flushed(b)),
        ),
        ...casesOf(opcode, ".xorsign.abs", half, inputs, (a = 0n, b = 0n) => {
          const result = extremum(format, isMin, false, a & 0x7fffn, b & 0x7fffn);
          return isNan(format, result) ? result : result | ((a ^ b) & SIGN);
        }),
      ];
    });
  }));
});

Deno.test("abs and neg change the sign alone", () => {
  checkCases(
    HALVES.flatMap((half) => {
      const inputs = singles(edgesOf(half.format));
      return [
        ...casesOf("abs", "", half, inputs, (a = 0n) => a & 0x7fffn),
        ...casesOf("neg", "", half, inputs, (a = 0n) => a ^ SIGN),
      ];
    }).concat(casesOf("neg", ".ftz", HALVES[0], singles(edgesOf(F16)), (a = 0n) => flushed(a) ^ SIGN)),
  );
});

Deno.test("every f16 and bf16 converts to f32 and back", () => {
  const all = Array.from({ length: 65_536 }, (_, bits) => [BigInt(bits)]);
  checkCases(HALVES.map(({ type, format }): Case => ({
    text: `cvt.f32.${type} %f0, %h1`,
    inputs: all,
    format: F32,
    expected: (bits = 0n) => round(F32, "rn", decode(format, bits)),
  })));
  const back = HALVES.map(({ type, format }): Case => ({
    text: `cvt.rn.${type}.f32 %h0, %f1`,
    inputs: all.map(([bits = 0n]) => [round(F32, "rn", decode(format, bits))]),
    expected: (bits = 0n) => round(format, "rn", decode(F32, bits)),
  }));
  checkCases(back);
});

const OPERATORS: Readonly<Record<string, (order: bigint) => boolean>> = {
  eq: (order) => order === 0n,
  ne: (order) => order !== 0n,
  lt: (order) => order < 0n,
  le: (order) => order <= 0n,
  gt: (order) => order > 0n,
  ge: (order) => order >= 0n,
};

function holds(format: FloatFormat, operator: string, a: bigint, b: bigint): boolean {
  if (isNan(format, a) || isNan(format, b)) return operator === "nan" || operator.endsWith("u");
  const order = (bits: bigint): bigint => bits < SIGN ? bits : SIGN - bits;
  if (operator === "num" || operator === "nan") return operator === "num";
  const compare = OPERATORS[operator] ?? OPERATORS[operator.slice(0, -1)] ?? assert.fail();
  return compare(order(a) - order(b));
}

Deno.test("setp and set compare halves, and pairs half by half", () => {
  const operators = [
    ...Object.keys(OPERATORS),
    ...Object.keys(OPERATORS).map((name) => `${name}u`),
    "num",
    "nan",
  ];
  const cases = HALVES.flatMap(({ type, format }) => {
    const inputs = pairs(fewEdgesOf(format));
    const double = inputs.map(([a = 0n, b = 0n], index) => {
      const [c = 0n, d = 0n] = inputs[(index * 5 + 1) % inputs.length] ?? [];
      return [a | (c << 16n), b | (d << 16n)];
    });
    return operators.flatMap((operator): Case[] => {
      const low = (a: bigint, b: bigint): boolean => holds(format, operator, a & 0xffffn, b & 0xffffn);
      const high = (a: bigint, b: bigint): boolean => holds(format, operator, a >> 16n, b >> 16n);
      return [{
        text: `setp.${operator}.${type} %p0, %h0, %h1`,
        inputs,
        expected: (a = 0n, b = 0n) => low(a, b) ? 1n : 0n,
      }, {
        text: `setp.${operator}.${type}x2 %p0|%p1, %r0, %r1`,
        inputs: double,
        expected: (a = 0n, b = 0n) => [low(a, b) ? 1n : 0n, high(a, b) ? 1n : 0n],
      }, {
        text: `set.${operator}.${type}.${type} %h2, %h0, %h1`,
        inputs,
        expected: (a = 0n, b = 0n) => low(a, b) ? one(format) : 0n,
      }, {
        text: `set.${operator}.u32.${type} %r2, %h0, %h1`,
        inputs,
        expected: (a = 0n, b = 0n) => low(a, b) ? 0xffff_ffffn : 0n,
      }, {
        text: `set.${operator}.${type}x2.${type}x2 %r2, %r0, %r1`,
        inputs: double,
        expected: (a = 0n, b = 0n) => (low(a, b) ? one(format) : 0n) | (high(a, b) ? one(format) << 16n : 0n),
      }, {
        text: `set.${operator}.u32.${type}x2 %r2, %r0, %r1`,
        inputs: double,
        expected: (a = 0n, b = 0n) => (low(a, b) ? 0xffffn : 0n) | (high(a, b) ? 0xffff_0000n : 0n),
      }];
    });
  });
  cases.push({
    text: "setp.lt.ftz.f16 %p0, %h0, %h1",
    inputs: pairs(edgesOf(F16)),
    expected: (a = 0n, b = 0n) => holds(F16, "lt", flushed(a), flushed(b)) ? 1n : 0n,
  }, {
    text: "setp.gt.and.f16x2 %p0|%p1, %r0, %r1, !%p1",
    inputs: [[0x3c00_0000n, 0n, 0n], [0x3c00_3c00n, 0n, 0n], [0x3c00_3c00n, 0n, 1n]],
    expected: (a = 0n, _ = 0n, p = 0n) => [p === 0n && (a & 0xffffn) > 0n ? 1n : 0n, p === 0n ? 1n : 0n],
  });
  checkCases(cases);
});

Deno.test("a half in a wider register leaves the bits above it alone", () => {
  const upper = new RandomBits("upper", F64);
  checkCases([{
    text: "cvt.f32.f16 %f0, %r1",
    inputs: singles(edgesOf(F16).map((bits) => bits | ((upper.next() & 0xffffn) << 16n))),
    format: F32,
    expected: (bits = 0n) => round(F32, "rn", decode(F16, bits & 0xffffn)),
  }]);
});

Deno.test("forms that half types do not have are refused", () => {
  for (
    const text of [
      "add.rz.f16 %h0, %h1, %h2",
      "add.ftz.bf16 %h0, %h1, %h2",
      "mul.sat.bf16 %h0, %h1, %h2",
      "min.f16 %h0, %h1, %h2, %h3",
      "setp.eq.f16x2 %p0, %r0, %r1",
      "set.eq.f16.f16x2 %h0, %r0, %r1",
      "div.rn.f16 %h0, %h1, %h2",
    ]
  ) assert.throws(() => compileInstruction(text), PtxError, text);
});
