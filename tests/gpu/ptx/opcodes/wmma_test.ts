/**
 * wmma: load, mma and store together, as programs use them, of every type, shape, layout and space. Fragments'
 * own layout is nobody's business, so only memory is looked at.
 */
import assert from "node:assert/strict";
import { BITS, decode, encode, multiply, randomElement, STEPS } from "./matrix_elements.ts";
import type { ElementName, Extents } from "./matrix_elements.ts";
import { addressOf, OneExchange, SHARED_BASE } from "./one_exchange.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(17);

type Layout = "row" | "col";

/** A matrix in memory: its place, and the elements from line to line. */
interface Stored {
  readonly place: number;
  readonly rows: number;
  readonly columns: number;
  readonly layout: Layout;
  readonly stride: number;
  readonly type: ElementName;
}

function indexOf({ layout, stride }: Stored, row: number, column: number): number {
  return layout === "row" ? row * stride + column : column * stride + row;
}

function writeElement(memory: DataView, { place, type }: Stored, index: number, bits: bigint): void {
  const size = BITS[type];
  if (size >= 8) {
    for (let byte = 0; byte < size / 8; byte++) {
      memory.setUint8(place + index * size / 8 + byte, Number(bits >> BigInt(8 * byte) & 255n));
    }
    return;
  }
  const at = place + Math.floor(index * size / 8);
  const shift = index * size % 8;
  const mask = (1 << size) - 1;
  memory.setUint8(at, memory.getUint8(at) & ~(mask << shift) | Number(bits) << shift);
}

function readElement(memory: DataView, { place, type }: Stored, index: number): bigint {
  let bits = 0n;
  for (let byte = BITS[type] / 8 - 1; byte >= 0; byte--) {
    bits = bits << 8n | BigInt(memory.getUint8(place + index * BITS[type] / 8 + byte));
  }
  return bits;
}

function fill(memory: DataView, stored: Stored): number[] {
  const matrix: number[] = [];
  for (let row = 0; row < stored.rows; row++) {
    for (let column = 0; column < stored.columns; column++) {
      const bits = randomElement(stored.type, next, false);
      writeElement(memory, stored, indexOf(stored, row, column), bits);
      matrix.push(decode(stored.type, bits));
    }
  }
  return matrix;
}

/** Registers of a fragment, as the tables of the PTX ISA (9.7.14.4.1) have them. */
function fragmentSize(type: ElementName, matrix: "a" | "b" | "c", { m, n, k }: Extents): number {
  if (matrix === "c") return type === "f16" ? 4 : m * n / 32;
  if (type === "f16") return 8;
  return (matrix === "a" ? m * k : n * k) * BITS[type] / (type === "f64" ? 2048 : 1024);
}

interface WmmaCase {
  readonly shape: string;
  readonly d: "f32" | "f16" | "s32" | "f64";
  readonly a: ElementName;
  readonly b: ElementName;
  readonly c: "f32" | "f16" | "s32" | "f64";
  /** Layouts of A, B, C and D. */
  readonly layouts: readonly [Layout, Layout, Layout, Layout];
  readonly space: "global" | "shared" | "";
  /** Elements between lines beyond what they have; undefined for no stride at all. */
  readonly gap: number | undefined;
  readonly after?: string;
}

const PLACES = [0, 0x800, 0x1000, 0x1800] as const;

