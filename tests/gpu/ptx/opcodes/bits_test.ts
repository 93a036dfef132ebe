/**
 * Bit instructions against what the PTX ISA's pseudocode says, bit by bit, at edge values and random ones, with
 * operands in registers and as constants: those are emitted in different ways.
 */
import assert from "node:assert/strict";
import { compileInstruction, compileInstructions } from "./one_instruction.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(5);

function edges(bits: number, count = 6): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const all = [0n, 1n, 2n, top - 1n, top, top + 1n, 2n * top - 1n];
  for (let each = 0; each < count; each++) all.push(BigInt.asUintN(bits, next()));
  return all;
}

const u32 = (value: bigint): bigint => BigInt.asUintN(32, value);
const AMOUNTS = [
  0,
  1,
  2,
  5,
  7,
  8,
  15,
  16,
  24,
  30,
  31,
  32,
  33,
  40,
  63,
  64,
  65,
  128,
  255,
  256,
  287,
  0xffff_ffff,
];

Deno.test("lop3 applies every truth table", () => {
  const tables = Array.from({ length: 256 }, (_, table) => table);
  const compiled = compileInstructions(tables.map((table) => `lop3.b32 %r0, %r1, %r2, %r3, ${table}`));
  const words = Array.from({ length: 4 }, () => [0xf0f0_f0f0n, 0xcccc_ccccn, 0xaaaa_aaaan, u32(next())]);
  for (const [table, { run, inputs }] of compiled.entries()) {
    for (const [a = 0n, b = 0n, c = 0n] of words) {
      let expected = 0n;
      for (let bit = 0n; bit < 32n; bit++) {
        const index = Number((a >> bit & 1n) << 2n | (b >> bit & 1n) << 1n | (c >> bit & 1n));
        expected |= BigInt(table >> index & 1) << bit;
      }
      const values = { "%r1": a, "%r2": b, "%r3": c } as Readonly<Record<string, bigint>>;
      assert.deepEqual(run(...inputs.map((name) => values[name] ?? 0n)), [expected], `table ${table}`);
    }
  }
});

Deno.test("lop3 with a predicate combines it with whether the result is not zero", () => {
  for (
    const [name, fn] of [["or", (a: boolean, b: boolean) => a || b], [
      "and",
      (a: boolean, b: boolean) => a && b,
    ]] as const
  ) {
    const { run } = compileInstruction(`lop3.${name}.b32 %r0|%p0, %r0, %r1, %r2, 0x80, %p1`);
    for (const a of [0n, 6n]) {
      for (const q of [0n, 1n]) {
        const expected = a & 5n;
        assert.deepEqual(run(a, 5n, 7n, q), [expected, fn(expected !== 0n, q === 1n) ? 1n : 0n]);
      }
    }
  }
  for (
    const text of [
      "lop3.or.b32 %r0, %r0, %r1, %r2, 1, %p1",
      "lop3.b32 %r0|%p0, %r0, %r1, %r2, 1",
      "lop3.b32 %r0, %r0, %r1, %r2, 256",
    ]
  ) {
    assert.throws(() => compileInstruction(text), { name: "PtxError" }, text);
  }
});

/** Runs a register form and, for each constant, a constant form; operands in `%r` or `%l` by the letters. */
function checkForms(
  name: string,
  letters: string,
  constants: ReadonlySet<number>,
  cases: readonly (readonly bigint[])[],
  oracle: (...values: bigint[]) => bigint,
): void {
  const register = (letter: string, index: number): string => `%${letter}${index + 1}`;
  const [target = "r", ...sources] = letters;
  const dynamic = compileInstruction(`${name} %${target}0, ${sources.map(register).join(", ")}`);
  const byText = new Map<string, (readonly bigint[])[]>();
  for (const values of cases) {
    assert.deepEqual(dynamic.run(...values), [oracle(...values)], `${name} ${values.join()}`);
    const operands = sources.map((letter, index) =>
      constants.has(index) ? `${values[index]}` : register(letter, index)
    );
    const text = `${name} %${target}0, ${operands.join(", ")}`;
    byText.set(text, [...byText.get(text) ?? [], values]);
  }
  const compiled = compileInstructions([...byText.keys()]);
  for (const { text, run } of compiled) {
    for (const values of byText.get(text) ?? []) {
      const inputs = values.filter((_, index) => !constants.has(index));
      assert.deepEqual(run(...inputs), [oracle(...values)], text);
    }
  }
}

function product(...lists: readonly (readonly bigint[])[]): bigint[][] {
  return lists.reduce<bigint[][]>(
    (all, list) => all.flatMap((start) => list.map((each) => [...start, each])),
    [[]],
  );
}

