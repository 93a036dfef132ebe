/**
 * Comparisons and choices of integers, f32 and f64 against what the PTX ISA says of ordered and unordered
 * operators (9.7.6), with their combinations and second results.
 */
import { checkCases } from "./cases.ts";
import type { Case } from "./cases.ts";

const INTEGERS = [0n, 1n, 2n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0xffff_fffen];
/** f32 bits: zeros, one, a subnormal, infinities, NaNs. */
const SINGLES = [0n, 0x8000_0000n, 0x3f80_0000n, 0xbf80_0000n, 1n, 0x7f80_0000n, 0xff80_0000n, 0x7fc0_0000n];

function pairsOf(list: readonly bigint[]): bigint[][] {
  return list.flatMap((a) => list.map((b) => [a, b]));
}

function single(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

function doubleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

type Compare = (a: number | bigint, b: number | bigint) => boolean;
const ORDERED: Readonly<Record<string, Compare>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};
const UNSIGNED: Readonly<Record<string, string>> = { lo: "lt", ls: "le", hi: "gt", hs: "ge" };

function compare(operator: string, a: number | bigint, b: number | bigint): boolean {
  return ORDERED[operator]?.(a, b) ?? false;
}

/** An ordered operator is false of a NaN, one that ends in u is true. */
function compareFloats(operator: string, a: number, b: number): boolean {
  const isUnordered = Number.isNaN(a) || Number.isNaN(b);
  if (operator === "num") return !isUnordered;
  if (operator === "nan") return isUnordered;
  if (isUnordered) return operator.endsWith("u");
  return compare(operator.replace(/u$/, ""), a, b);
}

const bit = (isTrue: boolean): bigint => isTrue ? 1n : 0n;

Deno.test("setp of integers, signed and unsigned", () => {
  const cases: Case[] = [];
  for (const operator of Object.keys(ORDERED)) {
    cases.push({
      text: `setp.${operator}.s32 %p0, %r1, %r2`,
      inputs: pairsOf(INTEGERS),
      expected: (a = 0n, b = 0n) => bit(compare(operator, BigInt.asIntN(32, a), BigInt.asIntN(32, b))),
    }, {
      text: `setp.${operator}.u32 %p0, %r1, %r2`,
      inputs: pairsOf(INTEGERS),
      expected: (a = 0n, b = 0n) => bit(compare(operator, a, b)),
    }, {
      text: `setp.${operator}.s16 %p0, %h1, %h2`,
      inputs: pairsOf([0n, 1n, 0x7fffn, 0x8000n, 0xffffn]),
      expected: (a = 0n, b = 0n) => bit(compare(operator, BigInt.asIntN(16, a), BigInt.asIntN(16, b))),
    }, {
      text: `setp.${operator}.s64 %p0, %l1, %l2`,
      inputs: pairsOf([0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]),
      expected: (a = 0n, b = 0n) => bit(compare(operator, BigInt.asIntN(64, a), BigInt.asIntN(64, b))),
    });
  }
  for (const [operator, plain] of Object.entries(UNSIGNED)) {
    cases.push({
      text: `setp.${operator}.u32 %p0, %r1, %r2`,
      inputs: pairsOf(INTEGERS),
      expected: (a = 0n, b = 0n) => bit(compare(plain, a, b)),
    });
  }
  checkCases(cases);
});

const FLOAT_OPERATORS = [
  ...["eq", "ne", "lt", "le", "gt", "ge"],
  ...["equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"],
];

Deno.test("setp of floats, ordered and unordered", () => {
  checkCases(FLOAT_OPERATORS.flatMap((operator): Case[] => [
    {
      text: `setp.${operator}.f32 %p0, %f1, %f2`,
      inputs: pairsOf(SINGLES),
      expected: (a = 0n, b = 0n) => bit(compareFloats(operator, single(a), single(b))),
    },
    {
      text: `setp.${operator}.f64 %p0, %d1, %d2`,
      inputs: pairsOf(SINGLES.map((bits) => doubleBits(single(bits)))),
      expected: (a = 0n, b = 0n) => {
        const number = (bits: bigint): number => {
          const view = new DataView(new ArrayBuffer(8));
          view.setBigUint64(0, bits);
          return view.getFloat64(0);
        };
        return bit(compareFloats(operator, number(a), number(b)));
      },
    },
  ]));
});

