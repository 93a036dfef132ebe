/** f32 and f64 arithmetic, every opcode in every rounding, against exact arithmetic on integers. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { addBits, divBits, fmaBits, mulBits, sqrtBits } from "../interpreter/exact_arithmetic.ts";
import { decode, F32, F64 } from "../interpreter/softfloat.ts";
import type { FloatFormat, RoundingMode } from "../interpreter/softfloat.ts";
import {
  checkCases,
  DOUBLE,
  edgesOf,
  fewEdgesOf,
  inputsOf,
  isNan,
  pairs,
  SINGLE,
  singles,
  triples,
} from "./cases.ts";
import type { Case } from "./cases.ts";
import { compileInstruction } from "./one_instruction.ts";

const MODES = ["rn", "rz", "rm", "rp"] as const;
const WIDTHS = [SINGLE, DOUBLE] as const;

type Exact = (format: FloatFormat, mode: RoundingMode, ...bits: readonly bigint[]) => bigint;

function signOf(format: FloatFormat): bigint {
  return 1n << BigInt(format.bits - 1);
}

function one(format: FloatFormat): bigint {
  return BigInt(format.bias) << BigInt(format.precision - 1);
}

const EXACT: Readonly<Record<string, readonly [size: 1 | 2 | 3, exact: Exact]>> = {
  add: [2, (format, mode, a = 0n, b = 0n) => addBits(format, mode, a, b)],
  sub: [
    2,
    (format, mode, a = 0n, b = 0n) => addBits(format, mode, a, isNan(format, b) ? b : b ^ signOf(format)),
  ],
  mul: [2, (format, mode, a = 0n, b = 0n) => mulBits(format, mode, a, b)],
  div: [2, (format, mode, a = 0n, b = 0n) => divBits(format, mode, a, b)],
  fma: [3, (format, mode, a = 0n, b = 0n, c = 0n) => fmaBits(format, mode, a, b, c)],
  mad: [3, (format, mode, a = 0n, b = 0n, c = 0n) => fmaBits(format, mode, a, b, c)],
  rcp: [1, (format, mode, a = 0n) => divBits(format, mode, one(format), a)],
  sqrt: [1, (format, mode, a = 0n) => sqrtBits(format, mode, a)],
};

/** Subnormal singles to zeros. */
function flushed(bits: bigint): bigint {
  return (bits & 0x7f80_0000n) === 0n ? bits & 0x8000_0000n : bits;
}

function saturated(format: FloatFormat, bits: bigint): bigint {
  if (isNan(format, bits) || (bits & signOf(format)) !== 0n) return 0n;
  return bits > one(format) ? one(format) : bits;
}

function caseOf(
  opcode: string,
  words: string,
  { format, letter, type }: (typeof WIDTHS)[number],
  mode: RoundingMode,
  around: (exact: (...bits: readonly bigint[]) => bigint) => (...bits: readonly bigint[]) => bigint = (
    exact,
  ) => exact,
): Case {
  const [size, exact] = EXACT[opcode] ?? assert.fail();
  const operands = Array.from({ length: size + 1 }, (_, index) => `%${letter}${index}`).join(", ");
  return {
    text: `${opcode}.${words}.${type} ${operands}`,
    inputs: inputsOf(format, size),
    format,
    expected: around((...bits) => exact(format, mode, ...bits)),
  };
}

for (const opcode of Object.keys(EXACT)) {
  Deno.test(`${opcode} is correctly rounded in every mode`, () => {
    checkCases(WIDTHS.flatMap((width) => MODES.map((mode) => caseOf(opcode, mode, width, mode))));
  });
}

/** Bits of 1 + 2^-n for each n, 0 for 1. */
function onePlus(...exponents: readonly number[]): bigint {
  return exponents.reduce((sum, exponent) => sum + (1n << BigInt(52 - exponent)), one(F64));
}

Deno.test("fma rounds products that a far smaller part makes a tie, or no tie", () => {
  const minus = 1n << 63n;
  // 1 + 2^-26 + 2^-27 + 2^-53, and with 2^-52 + 2^-78 more; 2^-78 and its neighbours take that away.
  const factors = [[onePlus(26), onePlus(27)], [onePlus(26), onePlus(27, 52)], [
    onePlus(26, 51),
    onePlus(27),
  ]];
  const tiny = [77n, 78n, 79n, 80n, 130n, 140n].flatMap((exponent) => {
    const power = one(F64) - (exponent << 52n);
    return [power, power + 1n, power - 1n, power + (1n << 51n)].flatMap((bits) => [bits, bits | minus]);
  });
  const inputs = factors.flatMap(([a = 0n, b = 0n]) => tiny.map((c) => [a, b, c]));
  const cases = MODES.map((mode): Case => ({
    text: `fma.${mode}.f64 %d0, %d1, %d2, %d3`,
    inputs,
    format: F64,
    expected: (...bits) => fmaBits(F64, mode, bits[0] ?? 0n, bits[1] ?? 0n, bits[2] ?? 0n),
  }));
  checkCases(cases, { isFused: false });
});

