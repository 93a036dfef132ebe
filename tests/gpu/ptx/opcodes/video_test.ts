/**
 * Video instructions against exact arithmetic on the parts, of either sign, saturated, summed and compared.
 */
import assert from "node:assert/strict";
import { compileInstruction, compileInstructions } from "./one_instruction.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(41);
const SIGNS = ["u32", "s32"] as const;
const WORDS = [0n, 1n, 0xffff_ffffn, 0x8000_0000n, 0x7fff_ffffn, 0x8080_8080n, 0x7f80_ff01n, 0x0001_fffen];
for (let count = 0; count < 6; count++) WORDS.push(BigInt.asUintN(32, next()));

const OPERATIONS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  absdiff: (a, b) => a < b ? b - a : a - b,
  min: (a, b) => a < b ? a : b,
  max: (a, b) => a > b ? a : b,
  // PTX ISA 9.7.17: the sum and, if it is not negative, one, shifted.
  avrg: (a, b) => a + b + (a + b >= 0n ? 1n : 0n) >> 1n,
};
const COMPARISONS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

function read(word: bigint, index: number, bits: number, type: string): bigint {
  const raw = word >> BigInt(index * bits);
  return type === "s32" ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
}

interface Form {
  readonly parts: number;
  readonly types: readonly [d: string, a: string, b: string];
  readonly isSaturating: boolean;
  readonly isSum: boolean;
  readonly operate: (a: bigint, b: bigint) => bigint;
}

function expected(
  { parts, types, isSaturating, isSum, operate }: Form,
  a: bigint,
  b: bigint,
  c: bigint,
): bigint {
  const bits = 32 / parts;
  const [d, ta, tb] = types;
  const half = 1n << BigInt(bits - 1);
  const [low, high] = d === "s32" ? [-half, half - 1n] : [0n, 2n * half - 1n];
  let word = 0n;
  let sum = c;
  for (let index = 0; index < parts; index++) {
    let value = operate(read(a, index, bits, ta), read(b, index, bits, tb));
    if (isSaturating) value = value < low ? low : value > high ? high : value;
    word |= BigInt.asUintN(bits, value) << BigInt(index * bits);
    sum += read(value, 0, bits, d);
  }
  return BigInt.asUintN(32, isSum ? sum : word);
}

Deno.test("parts of words are added, subtracted, compared in size and averaged", () => {
  for (const [name, operate] of Object.entries(OPERATIONS)) {
    for (const parts of [1, 2, 4]) {
      if (name === "avrg" && parts === 1) continue;
      for (const d of SIGNS) {
        for (const a of SIGNS) {
          for (const b of SIGNS) {
            for (const words of ["", ".sat", ".add", ".sat.add"]) {
              if (parts === 1 && words.includes("add")) continue;
              const form: Form = {
                parts,
                types: [d, a, b],
                isSaturating: words.includes("sat"),
                isSum: words.includes("add"),
                operate,
              };
              const third = parts === 1 ? "" : ", %r3";
              const text = `v${name}${parts === 1 ? "" : parts}.${d}.${a}.${b}${words} %r0, %r1, %r2${third}`;
              const { run } = compileInstruction(text);
              for (const x of WORDS) {
                const [y, z] = [
                  WORDS[Number(next() % BigInt(WORDS.length))] ?? 0n,
                  BigInt.asUintN(32, next()),
                ];
                const inputs = third === "" ? [x, y] : [x, y, z];
                assert.deepEqual(run(...inputs), [expected(form, x, y, z)], `${text} ${x} ${y} ${z}`);
              }
            }
          }
        }
      }
    }
  }
});

Deno.test("vset gives ones where the comparison holds", () => {
  for (const [name, compare] of Object.entries(COMPARISONS)) {
    for (const parts of [1, 2, 4]) {
      for (const [a, b] of [["u32", "u32"], ["s32", "s32"], ["u32", "s32"]] as const) {
        const operate = (x: bigint, y: bigint): bigint => compare(x, y) ? 1n : 0n;
        const sum = parts === 1 ? "" : ".add";
        const form: Form = { parts, types: ["u32", a, b], isSaturating: false, isSum: parts > 1, operate };
        const third = parts === 1 ? "" : ", %r3";
        const text = `vset${parts === 1 ? "" : parts}.${a}.${b}.${name}${sum} %r0, %r1, %r2${third}`;
        const { run } = compileInstruction(text);
        for (const x of WORDS) {
          for (const y of [x, WORDS[3] ?? 0n, BigInt.asUintN(32, next())]) {
            const inputs = parts === 1 ? [x, y] : [x, y, 100n];
            assert.deepEqual(run(...inputs), [expected(form, x, y, 100n)], `${text} ${x} ${y}`);
          }
        }
      }
    }
  }
});

Deno.test("a second operation combines a word's result with the third operand", () => {
  const seconds: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
    add: (a, b) => a + b,
    min: (a, b) => a < b ? a : b,
    max: (a, b) => a > b ? a : b,
  };
  for (const [second, operate] of Object.entries(seconds)) {
    for (const d of SIGNS) {
      const { run } = compileInstruction(`vsub.${d}.s32.s32.sat.${second} %r0, %r1, %r2, %r3`);
      const form: Form = {
        parts: 1,
        types: [d, "s32", "s32"],
        isSaturating: true,
        isSum: false,
        operate: (a, b) => a - b,
      };
      for (
        const [x = 0n, y = 0n, z = 0n] of WORDS.map((
          word,
          index,
        ) => [word, WORDS[index ^ 1], WORDS[index ^ 3]])
      ) {
        const first = read(expected(form, x, y, 0n), 0, 32, d);
        assert.deepEqual(
          run(x, y, z),
          [BigInt.asUintN(32, operate(first, read(z, 0, 32, d)))],
          `${second} ${d}`,
        );
      }
    }
  }
});

Deno.test("forms that do not exist are refused", () => {
  for (
    const text of [
      "vadd.u32.u32 %r0, %r1, %r2",
      "vadd.u32.u32.u32.add %r0, %r1, %r2",
      "vset4.u32.u32 %r0, %r1, %r2, %r3",
      "vadd4.u32.u32.u32.min %r0, %r1, %r2, %r3",
      "vadd4.u32.u32.u32.eq %r0, %r1, %r2, %r3",
      "vavrg.u32.u32.u32 %r0, %r1, %r2",
    ]
  ) {
    assert.throws(() => compileInstructions([text]), (error) => error instanceof Error, text);
  }
});