function check(each: WmmaCase): void {
  const { shape, d, a, b, c, layouts, space, gap, after = "" } = each;
  const [m = 0, n = 0, k = 0] = shape.split(/[mnk]/).slice(1).map(Number);
  const extents = { m, n, k };
  const sizes = [[m, k], [k, n], [m, n], [m, n]] as const;
  const types = [a, b, c, d] as const;
  const stored = types.map((type, index): Stored => {
    const [rows, columns] = sizes[index] ?? [0, 0];
    const layout = layouts[index] ?? "row";
    const stride = (layout === "row" ? columns : rows) + (gap ?? 0);
    return { place: SHARED_BASE + (PLACES[index] ?? 0), rows, columns, layout, stride, type };
  });
  const [left, right, start, result] = stored;
  if (left === undefined || right === undefined || start === undefined || result === undefined) return;
  const letter = a === "f64" ? "d" : "r";
  const list = (type: ElementName, matrix: "a" | "b" | "c", first: number): string => {
    const count = fragmentSize(type, matrix, extents);
    return `{${Array.from({ length: count }, (_, index) => `%${letter}${first + index}`).join(", ")}}`;
  };
  const address = (index: number): string => space === "shared" ? `[%r${36 + index}]` : `[%l${index}]`;
  const where = space === "" ? "" : `.${space}`;
  const stride = (index: number): string =>
    gap === undefined ? "" : index === 1 ? ", %r35" : `, ${stored[index]?.stride}`;
  const [fa, fb] = [list(a, "a", 0), list(b, "b", 8)];
  // D takes the place of C's registers.
  const [fc, fd] = [list(c, "c", 16), list(d, "c", 16)];
  const [la, lb, lc, ld] = layouts;
  const typeList = a === "f16" ? `.${d}.${c}` : `.${d}.${a}.${b}.${c}`;
  const text = [
    `wmma.load.a.sync.aligned.${la}.${shape}${where}.${a} ${fa}, ${address(0)}${stride(0)}`,
    `wmma.load.b.sync.aligned.${lb}.${shape}${where}.${b} ${fb}, ${address(1)}${stride(1)}`,
    `wmma.load.c.sync.aligned.${lc}.${shape}${where}.${c} ${fc}, ${address(2)}${stride(2)}`,
    after.includes("popc")
      ? `wmma.mma${after}.sync.aligned.${la}.${lb}.${shape}${typeList} ${fd}, ${fa}, ${fb}, ${fc}`
      : `wmma.mma.sync.aligned.${la}.${lb}.${shape}${typeList}${after} ${fd}, ${fa}, ${fb}, ${fc}`,
    `wmma.store.d.sync.aligned.${ld}.${shape}${where}.${d} ${address(3)}, ${fd}${stride(3)}`,
  ].join(";\n");
  const exchange = new OneExchange(text);
  const { memory } = exchange;
  for (let byte = 0; byte < 0x2000; byte++) memory.setUint8(SHARED_BASE + byte, 0xa5);
  const matrices = [left, right, start].map((matrix) => fill(memory, matrix));
  for (let lane = 0; lane < 32; lane++) {
    PLACES.forEach((place, index) => {
      if (space === "shared") exchange.set(`%r${36 + index}`, lane, BigInt(place));
      else exchange.set(`%l${index}`, lane, addressOf(SHARED_BASE + place));
    });
    if (gap !== undefined) exchange.set("%r35", lane, BigInt(right.stride));
  }
  exchange.run();
  const step = STEPS[after.includes("and") ? "and" : after.includes("xor") ? "xor" : d === "f64" ? "f32" : d];
  const product: (x: number, y: number, sum: number) => number = d === "f64"
    ? (x, y, sum) => sum + x * y
    : step;
  const [x = [], y = [], z = []] = matrices;
  const expected = multiply(extents, product, x, y, z);
  const isWritten = new Set<number>();
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      const index = indexOf(result, row, column);
      isWritten.add(index);
      let value = expected[row * n + column] ?? 0;
      if (after === ".satfinite") value = Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1);
      const found = readElement(memory, result, index);
      if (d === "f64") assert.ok(Math.abs(decode(d, found) - value) < 1e-13, text);
      else assert.equal(found, encode(d, value), `${text} ${row} ${column}`);
    }
  }
  // What lies between the lines, and behind the last, is as it was.
  for (let index = 0; index < 0x700 * 8 / BITS[d]; index++) {
    if (isWritten.has(index)) continue;
    assert.equal(readElement(memory, result, index) & 0xffn, 0xa5n, `${text} element ${index}`);
  }
}

const LAYOUTS: readonly WmmaCase["layouts"][] = [
  ["row", "col", "row", "row"],
  ["row", "row", "col", "row"],
  ["col", "col", "row", "col"],
  ["col", "row", "col", "col"],
];
const SPACES: readonly (readonly [WmmaCase["space"], number | undefined])[] = [
  ["global", 8],
  ["shared", 0],
  ["", undefined],
];

function checkAll(cases: readonly Omit<WmmaCase, "layouts" | "space" | "gap">[], layouts = LAYOUTS): void {
  // Spaces take turns: layouts and spaces have nothing to do with each other.
  let turn = 0;
  for (const each of cases) {
    for (const list of layouts) {
      const [space, gap] = SPACES[turn++ % SPACES.length] ?? ["", undefined];
      check({ ...each, layouts: list, space, gap });
    }
  }
}

const WIDE = ["m16n16k16", "m32n8k16", "m8n32k16"] as const;

Deno.test("wmma of halves, with sums in singles and in halves", () => {
  checkAll(
    WIDE.flatMap((shape) =>
      (["f32", "f16"] as const).flatMap((d) =>
        (["f32", "f16"] as const).map((c) => ({ shape, d, a: "f16", b: "f16", c }) as const)
      )
    ),
  );
});