Deno.test("fma is correctly rounded on a processor that does not fuse", () => {
  checkCases(WIDTHS.map((width) => caseOf("fma", "rn", width, "rn")), { isFused: false });
});

Deno.test(".ftz flushes operands and results of f32", () => {
  const around = (exact: (...bits: readonly bigint[]) => bigint) => (...bits: readonly bigint[]): bigint =>
    flushed(exact(...bits.map(flushed)));
  checkCases(
    Object.keys(EXACT).flatMap((opcode) =>
      (["rn", "rm"] as const).map((mode) => caseOf(opcode, `${mode}.ftz`, SINGLE, mode, around))
    ),
  );
});

Deno.test(".sat clamps to 0 and 1, NaN to 0", () => {
  const around = (exact: (...bits: readonly bigint[]) => bigint) => (...bits: readonly bigint[]): bigint =>
    saturated(F32, exact(...bits));
  const both = (exact: (...bits: readonly bigint[]) => bigint) => (...bits: readonly bigint[]): bigint =>
    saturated(F32, flushed(exact(...bits.map(flushed))));
  checkCases(["add", "sub", "mul", "fma"].flatMap((opcode) => [
    caseOf(opcode, "rn.sat", SINGLE, "rn", around),
    caseOf(opcode, "rp.ftz.sat", SINGLE, "rp", both),
  ]));
});

Deno.test("div.approx, div.full, rcp.approx and sqrt.approx are those rounded to nearest", () => {
  checkCases([
    caseOf("div", "approx", SINGLE, "rn"),
    caseOf("div", "full", SINGLE, "rn"),
    caseOf("rcp", "approx", SINGLE, "rn"),
    caseOf("sqrt", "approx", SINGLE, "rn"),
  ]);
});

/** min or max of bits: a number beats a NaN unless `.NaN`; -0 is below +0. */
function extremum(format: FloatFormat, isMin: boolean, propagates: boolean, a: bigint, b: bigint): bigint {
  if (isNan(format, a) || isNan(format, b)) {
    if (propagates) return format.nan;
    return isNan(format, a) ? b : a;
  }
  // The order of bits is that of values once those of negative numbers are turned around.
  const order = (bits: bigint): bigint => (bits & signOf(format)) === 0n ? bits : signOf(format) - bits - 1n;
  return (order(a) < order(b)) === isMin ? a : b;
}

Deno.test("min and max choose as the ISA's tables say", () => {
  const cases: Case[] = [];
  for (const opcode of ["min", "max"]) {
    const isMin = opcode === "min";
    for (const { format, letter, type } of WIDTHS) {
      const registers = `%${letter}0, %${letter}1, %${letter}2`;
      cases.push({
        text: `${opcode}.${type} ${registers}`,
        inputs: pairs(edgesOf(format)),
        format,
        expected: (a = 0n, b = 0n) => extremum(format, isMin, false, a, b),
      });
    }
    const registers = "%f0, %f1, %f2";
    const magnitude = 0x7fff_ffffn;
    cases.push({
      text: `${opcode}.NaN.f32 ${registers}`,
      inputs: pairs(edgesOf(F32)),
      format: F32,
      expected: (a = 0n, b = 0n) => extremum(F32, isMin, true, a, b),
    }, {
      text: `${opcode}.ftz.f32 ${registers}`,
      inputs: pairs(edgesOf(F32)),
      format: F32,
      expected: (a = 0n, b = 0n) => extremum(F32, isMin, false, flushed(a), flushed(b)),
    }, {
      text: `${opcode}.xorsign.abs.f32 ${registers}`,
      inputs: pairs(edgesOf(F32)),
      format: F32,
      expected: (a = 0n, b = 0n) =>
        extremum(F32, isMin, false, a & magnitude, b & magnitude) | ((a ^ b) & 0x8000_0000n),
    }, {
      text: `${opcode}.f32 ${registers}, %f3`,
      inputs: triples(fewEdgesOf(F32)),
      format: F32,
      expected: (a = 0n, b = 0n, c = 0n) => extremum(F32, isMin, false, extremum(F32, isMin, false, a, b), c),
    }, {
      text: `${opcode}.NaN.abs.f32 ${registers}, %f3`,
      inputs: triples(fewEdgesOf(F32)),
      format: F32,
      expected: (...bits) => {
        const [a = 0n, b = 0n, c = 0n] = bits.map((each) => each & magnitude);
        return extremum(F32, isMin, true, extremum(F32, isMin, true, a, b), c);
      },
    });
  }
  checkCases(cases);
});

