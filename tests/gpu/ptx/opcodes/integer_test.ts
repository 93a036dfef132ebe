/**
 * Integer arithmetic, logic and shifts against the PTX ISA's definitions in BigInt (9.7.1, 9.7.2, 9.7.8), at edge
 * values of every width and random ones. What the ISA leaves open (division by zero) is what docs/gpu.md says.
 */
import { checkCases } from "./cases.ts";
import type { Case } from "./cases.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(11);

/** Register letter by width. */
const LETTER: Readonly<Record<number, string>> = { 16: "h", 32: "r", 64: "l" };
const TYPES = ["u16", "s16", "u32", "s32", "u64", "s64"] as const;
type IntegerType = (typeof TYPES)[number];

function widthOf(type: string): number {
  return Number(type.slice(1));
}

function edges(bits: number, randomCount: number): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const half = 1n << BigInt(bits / 2);
  const list = [
    0n,
    1n,
    2n,
    3n,
    half - 1n,
    half,
    half + 1n,
    top - 1n,
    top,
    top + 1n,
    2n * top - 2n,
    2n * top - 1n,
  ];
  for (let count = 0; count < randomCount; count++) list.push(BigInt.asUintN(bits, next()));
  return list;
}

function* pairs(bits: number, right = edges(bits, 4)): Generator<readonly bigint[]> {
  for (const a of edges(bits, 4)) for (const b of right) yield [a, b];
}

function* triples(bits: number, thirdBits = bits): Generator<readonly bigint[]> {
  const list = edges(bits, 2);
  const third = edges(thirdBits, 2);
  for (const a of list) for (const b of list) for (const c of third) yield [a, b, c];
}

/** The number that bits of a type stand for. */
function value(type: string, bits: bigint): bigint {
  return type.startsWith("s") ? BigInt.asIntN(widthOf(type), bits) : BigInt.asUintN(widthOf(type), bits);
}

function cut(bits: number, number: bigint): bigint {
  return BigInt.asUintN(bits, number);
}

/** `op.type %x0, %x1, …` of one width. */
function text(op: string, type: IntegerType, count: number, resultBits = widthOf(type)): string {
  const letter = LETTER[widthOf(type)] ?? "r";
  const sources = Array.from({ length: count }, (_, index) => `%${letter}${index + 1}`);
  return `${op}.${type} %${LETTER[resultBits]}0, ${sources.join(", ")}`;
}

type Binary = (a: bigint, b: bigint, type: string) => bigint;

function binaryCases(op: string, result: Binary, types: readonly IntegerType[] = TYPES): Case[] {
  return types.map((type) => ({
    text: text(op, type, 2),
    inputs: pairs(widthOf(type)),
    expected: (a = 0n, b = 0n) => cut(widthOf(type), result(value(type, a), value(type, b), type)),
  }));
}

/** Toward zero; by zero all ones, which is -1. */
function quotient(a: bigint, b: bigint): bigint {
  return b === 0n ? -1n : a / b;
}

function remainder(a: bigint, b: bigint): bigint {
  return b === 0n ? a : a % b;
}

Deno.test("add, sub, mul.lo, div, rem, min and max of every width", () => {
  checkCases([
    ...binaryCases("add", (a, b) => a + b),
    ...binaryCases("sub", (a, b) => a - b),
    ...binaryCases("mul.lo", (a, b) => a * b),
    ...binaryCases("div", quotient),
    ...binaryCases("rem", remainder),
    ...binaryCases("min", (a, b) => a < b ? a : b),
    ...binaryCases("max", (a, b) => a > b ? a : b),
  ]);
});

Deno.test("mul.hi and mul.wide give what mul.lo leaves out", () => {
  checkCases([
    ...binaryCases("mul.hi", (a, b, type) => a * b >> BigInt(widthOf(type))),
    ...(["u16", "s16", "u32", "s32"] as const).map((type): Case => ({
      text: text("mul.wide", type, 2, 2 * widthOf(type)),
      inputs: pairs(widthOf(type)),
      expected: (a = 0n, b = 0n) => cut(2 * widthOf(type), value(type, a) * value(type, b)),
    })),
  ]);
});

