/**
 * Tensor core instructions on registers: mma of every type and shape, ldmatrix, stmatrix and movmatrix, against
 * plain loops over matrices.
 */
import assert from "node:assert/strict";
import {
  BITS,
  decode,
  encode,
  multiply,
  placeInA,
  placeInB,
  placeInC,
  randomElement,
  STEPS,
} from "./matrix_elements.ts";
import type { ElementName, Place } from "./matrix_elements.ts";
import { addressOf, FREE, OneExchange, SHARED_BASE } from "./one_exchange.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(3);

/** Registers `%r4` and so on. */
function registers(first: number, count: number, letter = "r"): string[] {
  return Array.from({ length: count }, (_, index) => `%${letter}${first + index}`);
}

/** Puts elements into a register of a lane. */
function fill(
  exchange: OneExchange,
  names: readonly string[],
  type: ElementName,
  isWild: boolean,
  place: Place,
  columns: number,
): number[] {
  const bits = BITS[type];
  const perRegister = Math.max(1, 32 / bits);
  const matrix: number[] = [];
  for (let lane = 0; lane < 32; lane++) {
    names.forEach((name, register) => {
      let word = 0n;
      for (let within = 0; within < perRegister; within++) {
        const element = randomElement(type, next, isWild);
        word |= element << BigInt(bits * within);
        const [row, column] = place(lane, register * perRegister + within);
        matrix[row * columns + column] = decode(type, element);
      }
      exchange.set(name, lane, word);
    });
  }
  return matrix;
}

interface MmaCase {
  readonly shape: string;
  readonly d: "f32" | "f16" | "s32";
  readonly a: ElementName;
  readonly b: ElementName;
  readonly c: "f32" | "f16" | "s32";
  readonly after?: string;
  readonly before?: string;
  /** First registers of D, A, B and C. */
  readonly firsts?: readonly [number, number, number, number];
  readonly reversesD?: boolean;
}

function results(shape: { m: number; n: number }, type: MmaCase["d"], first: number): string[] {
  const count = shape.m * shape.n / 32;
  return registers(first, type === "f16" ? count / 2 : count);
}

function checkMma(each: MmaCase, isFused: boolean): void {
  const { shape, d, a, b, c, before = "", after = "" } = each;
  const [m = 0, n = 0, k = 0] = shape.split(/[mnk]/).slice(1).map(Number);
  const extents = { m, n, k };
  const [firstD, firstA, firstB, firstC] = each.firsts ?? [0, 8, 16, 24];
  const namesA = registers(firstA, m * k * BITS[a] / 1024);
  const namesB = registers(firstB, k * n * BITS[b] / 1024);
  const [ordered, namesC] = [results(extents, d, firstD), results(extents, c, firstC)];
  const namesD = each.reversesD === true ? ordered.toReversed() : ordered;
  const list = (names: readonly string[]): string => `{${names.join(", ")}}`;
  const text = `mma.sync.aligned.${shape}.row.col${before}.${d}.${a}.${b}.${c}${after} ` +
    [namesD, namesA, namesB, namesC].map(list).join(", ");
  const exchange = new OneExchange(text, { isFused });
  assert.deepEqual(exchange.members(), Array.from({ length: 32 }, () => 0xffff_ffff));
  const [perA, perB] = [a, b].map((type) => Math.max(1, 32 / BITS[type]));
  for (let round = 0; round < 6; round++) {
    const isWild = round >= 4;
    const left = fill(exchange, namesA, a, isWild, placeInA(m, perA ?? 1), k);
    const right = fill(exchange, namesB, b, isWild, placeInB(perB ?? 1), n);
    const start = fill(exchange, namesC, c, isWild, placeInC, n);
    exchange.run();
    const step = STEPS[after.includes("and") ? "and" : after.includes("xor") ? "xor" : d];
    const expected = multiply(extents, step, left, right, start);
    for (let lane = 0; lane < 32; lane++) {
      for (let index = 0; index < m * n / 32; index++) {
        const [row, column] = placeInC(lane, index);
        let value = expected[row * n + column] ?? 0;
        if (before.includes("satfinite")) value = Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1);
        const register = namesD[d === "f16" ? index >> 1 : index] ?? "";
        const word = exchange.get(register, lane);
        const found = d === "f16" ? word >> BigInt(16 * (index & 1)) & 0xffffn : word;
        const about = `${text} round ${round} lane ${lane} element ${index}`;
        if (Number.isNaN(value) && d !== "f16") assert.ok(Number.isNaN(decode(d, found)), about);
        else assert.equal(found, encode(d, value), about);
      }
    }
  }
}