Deno.test("abs, neg and copysign change the sign alone", () => {
  const cases = WIDTHS.flatMap(({ format, letter, type }): Case[] => {
    const sign = signOf(format);
    const [d, a, b] = [0, 1, 2].map((index) => `%${letter}${index}`);
    return [
      { text: `abs.${type} ${d}, ${a}`, inputs: singles(edgesOf(format)), expected: (x = 0n) => x & ~sign },
      { text: `neg.${type} ${d}, ${a}`, inputs: singles(edgesOf(format)), expected: (x = 0n) => x ^ sign },
      {
        text: `copysign.${type} ${d}, ${a}, ${b}`,
        inputs: pairs(edgesOf(format)),
        expected: (x = 0n, y = 0n) => (y & ~sign) | (x & sign),
      },
    ];
  });
  const flushing = (["abs", "neg"] as const).map((opcode): Case => ({
    text: `${opcode}.ftz.f32 %f0, %f1`,
    inputs: singles(edgesOf(F32)),
    format: F32,
    expected: (x = 0n) => opcode === "abs" ? flushed(x) & 0x7fff_ffffn : flushed(x) ^ 0x8000_0000n,
  }));
  checkCases([...cases, ...flushing]);
});

Deno.test("testp tells the kinds of numbers apart", () => {
  const kinds: Readonly<Record<string, (format: FloatFormat, bits: bigint) => boolean>> = {
    finite: (format, bits) => decode(format, bits).kind === "finite",
    infinite: (format, bits) => decode(format, bits).kind === "infinite",
    number: (format, bits) => !isNan(format, bits),
    notanumber: isNan,
    normal: (format, bits) => decode(format, bits).kind === "finite" && exponentOf(format, bits) !== 0n,
    subnormal: (format, bits) => exponentOf(format, bits) === 0n && (bits & ~signOf(format)) !== 0n,
  };
  checkCases(
    WIDTHS.flatMap(({ format, letter, type }) =>
      Object.entries(kinds).map(([kind, holds]): Case => ({
        text: `testp.${kind}.${type} %p0, %${letter}0`,
        inputs: singles(edgesOf(format)),
        expected: (bits = 0n) => holds(format, bits) ? 1n : 0n,
      }))
    ),
  );
});

function exponentOf(format: FloatFormat, bits: bigint): bigint {
  return (bits & ~signOf(format)) >> BigInt(format.precision - 1);
}

const OPERATORS: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
};

function holds(format: FloatFormat, operator: string, a: bigint, b: bigint): boolean {
  const isUnordered = isNan(format, a) || isNan(format, b);
  if (operator === "num" || operator === "nan") return isUnordered === (operator === "nan");
  const ordered = OPERATORS[operator] ?? OPERATORS[operator.slice(0, -1)] ?? assert.fail();
  if (isUnordered) return OPERATORS[operator] === undefined;
  const order = (bits: bigint): bigint => (bits & signOf(format)) === 0n ? bits : signOf(format) - bits;
  return ordered(Number(order(a) - order(b)));
}

const ALL_OPERATORS = [
  ...Object.keys(OPERATORS),
  ...Object.keys(OPERATORS).map((name) => `${name}u`),
  "num",
  "nan",
];

Deno.test("setp and set compare floats, ordered and unordered", () => {
  const cases = WIDTHS.flatMap(({ format, letter, type }) =>
    ALL_OPERATORS.flatMap((operator): Case[] => {
      const inputs = pairs(fewEdgesOf(format));
      const operands = `%${letter}0, %${letter}1`;
      const result = (a = 0n, b = 0n): boolean => holds(format, operator, a, b);
      return [
        {
          text: `setp.${operator}.${type} %p0, ${operands}`,
          inputs,
          expected: (a, b) => result(a, b) ? 1n : 0n,
        },
        {
          text: `set.${operator}.u32.${type} %r0, ${operands}`,
          inputs,
          expected: (a, b) => result(a, b) ? 0xffff_ffffn : 0n,
        },
        {
          text: `set.${operator}.f32.${type} %f7, ${operands}`,
          inputs,
          expected: (a, b) => result(a, b) ? 0x3f80_0000n : 0n,
        },
      ];
    })
  );
  const flushing = ALL_OPERATORS.map((operator): Case => ({
    text: `setp.${operator}.ftz.f32 %p0, %f0, %f1`,
    inputs: pairs(edgesOf(F32)),
    expected: (a = 0n, b = 0n) => holds(F32, operator, flushed(a), flushed(b)) ? 1n : 0n,
  }));
  checkCases([...cases, ...flushing]);
});