Deno.test("mad adds to the low, high or whole product", () => {
  const cases: Case[] = [];
  for (const type of TYPES) {
    const bits = widthOf(type);
    const letter = LETTER[bits];
    for (const mode of ["lo", "hi"] as const) {
      cases.push({
        text: `mad.${mode}.${type} %${letter}0, %${letter}1, %${letter}2, %${letter}3`,
        inputs: triples(bits),
        expected: (a = 0n, b = 0n, c = 0n) => {
          const product = value(type, a) * value(type, b);
          return cut(bits, (mode === "hi" ? product >> BigInt(bits) : product) + c);
        },
      });
    }
    if (bits === 64) continue;
    const wide = LETTER[2 * bits];
    cases.push({
      text: `mad.wide.${type} %${wide}0, %${letter}1, %${letter}2, %${wide}3`,
      inputs: triples(bits, 2 * bits),
      expected: (a = 0n, b = 0n, c = 0n) => cut(2 * bits, value(type, a) * value(type, b) + c),
    });
  }
  checkCases(cases);
});

Deno.test("add.sat, sub.sat and mad.hi.sat of s32 stay at the ends of the range", () => {
  const clamp = (number: bigint): bigint =>
    cut(32, number < -(2n ** 31n) ? -(2n ** 31n) : number > 2n ** 31n - 1n ? 2n ** 31n - 1n : number);
  const s = (bits: bigint): bigint => BigInt.asIntN(32, bits);
  checkCases([
    { text: text("add.sat", "s32", 2), inputs: pairs(32), expected: (a = 0n, b = 0n) => clamp(s(a) + s(b)) },
    { text: text("sub.sat", "s32", 2), inputs: pairs(32), expected: (a = 0n, b = 0n) => clamp(s(a) - s(b)) },
    {
      text: text("mad.hi.sat", "s32", 3),
      inputs: triples(32),
      expected: (a = 0n, b = 0n, c = 0n) => clamp((s(a) * s(b) >> 32n) + s(c)),
    },
  ]);
});

Deno.test("mul24 and mad24 look at the low 24 bits", () => {
  const cases: Case[] = [];
  for (const type of ["u32", "s32"] as const) {
    for (const mode of ["lo", "hi"] as const) {
      const product = (a: bigint, b: bigint): bigint => {
        const low = (bits: bigint): bigint =>
          type === "s32" ? BigInt.asIntN(24, bits) : BigInt.asUintN(24, bits);
        const whole = low(a) * low(b);
        return mode === "hi" ? whole >> 16n : whole;
      };
      cases.push({
        text: text(`mul24.${mode}`, type, 2),
        inputs: pairs(32),
        expected: (a = 0n, b = 0n) => cut(32, product(a, b)),
      }, {
        text: text(`mad24.${mode}`, type, 3),
        inputs: triples(32),
        expected: (a = 0n, b = 0n, c = 0n) => cut(32, product(a, b) + c),
      });
    }
  }
  checkCases(cases);
});

Deno.test("mad24.hi.sat and the packed halves of u16x2 and s16x2", () => {
  const clamp = (number: bigint): bigint =>
    cut(32, number < -(2n ** 31n) ? -(2n ** 31n) : number > 2n ** 31n - 1n ? 2n ** 31n - 1n : number);
  const halves = (op: string, type: "u16" | "s16", result: (a: bigint, b: bigint) => bigint): Case => ({
    text: `${op}.${type}x2 %r0, %r1, %r2`,
    inputs: pairs(32),
    expected: (a = 0n, b = 0n) => {
      const at = (shift: bigint): bigint =>
        cut(16, result(value(type, a >> shift & 0xffffn), value(type, b >> shift & 0xffffn)));
      return at(16n) << 16n | at(0n);
    },
  });
  const types = ["u16", "s16"] as const;
  checkCases([
    {
      text: text("mad24.hi.sat", "s32", 3),
      inputs: triples(32),
      expected: (a = 0n, b = 0n, c = 0n) =>
        clamp((BigInt.asIntN(24, a) * BigInt.asIntN(24, b) >> 16n) + BigInt.asIntN(32, c)),
    },
    ...types.map((type) => halves("add", type, (a, b) => a + b)),
    ...types.map((type) => halves("min", type, (a, b) => a < b ? a : b)),
    ...types.map((type) => halves("max", type, (a, b) => a > b ? a : b)),
    halves("max.relu", "s16", (a, b) => a > b ? (a > 0n ? a : 0n) : (b > 0n ? b : 0n)),
  ]);
});