/** f64 products of these tests have few bits, so that a rounded product would differ from a fused one. */
function fusedStep(a: number, b: number, sum: number): number {
  // Dekker's product: high + low is a * b exactly; the sum of three is rounded to odd, then to double.
  const split = (x: number): [number, number] => {
    const scaled = 134217729 * x;
    const high = scaled - (scaled - x);
    return [high, x - high];
  };
  const product = a * b;
  const [[ah, al], [bh, bl]] = [split(a), split(b)];
  const error = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
  return exactSum(product, error, sum);
}

/** The sum of three doubles of about one size, rounded once, by integers. */
function exactSum(...terms: readonly number[]): number {
  const UNIT = 2 ** -160;
  let total = 0n;
  for (const term of terms) {
    // A double times a power of two stays exact; both halves of it are integers.
    let scaled = term;
    let shift = 160n;
    while (!Number.isInteger(scaled)) {
      scaled *= 2;
      shift--;
    }
    total += BigInt(scaled) << shift;
  }
  return Number(total) * UNIT;
}

const F16: readonly MmaCase[] = ["m16n8k8", "m16n8k16"].flatMap((shape) =>
  (["f32", "f16"] as const).flatMap((d) =>
    (["f32", "f16"] as const).map((c): MmaCase => ({ shape, d, a: "f16", b: "f16", c }))
  )
);

Deno.test("mma of halves adds in singles, and rounds to halves at the end", () => {
  for (const each of F16) for (const isFused of [true, false]) checkMma(each, isFused);
});

Deno.test("mma of bf16, tf32 and 8-bit floats", () => {
  const cases: readonly MmaCase[] = [
    ...["m16n8k8", "m16n8k16"].map((shape): MmaCase => ({ shape, d: "f32", a: "bf16", b: "bf16", c: "f32" })),
    ...["m16n8k4", "m16n8k8"].map((shape): MmaCase => ({ shape, d: "f32", a: "tf32", b: "tf32", c: "f32" })),
    ...(["e4m3", "e5m2"] as const).flatMap((a) =>
      (["e4m3", "e5m2"] as const).flatMap((b) =>
        (["f32", "f16"] as const).map((d): MmaCase => ({ shape: "m16n8k32", d, a, b, c: d }))
      )
    ),
  ];
  for (const each of cases) for (const isFused of [true, false]) checkMma(each, isFused);
});

Deno.test("mma of small integers, saturating and wrapping", () => {
  for (
    const [types, shapes] of [[["s8", "u8"], ["m8n8k16", "m16n8k16", "m16n8k32"]], [["s4", "u4"], [
      "m8n8k32",
      "m16n8k32",
      "m16n8k64",
    ]]] as const
  ) {
    for (const shape of shapes) {
      for (const a of types) {
        for (const b of types) {
          for (const before of ["", ".satfinite"]) {
            checkMma({ shape, d: "s32", a, b, c: "s32", before }, true);
          }
        }
      }
    }
  }
});

Deno.test("mma of bits counts those that differ, or are both set", () => {
  for (const shape of ["m8n8k128", "m16n8k128", "m16n8k256"]) {
    for (const after of [".xor.popc", ".and.popc"]) {
      checkMma({ shape, d: "s32", a: "b1", b: "b1", c: "s32", after }, true);
    }
  }
});

Deno.test("mma of doubles fuses product and sum", () => {
  for (const shape of ["m8n8k4", "m16n8k4", "m16n8k8", "m16n8k16"]) {
    for (const isFused of [true, false]) checkDoubles(shape, isFused);
  }
});