Deno.test("shf shifts two registers as one", () => {
  const cases = product(edges(32, 3), edges(32, 3), AMOUNTS.map(BigInt));
  for (const direction of ["l", "r"]) {
    for (const mode of ["clamp", "wrap"]) {
      checkForms(`shf.${direction}.${mode}.b32`, "rrrr", new Set([2]), cases, (a = 0n, b = 0n, c = 0n) => {
        const amount = mode === "wrap" ? c & 31n : c > 32n ? 32n : c;
        const both = b << 32n | a;
        return u32(direction === "l" ? both << amount >> 32n : both >> amount);
      });
      const same = compileInstruction(`shf.${direction}.${mode}.b32 %r0, %r1, %r1, %r2`);
      assert.deepEqual(same.run(0x8000_0001n, 1n), [direction === "l" ? 3n : 0xc000_0000n]);
    }
  }
});

const PERMUTE_MODES: Readonly<Record<string, readonly string[]>> = {
  // As the table of the manual writes them: bytes 3 to 0.
  f4e: ["3210", "4321", "5432", "6543"],
  b4e: ["5670", "6701", "7012", "0123"],
  rc8: ["0000", "1111", "2222", "3333"],
  ecl: ["3210", "3211", "3222", "3333"],
  ecr: ["0000", "1110", "2210", "3210"],
  rc16: ["1010", "3232", "1010", "3232"],
};

Deno.test("prmt picks bytes, or their signs", () => {
  const words = [0x0123_4567n, 0x89ab_cdefn, 0x80ff_7f00n, u32(next())];
  const selectors = [0x3210, 0x0123, 0x5410, 0x7632, 0x7531, 0x6420, 0xba98, 0xfedc, 0x3333, 0x0040, 0x9180];
  for (let count = 0; count < 60; count++) selectors.push(Number(next() & 0xffffn));
  const permuted = (a: bigint, b: bigint, control: number): bigint => {
    const bytes = Array.from({ length: 8 }, (_, index) => Number((b << 32n | a) >> BigInt(8 * index) & 255n));
    let result = 0n;
    for (let place = 0; place < 4; place++) {
      const selector = control >> 4 * place & 15;
      const byte = bytes[selector & 7] ?? 0;
      result |= BigInt(selector < 8 ? byte : byte < 128 ? 0 : 255) << BigInt(8 * place);
    }
    return result;
  };
  const cases = product(words, words, [...selectors, 0x1_5410, 0xffff_3210].map(BigInt));
  checkForms(
    "prmt.b32",
    "rrrr",
    new Set([2]),
    cases,
    (a = 0n, b = 0n, c = 0n) => permuted(a, b, Number(c & 0xffffn)),
  );
  for (const [mode, rows] of Object.entries(PERMUTE_MODES)) {
    const controls = [0n, 1n, 2n, 3n, 4n, 0xffff_fffen];
    checkForms(
      `prmt.b32.${mode}`,
      "rrrr",
      new Set([2]),
      product(words, words, controls),
      (a = 0n, b = 0n, c = 0n) => permuted(a, b, parseInt(rows[Number(c & 3n)] ?? "", 16)),
    );
  }
});

Deno.test("bfe extracts a field and its sign", () => {
  const amounts = AMOUNTS.map(BigInt);
  for (
    const [type, letters, width] of [["u32", "rrrr", 32n], ["s32", "rrrr", 32n], ["u64", "llrr", 64n], [
      "s64",
      "llrr",
      64n,
    ]] as const
  ) {
    const cases = product(edges(Number(width), 2), amounts, amounts);
    checkForms(`bfe.${type}`, letters, new Set([1, 2]), cases, (a = 0n, b = 0n, c = 0n) => {
      const [position, length] = [b & 255n, c & 255n];
      const last = position + length - 1n < width - 1n ? position + length - 1n : width - 1n;
      const sign = type.startsWith("u") || length === 0n ? 0n : a >> last & 1n;
      let result = 0n;
      for (let bit = 0n; bit < width; bit++) {
        result |= (bit < length && position + bit < width ? a >> (position + bit) & 1n : sign) << bit;
      }
      return result;
    });
  }
});

Deno.test("bfi inserts a field", () => {
  const amounts = AMOUNTS.map(BigInt);
  for (const [type, letters, width] of [["b32", "rrrrr", 32n], ["b64", "lllrr", 64n]] as const) {
    const cases = product(
      [0n, (1n << width) - 1n, next() & ((1n << width) - 1n)],
      edges(Number(width), 1),
      amounts,
      amounts,
    );
    checkForms(`bfi.${type}`, letters, new Set([2, 3]), cases, (a = 0n, b = 0n, c = 0n, d = 0n) => {
      const [position, length] = [c & 255n, d & 255n];
      let result = b;
      for (let bit = 0n; bit < length && position + bit < width; bit++) {
        result &= ~(1n << (position + bit));
        result |= (a >> bit & 1n) << (position + bit);
      }
      return result;
    });
  }
});