Deno.test("abs, neg, sad, cnot and the logic of bits", () => {
  const abs = (number: bigint): bigint => number < 0n ? -number : number;
  const cases: Case[] = [];
  for (const type of ["s16", "s32", "s64"] as const) {
    const bits = widthOf(type);
    const unary = (op: string, result: (a: bigint) => bigint): Case => ({
      text: text(op, type, 1),
      inputs: edges(bits, 8).map((a) => [a]),
      expected: (a = 0n) => cut(bits, result(value(type, a))),
    });
    cases.push(unary("abs", abs), unary("neg", (a) => -a));
  }
  for (const type of TYPES) {
    cases.push({
      text: text("sad", type, 3),
      inputs: triples(widthOf(type)),
      expected: (a = 0n, b = 0n, c = 0n) => cut(widthOf(type), abs(value(type, a) - value(type, b)) + c),
    });
  }
  for (const bits of [16, 32, 64]) {
    const letter = LETTER[bits];
    const logic = (op: string, result: (a: bigint, b: bigint) => bigint): Case => ({
      text: `${op}.b${bits} %${letter}0, %${letter}1, %${letter}2`,
      inputs: pairs(bits),
      expected: (a = 0n, b = 0n) => cut(bits, result(a, b)),
    });
    cases.push(
      logic("and", (a, b) => a & b),
      logic("or", (a, b) => a | b),
      logic("xor", (a, b) => a ^ b),
      {
        text: `not.b${bits} %${letter}0, %${letter}1`,
        inputs: edges(bits, 8).map((a) => [a]),
        expected: (a = 0n) => cut(bits, ~a),
      },
      {
        text: `cnot.b${bits} %${letter}0, %${letter}1`,
        inputs: edges(bits, 8).map((a) => [a]),
        expected: (a = 0n) => a === 0n ? 1n : 0n,
      },
    );
  }
  checkCases(cases);
});

Deno.test("and, or, xor and not of predicates", () => {
  const both = [[0n, 0n], [0n, 1n], [1n, 0n], [1n, 1n]];
  checkCases([
    { text: "and.pred %p0, %p1, %p2", inputs: both, expected: (a = 0n, b = 0n) => a & b },
    { text: "or.pred %p0, %p1, %p2", inputs: both, expected: (a = 0n, b = 0n) => a | b },
    { text: "xor.pred %p0, %p1, %p2", inputs: both, expected: (a = 0n, b = 0n) => a ^ b },
    { text: "not.pred %p0, %p1", inputs: [[0n], [1n]], expected: (a = 0n) => 1n - a },
    { text: "and.pred %p0, %p1, !%p2", inputs: both, expected: (a = 0n, b = 0n) => a & (1n - b) },
  ]);
});

const AMOUNTS = [0n, 1n, 7n, 8n, 15n, 16n, 17n, 31n, 32n, 33n, 63n, 64n, 65n, 255n, 256n, 0xffff_ffffn];

/** Amounts of the width and more shift everything out. */
function shifted(op: string, type: string, bits: bigint, amount: bigint): bigint {
  const width = widthOf(type);
  const by = amount > BigInt(width) ? BigInt(width) : amount;
  return cut(width, op === "shl" ? bits << by : value(type, bits) >> by);
}

Deno.test("shl and shr clamp amounts in registers and as constants", () => {
  const cases: Case[] = [];
  for (const type of ["b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64"]) {
    const letter = LETTER[widthOf(type)];
    for (const op of ["shl", "shr"]) {
      if (op === "shl" && !type.startsWith("b")) continue;
      cases.push({
        text: `${op}.${type} %${letter}0, %${letter}1, %r40`,
        inputs: pairs(widthOf(type), AMOUNTS),
        expected: (a = 0n, amount = 0n) => shifted(op, type, a, amount),
      });
      for (const amount of AMOUNTS) {
        cases.push({
          text: `${op}.${type} %${letter}0, %${letter}1, ${amount}`,
          inputs: edges(widthOf(type), 2).map((a) => [a]),
          expected: (a = 0n) => shifted(op, type, a, amount),
        });
      }
    }
  }
  checkCases(cases);
});

Deno.test("constants are cut to the type: negative ones, and ones that are too wide", () => {
  checkCases([
    { text: "add.s32 %r0, %r1, -1", inputs: [[0n], [5n]], expected: (a = 0n) => cut(32, a - 1n) },
    { text: "add.s16 %h0, %h1, -1", inputs: [[0n], [5n]], expected: (a = 0n) => cut(16, a - 1n) },
    {
      text: "add.u64 %l0, %l1, 0xffffffffffffffff",
      inputs: [[0n], [5n]],
      expected: (a = 0n) => cut(64, a - 1n),
    },
    { text: "min.u32 %r0, %r1, -1", inputs: [[7n]], expected: () => 7n },
    { text: "min.s32 %r0, %r1, -1", inputs: [[7n]], expected: () => 0xffff_ffffn },
    { text: "div.u32 %r0, %r1, 7", inputs: [[100n]], expected: () => 14n },
    { text: "div.s32 %r0, %r1, -1", inputs: [[0x8000_0000n]], expected: () => 0x8000_0000n },
    { text: "rem.s32 %r0, %r1, 0", inputs: [[9n]], expected: () => 9n },
  ]);
});