function checkDoubles(shape: string, isFused: boolean): void {
  const [m = 0, n = 0, k = 0] = shape.split(/[mnk]/).slice(1).map(Number);
  const namesA = registers(0, m * k / 32, "d");
  const namesB = registers(8, k * n / 32, "d");
  const namesC = registers(12, m * n / 32, "d");
  const text =
    `mma.sync.aligned.${shape}.row.col.f64.f64.f64.f64 {${namesC}}, {${namesA}}, {${namesB}}, {${namesC}}`;
  const exchange = new OneExchange(text, { isFused });
  const left = fill(exchange, namesA, "f64", false, placeInA(m, 1), k);
  const right = fill(exchange, namesB, "f64", false, placeInB(1), n);
  const start = fill(exchange, namesC, "f64", false, placeInC, n);
  exchange.run();
  const expected = multiply({ m, n, k }, fusedStep, left, right, start);
  for (let lane = 0; lane < 32; lane++) {
    namesC.forEach((name, index) => {
      const [row, column] = placeInC(lane, index);
      assert.equal(
        decode("f64", exchange.get(name, lane)),
        expected[row * n + column],
        `${text} ${lane} ${index}`,
      );
    });
  }
}

Deno.test("mma may write the registers that it reads", () => {
  const form = { shape: "m16n8k16", d: "f32", a: "f16", b: "f16", c: "f32" } as const;
  for (const firsts of [[24, 8, 16, 24], [8, 8, 16, 24], [15, 8, 16, 24], [25, 8, 16, 24]] as const) {
    checkMma({ ...form, firsts }, true);
    checkMma({ ...form, d: "f16", c: "f16", firsts }, true);
    checkMma({ ...form, c: "f16", firsts }, true);
  }
  checkMma({ ...form, firsts: [24, 8, 16, 24], reversesD: true }, true);
});

Deno.test("mma takes constants for C, and a result that is not wanted", () => {
  const text = "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r0, _}, {%r2}, {%r3}, {5, -7}";
  const exchange = new OneExchange(text);
  for (let lane = 0; lane < 32; lane++) {
    exchange.set("%r2", lane, 0x0101_0101n);
    exchange.set("%r3", lane, 0x0202_0202n);
  }
  exchange.run();
  assert.deepEqual(exchange.getAll("%r0"), Array.from({ length: 32 }, () => 37n));
});

Deno.test("a warp that is not whole ends the kernel", () => {
  for (
    const text of [
      "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r0, %r1}, {%r2}, {%r3}, {%r0, %r1}",
      "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r1]",
    ]
  ) {
    const exchange = new OneExchange(text);
    assert.throws(() => exchange.run(0x7fff_ffff), WebAssembly.RuntimeError);
  }
});

/** A row of eight halves in memory. */
function rowAt(exchange: OneExchange, place: number): bigint[] {
  return Array.from(
    { length: 8 },
    (_, column) => BigInt(exchange.memory.getUint16(place + 2 * column, true)),
  );
}

Deno.test("ldmatrix gives each lane two neighbours of a row, or of a column", () => {
  for (const count of [1, 2, 4]) {
    for (const trans of ["", ".trans"]) {
      for (const space of [".shared", ".shared::cta", ""]) {
        const names = registers(4, count);
        const address = space === "" ? "%l0+16" : "%r5+16";
        const text = `ldmatrix.sync.aligned.m8n8.x${count}${trans}${space}.b16 {${names}}, [${address}]`;
        const exchange = new OneExchange(text);
        const bases: number[] = [];
        for (let lane = 0; lane < 32; lane++) {
          // Rows lie apart and in no order.
          const offset = 48 * ((lane * 5) % 32);
          const isNamed = lane < 8 * count;
          bases.push(SHARED_BASE + offset + 16);
          for (let byte = 0; byte < 48; byte += 8) {
            exchange.memory.setBigUint64(SHARED_BASE + offset + byte, next());
          }
          if (space === "") exchange.set("%l0", lane, isNamed ? addressOf(SHARED_BASE + offset) : 3n);
          else exchange.set("%r5", lane, isNamed ? BigInt(offset) : 0xffff_ff00n);
        }
        exchange.run();
        for (let lane = 0; lane < 32; lane++) {
          names.forEach((name, matrix) => {
            const element = (half: number): bigint => {
              const [outer, inner] = [lane >> 2, 2 * (lane & 3) + half];
              const [row, column] = trans === "" ? [outer, inner] : [inner, outer];
              return rowAt(exchange, bases[8 * matrix + row] ?? 0)[column] ?? 0n;
            };
            assert.equal(exchange.get(name, lane), element(0) | element(1) << 16n, `${text} ${lane}`);
          });
        }
      }
    }
  }
});