Deno.test("bmsk and szext, clamped and wrapped", () => {
  const amounts = AMOUNTS.map(BigInt);
  for (const mode of ["clamp", "wrap"]) {
    const limit = (value: bigint): bigint => mode === "wrap" ? value & 31n : value > 32n ? 32n : value;
    checkForms(`bmsk.${mode}.b32`, "rrr", new Set([0, 1]), product(amounts, amounts), (a = 0n, b = 0n) => {
      let result = 0n;
      for (let bit = limit(a); bit < limit(a) + limit(b) && bit < 32n; bit++) result |= 1n << bit;
      return result;
    });
    for (const type of ["u32", "s32"]) {
      checkForms(
        `szext.${mode}.${type}`,
        "rrr",
        new Set([1]),
        product(edges(32), amounts),
        (a = 0n, b = 0n) => {
          const width = limit(b);
          if (width === 0n) return 0n;
          const low = a & ((1n << width) - 1n);
          return type === "s32" ? u32(BigInt.asIntN(Number(width), low)) : low;
        },
      );
    }
  }
  assert.throws(() => compileInstruction("bmsk.b32 %r0, %r1, %r2"), { name: "PtxError" });
});

Deno.test("clz, popc, brev and bfind", () => {
  for (const bits of [32, 64]) {
    const letter = bits === 32 ? "r" : "l";
    const values = [...edges(bits, 20), ...Array.from({ length: bits }, (_, bit) => 1n << BigInt(bit))].map((
      each,
    ) => [each]);
    const binary = (a: bigint): string => a.toString(2).padStart(bits, "0");
    const none = new Set<number>();
    checkForms(`clz.b${bits}`, `r${letter}`, none, values, (a = 0n) => BigInt(`${binary(a)}1`.indexOf("1")));
    checkForms(
      `popc.b${bits}`,
      `r${letter}`,
      none,
      values,
      (a = 0n) => BigInt(binary(a).split("1").length - 1),
    );
    checkForms(
      `brev.b${bits}`,
      `${letter}${letter}`,
      none,
      values,
      (a = 0n) => BigInt(`0b${[...binary(a)].reverse().join("")}`),
    );
    for (const sign of ["u", "s"]) {
      const first = (a: bigint): number =>
        binary(a).indexOf(sign === "s" && binary(a).startsWith("1") ? "0" : "1");
      checkForms(
        `bfind.${sign}${bits}`,
        `r${letter}`,
        none,
        values,
        (a = 0n) => first(a) < 0 ? 0xffff_ffffn : BigInt(bits - 1 - first(a)),
      );
      checkForms(
        `bfind.shiftamt.${sign}${bits}`,
        `r${letter}`,
        none,
        values,
        (a = 0n) => first(a) < 0 ? 0xffff_ffffn : BigInt(first(a)),
      );
    }
  }
});

Deno.test("fns finds the n-th set bit in either direction", () => {
  const offsets = [
    0n,
    1n,
    2n,
    5n,
    31n,
    32n,
    33n,
    0x7fff_ffffn,
    0x8000_0000n,
    ...[-1n, -2n, -7n, -32n].map(u32),
  ];
  const bases = [0n, 1n, 7n, 16n, 30n, 31n];
  checkForms(
    "fns.b32",
    "rrrr",
    new Set(),
    product(edges(32), bases, offsets),
    (mask = 0n, base = 0n, raw = 0n) => {
      const offset = BigInt.asIntN(32, raw);
      if (offset === 0n) return (mask >> base & 1n) === 1n ? base : 0xffff_ffffn;
      let count = (offset < 0n ? -offset : offset) - 1n;
      for (let at = base; at >= 0n && at < 32n; at += offset > 0n ? 1n : -1n) {
        if ((mask >> at & 1n) === 0n) continue;
        if (count === 0n) return at;
        count--;
      }
      return 0xffff_ffffn;
    },
  );
});

Deno.test("dp4a and dp2a multiply and add small integers of either sign", () => {
  const words = [...edges(32, 4), 0x8080_8080n, 0x7f7f_7f7fn, 0x8000_8000n, 0xff01_80fen];
  const part = (word: bigint, bits: number, index: number, type: string): bigint => {
    const raw = word >> BigInt(bits * index);
    return type === "s32" ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
  };
  for (const a of ["u32", "s32"]) {
    for (const b of ["u32", "s32"]) {
      const cases = product(words, words, [0n, 1n, 0x7fff_ffffn, 0xffff_ff00n]);
      checkForms(
        `dp4a.${a}.${b}`,
        "rrrr",
        new Set(),
        cases,
        (x = 0n, y = 0n, z = 0n) =>
          u32([0, 1, 2, 3].reduce((sum, index) => sum + part(x, 8, index, a) * part(y, 8, index, b), z)),
      );
      for (const half of ["lo", "hi"]) {
        const first = half === "lo" ? 0 : 2;
        checkForms(
          `dp2a.${half}.${a}.${b}`,
          "rrrr",
          new Set(),
          cases,
          (x = 0n, y = 0n, z = 0n) =>
            u32([0, 1].reduce((sum, index) => sum + part(x, 16, index, a) * part(y, 8, first + index, b), z)),
        );
      }
    }
  }
});