Deno.test("wmma of bf16 and tf32", () => {
  checkAll(WIDE.map((shape) => ({ shape, d: "f32", a: "bf16", b: "bf16", c: "f32" })));
  checkAll([{ shape: "m16n16k8", d: "f32", a: "tf32", b: "tf32", c: "f32" }]);
});

Deno.test("wmma of small integers and bits", () => {
  checkAll(
    WIDE.flatMap((shape) =>
      (["s8", "u8"] as const).map((a) =>
        ({ shape, d: "s32", a, b: a, c: "s32", after: ".satfinite" }) as const
      )
    ),
  );
  const straight: readonly WmmaCase["layouts"][] = [["row", "col", "row", "col"], [
    "row",
    "col",
    "col",
    "row",
  ]];
  checkAll(
    (["s4", "u4"] as const).map((a) => ({ shape: "m8n8k32", d: "s32", a, b: a, c: "s32" }) as const),
    straight,
  );
  checkAll(
    [".xor.popc", ".and.popc"].map((after) => ({
      shape: "m8n8k128",
      d: "s32",
      a: "b1",
      b: "b1",
      c: "s32",
      after,
    })),
    straight,
  );
});

Deno.test("wmma of doubles", () => {
  checkAll([{ shape: "m8n8k4", d: "f64", a: "f64", b: "f64", c: "f64" }]);
});

Deno.test("every register of a fragment has elements of the matrix", () => {
  for (const shape of WIDE) {
    for (const matrix of ["a", "b"]) {
      const names = Array.from({ length: 8 }, (_, index) => `%r${index}`);
      const text = `wmma.load.${matrix}.sync.aligned.row.${shape}.shared.f16 {${names.join(", ")}}, [%r8]`;
      const exchange = new OneExchange(text);
      for (let byte = 0; byte < 0x400; byte++) exchange.memory.setUint8(SHARED_BASE + byte, 0x3c);
      exchange.setAll("%r8", Array.from({ length: 32 }, () => 0n));
      exchange.run();
      for (const name of names) assert.ok(exchange.getAll(name).every((word) => word === 0x3c3c_3c3cn), text);
    }
  }
});

Deno.test("a matrix that leaves its shared window ends the kernel", () => {
  for (
    const [text, isLoad] of [
      ["wmma.load.c.sync.aligned.row.m16n16k16.shared.f16 {%r0, %r1, %r2, %r3}, [%r8], %r9", true],
      ["wmma.store.d.sync.aligned.col.m16n16k16.shared.f16 [%r8], {%r0, %r1, %r2, %r3}, %r9", false],
    ] as const
  ) {
    const exchange = new OneExchange(text);
    const run = (start: bigint, stride: bigint): void => {
      for (let lane = 0; lane < 32; lane++) {
        for (const name of isLoad ? [] : ["%r0", "%r1", "%r2", "%r3"]) exchange.set(name, lane, 0n);
        exchange.set("%r8", lane, start);
        exchange.set("%r9", lane, stride);
      }
      exchange.run();
    };
    run(0x4000n - 512n, 16n);
    run(0x4000n - 15n * 48n - 32n, 24n);
    for (
      const [start, stride] of [[0x4000n - 510n, 16n], [0n, 0x1000n], [0n, 0xffff_ffffn], [1n, 16n]] as const
    ) {
      assert.throws(() => run(start, stride), WebAssembly.RuntimeError, `${text} ${start} ${stride}`);
    }
  }
});

Deno.test("wmma forms that do not exist are refused", () => {
  for (
    const text of [
      "wmma.load.a.sync.aligned.row.m16n16k16.global.f32 {%r0, %r1, %r2, %r3, %r4, %r5, %r6, %r7}, [%l0]",
      "wmma.load.a.sync.aligned.m16n16k16.global.f16 {%r0, %r1, %r2, %r3, %r4, %r5, %r6, %r7}, [%l0]",
      "wmma.load.a.sync.aligned.col.m8n8k32.global.s4 {%r0}, [%l0]",
      "wmma.store.c.sync.aligned.row.m16n16k16.global.f16 [%l0], {%r0, %r1, %r2, %r3}",
      "wmma.mma.sync.aligned.row.col.m16n16k16.f32.bf16.bf16.f32 {%r0}, {%r1}, {%r2}, {%r3}",
      "wmma.mma.sync.aligned.row.col.m16n8k16.f32.f32 {%r0}, {%r1}, {%r2}, {%r3}",
    ]
  ) assert.throws(() => new OneExchange(text), { name: "PtxError" }, text);
});