Deno.test("setp combines both results with a predicate", () => {
  const inputs = pairs([0n, 0x3f80_0000n]).flatMap(([a = 0n, b = 0n]) => [[a, b, 0n], [a, b, 1n]]);
  const combinations = {
    and: (a: boolean, b: boolean): boolean => a && b,
    or: (a: boolean, b: boolean): boolean => a || b,
    xor: (a: boolean, b: boolean): boolean => a !== b,
  };
  checkCases(
    Object.entries(combinations).flatMap(([name, combine]): Case[] => [{
      text: `setp.lt.${name}.f32 %p0|%p1, %f0, %f1, %p2`,
      inputs,
      expected: (a = 0n, b = 0n, c = 0n) =>
        [combine(a < b, c === 1n), combine(a >= b, c === 1n)].map((x) => x ? 1n : 0n),
    }, {
      // The predicate is read before it is written.
      text: `setp.lt.${name}.f32 %p0|%p1, %f0, %f1, !%p0`,
      inputs,
      expected: (a = 0n, b = 0n, c = 0n) =>
        [combine(a < b, c === 0n), combine(a >= b, c === 0n)].map((x) => x ? 1n : 0n),
    }]),
  );
});

Deno.test("slct chooses by the sign of an integer or of a float", () => {
  checkCases([{
    text: "slct.u32.f32 %r0, 1, 2, %f0",
    inputs: singles(edgesOf(F32)),
    expected: (c = 0n) => !isNan(F32, c) && (c < 0x8000_0000n || c === 0x8000_0000n) ? 1n : 2n,
  }, {
    text: "slct.ftz.f64.f32 %d0, 0d3FF0000000000000, 0d4000000000000000, %f0",
    inputs: singles(edgesOf(F32)),
    expected: (c = 0n) =>
      !isNan(F32, c) && (c < 0x8000_0000n || flushed(c) === 0x8000_0000n) ? one(F64) : 0x4000_0000_0000_0000n,
  }, {
    text: "slct.u32.s32 %r0, 1, 2, %r1",
    inputs: singles([0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn]),
    expected: (c = 0n) => c < 0x8000_0000n ? 1n : 2n,
  }]);
});

Deno.test("an operand may be a constant or a register of bits", () => {
  checkCases([{
    text: "add.ftz.f32 %f0, %f1, 0f00000001",
    inputs: singles(edgesOf(F32)),
    format: F32,
    expected: (a = 0n) => addBits(F32, "rn", flushed(a), 0n),
  }, {
    text: "fma.rn.f32 %r0, %r1, 0f40000000, %r1",
    inputs: [[0x3f80_0000n]],
    expected: () => 0x4040_0000n,
  }, {
    text: "add.rp.f64 %l0, %l1, 0d3CB0000000000000",
    inputs: [[one(F64)]],
    expected: (a = 0n) => a + 1n,
  }]);
});

Deno.test("forms that do not exist are refused", () => {
  for (
    const text of [
      "add.ftz.f64 %d0, %d1, %d2",
      "add.sat.f64 %d0, %d1, %d2",
      "add.rn.s32 %r0, %r1, %r2",
      "add.f32.f16 %f0, %h0, %f1",
      "fma.rn.relu.f32 %f0, %f1, %f2, %f3",
      "div.f32 %f0, %f1, %f2",
      "div.approx.f64 %d0, %d1, %d2",
      "div.rn.s32 %r0, %r1, %r2",
      "rcp.approx.f64 %d0, %d1",
      "min.f64 %d0, %d1, %d2, %d3",
      "min.lo.f32 %f0, %f1, %f2",
      "setp.lo.f32 %p0, %f0, %f1",
      "setp.equ.s32 %p0, %r0, %r1",
    ]
  ) assert.throws(() => compileInstruction(text), PtxError, text);
});

Deno.test("div divides integers, by zero too", () => {
  checkCases([{
    text: "div.s32 %r0, %r1, %r2",
    inputs: pairs([0n, 1n, 7n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn]),
    expected: (a = 0n, b = 0n) =>
      b === 0n ? 0xffff_ffffn : BigInt.asUintN(32, BigInt.asIntN(32, a) / BigInt.asIntN(32, b)),
  }, {
    text: "div.u64 %l0, %l1, %l2",
    inputs: pairs([0n, 1n, 7n, (1n << 64n) - 1n]),
    expected: (a = 0n, b = 0n) => b === 0n ? (1n << 64n) - 1n : a / b,
  }, {
    text: "div.u16 %h0, %h1, 10",
    inputs: singles([0n, 9n, 10n, 0xffffn]),
    expected: (a = 0n) => a / 10n,
  }]);
});