Deno.test("stmatrix is ldmatrix backwards", () => {
  for (const count of [1, 2, 4]) {
    for (const trans of ["", ".trans"]) {
      const names = registers(4, count);
      const text = `stmatrix.sync.aligned.m8n8.x${count}${trans}.shared.b16 [%r1], {${names}}`;
      const exchange = new OneExchange(text);
      for (let lane = 0; lane < 32; lane++) {
        exchange.set("%r1", lane, lane < 8 * count ? BigInt(32 * (31 - lane)) : 1n);
        for (const name of names) exchange.set(name, lane, BigInt.asUintN(32, next()));
      }
      exchange.run();
      for (let lane = 0; lane < 32; lane++) {
        names.forEach((name, matrix) => {
          for (const half of [0, 1]) {
            const [outer, inner] = [lane >> 2, 2 * (lane & 3) + half];
            const [row, column] = trans === "" ? [outer, inner] : [inner, outer];
            const found = rowAt(exchange, SHARED_BASE + 32 * (31 - (8 * matrix + row)))[column];
            assert.equal(found, exchange.get(name, lane) >> BigInt(16 * half) & 0xffffn, `${text} ${lane}`);
          }
        });
      }
    }
  }
});

Deno.test("movmatrix transposes, also in place", () => {
  for (const target of ["%r0", "%r1"]) {
    const exchange = new OneExchange(`movmatrix.sync.aligned.m8n8.trans.b16 ${target}, %r1`);
    const words = Array.from({ length: 32 }, () => BigInt.asUintN(32, next()));
    exchange.setAll("%r1", words);
    exchange.run();
    const element = (row: number, column: number): bigint =>
      (words[4 * row + (column >> 1)] ?? 0n) >> BigInt(16 * (column & 1)) & 0xffffn;
    for (let lane = 0; lane < 32; lane++) {
      const [group, first] = [lane >> 2, 2 * (lane & 3)];
      assert.equal(exchange.get(target, lane), element(first, group) | element(first + 1, group) << 16n);
    }
  }
});

Deno.test("ldmatrix ends the kernel at an address that is not aligned or outside", () => {
  const exchange = new OneExchange("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0, %r1, %r2, %r3}, [%r4]");
  for (const bad of [8n, 0x4000n, 0xffff_fff0n]) {
    exchange.setAll("%r4", Array.from({ length: 32 }, (_, lane) => lane === 17 ? bad : 0n));
    assert.throws(() => exchange.run(), WebAssembly.RuntimeError, `${bad}`);
  }
  assert.ok(FREE < SHARED_BASE);
});

Deno.test("forms that do not exist, or are not done, are refused", () => {
  for (
    const text of [
      "mma.sync.aligned.m8n8k4.row.col.f16.f16.f16.f16 {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7}, {%r0, %r1, %r2, %r3}",
      "mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%f0, %f1, %f2, %f3}",
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%f0, %f1, %f2, %f3}",
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1}, {%r4, %r5}, {%f0, %f1, %f2, %f3}",
      "mma.sync.aligned.m16n8k16.row.col.f16.bf16.bf16.f16 {%r0, %r1}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r0, %r1}",
      "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r1}, {%r4, %r5}, {%f0, %f1, %f2, %f3}, %r8, 0",
      "ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r0, %r1}, [%r2]",
      "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r0}, [%r2]",
      "wmma.load.d.sync.aligned.row.m16n16k16.global.f32 {%r0, %r1, %r2, %r3, %r4, %r5, %r6, %r7}, [%l0]",
    ]
  ) assert.throws(() => new OneExchange(text), { name: "PtxError" }, text);
});