Deno.test("setp.ftz takes subnormals for zeros", () => {
  checkCases([
    { text: "setp.eq.ftz.f32 %p0, %f1, %f2", inputs: [[1n, 0x8000_0000n]], expected: () => 1n },
    { text: "setp.gt.ftz.f32 %p0, %f1, %f2", inputs: [[1n, 0n]], expected: () => 0n },
    { text: "setp.gt.f32 %p0, %f1, %f2", inputs: [[1n, 0n]], expected: () => 1n },
  ]);
});

Deno.test("setp combines with a predicate, and gives the opposite as its second result", () => {
  const inputs = INTEGERS.flatMap((a) => INTEGERS.flatMap((b) => [[a, b, 0n], [a, b, 1n]]));
  const combine: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
    and: (a, b) => a & b,
    or: (a, b) => a | b,
    xor: (a, b) => a ^ b,
  };
  checkCases(
    Object.entries(combine).flatMap(([name, both]): Case[] => [
      {
        text: `setp.lt.${name}.u32 %p0, %r1, %r2, %p3`,
        inputs,
        expected: (a = 0n, b = 0n, p = 0n) => both(bit(a < b), p),
      },
      {
        text: `setp.lt.${name}.u32 %p0|%p4, %r1, %r2, !%p3`,
        inputs,
        expected: (a = 0n, b = 0n, p = 0n) => [both(bit(a < b), 1n - p), both(bit(a >= b), 1n - p)],
      },
    ]),
  );
});

Deno.test("set gives all ones or 1.0, selp and slct choose", () => {
  checkCases([
    {
      text: "set.lt.u32.s32 %r0, %r1, %r2",
      inputs: pairsOf(INTEGERS),
      expected: (a = 0n, b = 0n) => BigInt.asIntN(32, a) < BigInt.asIntN(32, b) ? 0xffff_ffffn : 0n,
    },
    {
      text: "set.gt.f32.f32 %f0, %f1, %f2",
      inputs: pairsOf(SINGLES),
      expected: (a = 0n, b = 0n) => single(a) > single(b) ? 0x3f80_0000n : 0n,
    },
    {
      text: "selp.b32 %r0, %r1, %r2, %p3",
      inputs: [[5n, 6n, 1n], [5n, 6n, 0n]],
      expected: (a = 0n, b = 0n, p = 0n) => p === 1n ? a : b,
    },
    {
      text: "selp.f64 %d0, %d1, %d2, !%p3",
      inputs: [[5n, 6n, 1n], [5n, 6n, 0n]],
      expected: (a = 0n, b = 0n, p = 0n) => p === 0n ? a : b,
    },
    {
      text: "slct.u32.s32 %r0, %r1, %r2, %r3",
      inputs: INTEGERS.map((c) => [5n, 6n, c]),
      expected: (a = 0n, b = 0n, c = 0n) => BigInt.asIntN(32, c) >= 0n ? a : b,
    },
    {
      text: "slct.u32.f32 %r0, %r1, %r2, %f3",
      inputs: SINGLES.map((c) => [5n, 6n, c]),
      expected: (a = 0n, b = 0n, c = 0n) => single(c) >= 0 ? a : b,
    },
  ]);
});

Deno.test("mov packs registers into a wider one and takes them apart", () => {
  checkCases([
    { text: "mov.b32 %r0, {%h1, %h2}", inputs: [[0x1234n, 0xabcdn]], expected: () => 0xabcd_1234n },
    { text: "mov.b64 %l0, {%r1, %r2}", inputs: [[1n, 0x8000_0000n]], expected: () => 0x8000_0000_0000_0001n },
    {
      text: "mov.b64 %l0, {%h1, %h2, %h3, %h4}",
      inputs: [[1n, 2n, 3n, 0xffffn]],
      expected: () => 0xffff_0003_0002_0001n,
    },
    { text: "mov.b32 {%h1, %h2}, %r0", inputs: [[0xabcd_1234n]], expected: () => [0x1234n, 0xabcdn] },
    { text: "mov.b64 {_, %r2}, %l0", inputs: [[0xabcd_1234_0000_0001n]], expected: () => 0xabcd_1234n },
    { text: "mov.b32 %r0, %f1", inputs: SINGLES.map((bits) => [bits]), expected: (a = 0n) => a },
    { text: "mov.f32 %f0, %r1", inputs: SINGLES.map((bits) => [bits]), expected: (a = 0n) => a },
    { text: "mov.pred %p0, %p1", inputs: [[0n], [1n]], expected: (a = 0n) => a },
    { text: "mov.b16 %h0, -2", inputs: [[]], expected: () => 0xfffen },
  ]);
});
