/**
 * Atomic operations and asynchronous copies against arithmetic on integers of any size, in plain and in shared
 * memory, at edge values and at random ones.
 */
import assert from "node:assert/strict";
import { FAULT, RECORD } from "../../../../gpu/ptx/launch_record.ts";
import { compileInstruction } from "./one_instruction.ts";
import type { OneInstruction } from "./one_instruction.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(11);
/** Place of the element, and its device address. */
const AT = 0x140;
const ADDRESS = 0x4000_0000n + BigInt(AT);
const SHARED_BASE = 0x100n;

type Space = "global" | "shared" | "generic";

interface Compiled {
  readonly one: OneInstruction;
  readonly memory: DataView;
  readonly address: bigint;
  readonly run: OneInstruction["run"];
}

function compile(text: string, space: Space, isShared: boolean): Compiled {
  const descriptor = { initial: 1n, maximum: 1n, address: "i64", shared: isShared };
  const memory = new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
  const one = compileInstruction(text, {
    memory,
    isShared,
    sharedBytes: 0x100,
    specials: { sharedBase: SHARED_BASE, sharedEnd: 0x100n },
  });
  const address = space === "shared" ? BigInt(AT) - SHARED_BASE : ADDRESS;
  return { one, memory: new DataView(memory.buffer), address, run: one.run };
}

const BYTES: Readonly<Record<string, number>> = { "16": 2, "32": 4, "64": 8 };

function edges(bits: number): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const all = [0n, 1n, 2n, top - 1n, top, top + 1n, 2n * top - 2n, 2n * top - 1n];
  for (let count = 0; count < 8; count++) all.push(BigInt.asUintN(bits, next()));
  return all;
}

function read(memory: DataView, bytes: number): bigint {
  let value = 0n;
  for (let byte = bytes - 1; byte >= 0; byte--) value = value << 8n | BigInt(memory.getUint8(AT + byte));
  return value;
}

function write(memory: DataView, bytes: number, value: bigint): void {
  for (let byte = 0; byte < bytes; byte++) {
    memory.setUint8(AT + byte, Number(value >> BigInt(8 * byte) & 255n));
  }
}

type Update = (old: bigint, b: bigint, bits: number) => bigint;
const s = BigInt.asIntN;
const u = BigInt.asUintN;
const UPDATES: readonly [string, Update][] = [
  ...["u32", "s32", "u64", "s64"].map((type): [string, Update] => [
    `add.${type}`,
    (old, b, bits) => u(bits, old + b),
  ]),
  ...["u32", "u64"].flatMap((type): [string, Update][] => [
    [`min.${type}`, (old, b) => old < b ? old : b],
    [`max.${type}`, (old, b) => old > b ? old : b],
  ]),
  ...["s32", "s64"].flatMap((type): [string, Update][] => [
    [`min.${type}`, (old, b, bits) => s(bits, old) < s(bits, b) ? old : b],
    [`max.${type}`, (old, b, bits) => s(bits, old) > s(bits, b) ? old : b],
  ]),
  ...["b32", "b64"].flatMap((type): [string, Update][] => [
    [`and.${type}`, (old, b) => old & b],
    [`or.${type}`, (old, b) => old | b],
    [`xor.${type}`, (old, b) => old ^ b],
    [`exch.${type}`, (_old, b) => b],
  ]),
  ["inc.u32", (old, b) => old >= b ? 0n : old + 1n],
  ["dec.u32", (old, b) => old === 0n || old > b ? b : old - 1n],
];

function eachPlace(body: (space: Space, word: string, isShared: boolean) => void): void {
  for (const isShared of [false, true]) {
    body("global", ".global", isShared);
    body("shared", ".shared", isShared);
    body("shared", ".shared::cta", isShared);
    body("generic", "", isShared);
  }
}

Deno.test("atom and red on integers give the old value and leave the new one", () => {
  for (const [name, update] of UPDATES) {
    const bits = Number(name.slice(-2));
    const bytes = BYTES[bits] ?? 4;
    const kind = bits === 64 ? "l" : "r";
    eachPlace((space, word, isShared) => {
      const atom = compile(`atom.relaxed.gpu${word}.${name} %${kind}0, [%l1], %${kind}2`, space, isShared);
      const red = name.startsWith("exch")
        ? undefined
        : compile(`red${word}.${name} [%l1], %${kind}2`, space, isShared);
      for (const old of edges(bits)) {
        for (const b of edges(bits)) {
          const about = `${name} ${word} ${isShared} ${old} ${b}`;
          write(atom.memory, bytes, old);
          assert.deepEqual(atom.run(atom.address, b), [old], about);
          assert.equal(read(atom.memory, bytes), update(old, b, bits), about);
          if (red === undefined) continue;
          write(red.memory, bytes, old);
          assert.deepEqual(red.run(red.address, b), []);
          assert.equal(read(red.memory, bytes), update(old, b, bits), `red ${about}`);
        }
      }
    });
  }
});

Deno.test("atom.cas writes only where it finds the value", () => {
  for (const bits of [16, 32, 64]) {
    const kind = { 16: "h", 32: "r", 64: "l" }[bits];
    const bytes = BYTES[bits] ?? 4;
    eachPlace((space, word, isShared) => {
      const text = `atom.acq_rel.sys${word}.cas.b${bits} %${kind}0, [%l1], %${kind}2, %${kind}3`;
      const { memory, run, address } = compile(text, space, isShared);
      for (const old of edges(bits)) {
        for (const b of [old, ...edges(bits)]) {
          const c = u(bits, next());
          write(memory, 8, 0x1122_3344_5566_7788n);
          write(memory, bytes, old);
          assert.deepEqual(run(address, b, c), [old]);
          assert.equal(read(memory, bytes), old === b ? c : old);
          if (bits === 16) assert.equal(memory.getUint16(AT + 2, true), 0x5566);
        }
      }
    });
  }
});

const VIEW = new DataView(new ArrayBuffer(8));
function bitsOf(value: number, type: "f32" | "f64"): bigint {
  if (type === "f64") VIEW.setFloat64(0, value);
  else VIEW.setFloat32(0, value);
  return type === "f64" ? VIEW.getBigUint64(0) : BigInt(VIEW.getUint32(0));
}

Deno.test("atom.add on floats rounds to nearest and keeps subnormals", () => {
  const values = [0, -0, 1, -1, 1e-40, 3e38, 3.4e38, Infinity, -Infinity, 0.1, 16777216, 5e-324];
  for (let count = 0; count < 6; count++) values.push((Number(next() & 0xffffn) - 32768) / 7);
  for (const type of ["f32", "f64"] as const) {
    const round = type === "f32" ? Math.fround : Number;
    const bytes = type === "f32" ? 4 : 8;
    const kind = type === "f32" ? "f" : "d";
    eachPlace((space, word, isShared) => {
      const atom = compile(`atom${word}.add.${type} %${kind}0, [%l1], %${kind}2`, space, isShared);
      for (const old of values.map(round)) {
        for (const b of values.map(round)) {
          write(atom.memory, bytes, bitsOf(old, type));
          assert.deepEqual(atom.run(atom.address, bitsOf(b, type)), [bitsOf(old, type)]);
          const sum = round(old + b);
          const found = read(atom.memory, bytes);
          if (Number.isNaN(sum)) assert.ok(Number.isNaN(type === "f32" ? single(found) : double(found)));
          else assert.equal(found, bitsOf(sum, type), `${type} ${old} ${b}`);
        }
      }
    });
  }
});

function single(bits: bigint): number {
  VIEW.setUint32(0, Number(bits));
  return VIEW.getFloat32(0);
}
function double(bits: bigint): number {
  VIEW.setBigUint64(0, bits);
  return VIEW.getFloat64(0);
}

/** Values of a half format that a sum meets exactly or by one rounding, as bits. */
function halfBits(value: number, format: string): bigint {
  if (Number.isNaN(value)) return 0x7fffn;
  const view = new DataView(new ArrayBuffer(4));
  if (format === "f16") {
    view.setFloat16(0, value);
    return BigInt(view.getUint16(0));
  }
  // Halves of bf16 have few bits: the sum is exact in a double, and rounded once from there.
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value) || 1e-45)), -126);
  const unit = 2 ** (exponent - 7);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  view.setFloat32(0, Number.isFinite(value) ? (floor + (isUp ? 1 : 0)) * unit : value);
  if (Object.is(value, -0)) view.setFloat32(0, -0);
  return BigInt(view.getUint16(0));
}

function halfValue(bits: bigint, format: string): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, Number(bits));
  return format === "f16" ? view.getFloat16(0) : view.getFloat32(0);
}

Deno.test("atom on halves rounds once, alone and in pairs", () => {
  const given = [
    0,
    -0,
    1,
    -1.5,
    65504,
    2 ** -24,
    3 * 2 ** -24,
    0.1,
    1000,
    2048,
    1025,
    NaN,
    Infinity,
    -Infinity,
  ];
  const updates: readonly [string, (a: number, b: number) => number][] = [
    ["add", (a, b) => a + b],
    ["min", (a, b) => Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b)],
    ["max", (a, b) => Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b)],
  ];
  for (const format of ["f16", "bf16"]) {
    const values = given.map((value) => halfBits(value, format));
    for (const [name, update] of updates) {
      for (const isShared of [false, true]) {
        const one = compile(`atom.global.${name}.noftz.${format} %h0, [%l1], %h2`, "global", isShared);
        const two = compile(`atom.global.${name}.noftz.${format}x2 %r0, [%l1], %r2`, "global", isShared);
        for (const old of values) {
          for (const b of values) {
            const expected = halfBits(update(halfValue(old, format), halfValue(b, format)), format);
            write(one.memory, 8, 0xabcd_abcd_abcd_abcdn);
            write(one.memory, 2, old);
            assert.deepEqual(one.run(ADDRESS, b), [old]);
            assert.equal(read(one.memory, 2), expected, `${name} ${format} ${old} ${b}`);
            assert.equal(one.memory.getUint16(AT + 2), 0xcdab);
            write(two.memory, 4, old << 16n | b);
            assert.deepEqual(two.run(ADDRESS, b << 16n | b), [old << 16n | b]);
            const low = halfBits(update(halfValue(b, format), halfValue(b, format)), format);
            assert.equal(read(two.memory, 4), expected << 16n | low, `${name} ${format}x2 ${old} ${b}`);
          }
        }
      }
    }
  }
});

Deno.test("vectors are updated element by element", () => {
  for (const isShared of [false, true]) {
    const text = "atom.global.v4.f32.add {%f0, %f1, %f2, %f3}, [%l1], {%f1, %f0, %f3, %f2}";
    const { one, memory, run } = compile(text, "global", isShared);
    for (let index = 0; index < 4; index++) memory.setFloat32(AT + 4 * index, 10 * index, true);
    assert.deepEqual(one.inputs, ["%l1", "%f1", "%f0", "%f3", "%f2"]);
    const old = run(ADDRESS, ...[1, 2, 3, 4].map((value) => bitsOf(value, "f32")));
    assert.deepEqual(old, [0, 10, 20, 30].map((value) => bitsOf(value, "f32")));
    assert.deepEqual([0, 4, 8, 12].map((at) => memory.getFloat32(AT + at, true)), [1, 12, 23, 34]);
  }
});

Deno.test("a constant stands for its value, a result that is not wanted is dropped", () => {
  const add = compile("atom.global.add.f32 %f0, [%l1], 1.5", "global", false);
  add.memory.setFloat32(AT, 2.25, true);
  assert.deepEqual(add.run(ADDRESS), [bitsOf(2.25, "f32")]);
  assert.equal(add.memory.getFloat32(AT, true), 3.75);
  const sink = compile("atom.global.add.u32 _, [%l1+4], -1", "global", true);
  assert.deepEqual(sink.run(ADDRESS - 4n), []);
  assert.equal(sink.memory.getUint32(AT, true), 0xffff_ffff);
  const same = compile("atom.global.exch.b64 %l1, [%l1], %l1", "global", true);
  same.memory.setBigUint64(AT, 7n, true);
  assert.deepEqual(same.run(ADDRESS), [7n]);
  assert.equal(same.memory.getBigUint64(AT, true), ADDRESS);
});

Deno.test("an address that is not aligned or outside ends the kernel", () => {
  for (const isShared of [false, true]) {
    const { run, memory } = compile("atom.global.add.u32 %r0, [%l1], 1", "global", isShared);
    assert.throws(() => run(ADDRESS + 2n), WebAssembly.RuntimeError);
    // The launch record is at the start of this memory.
    assert.equal(memory.getInt32(RECORD.fault, true), FAULT.misalignedAddress);
    assert.throws(() => run(0n), WebAssembly.RuntimeError);
    assert.throws(() => run(ADDRESS + 0x10_0000n), WebAssembly.RuntimeError);
    const window = compile("red.shared.add.u32 [%r1], 1", "shared", isShared);
    assert.throws(() => window.run(0x100n), WebAssembly.RuntimeError);
    assert.throws(() => window.run(0xffff_fffcn), WebAssembly.RuntimeError);
  }
});

Deno.test("operations that a type does not have are refused", () => {
  for (
    const text of [
      "atom.global.add.b32 %r0, [%l0], 1",
      "atom.global.inc.u64 %l1, [%l0], 1",
      "atom.global.and.f32 %f0, [%l0], %f1",
      "atom.global.exch.b16 %h0, [%l0], %h1",
      "atom.global.u32 %r0, [%l0], 1",
      "red.global.exch.b32 [%l0], 1",
      "red.global.v2.add.f32 [%l0], %f1",
      "atom.global.v4.add.f64 {%d0, %d1, %d2, %d3}, [%l0], {%d0, %d1, %d2, %d3}",
      "atom.local.add.u32 %r0, [%l0], 1",
    ]
  ) assert.throws(() => compileInstruction(text), { name: "PtxError" }, text);
});

/** What a copy of `length` of `size` bytes leaves at its destination. */
function copied(source: Uint8Array, size: number, length: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(source.subarray(0, Math.min(size, length)));
  return out;
}

Deno.test("cp.async copies at once and fills up with zeros", () => {
  for (const size of [4, 8, 16]) {
    const forms: readonly [string, readonly (readonly [readonly bigint[], number])[]][] = [
      ["", [[[], size]]],
      [", %l9", [[[0n], size]]],
      [", %r3", [0, 1, 3, 4, 7, 15, 16, 99].map((length) => [[BigInt(length)], length])],
      [", %r3, %l9", [[[4n, 1n], 4]]],
      [", %p3", [[[0n], size], [[1n], 0]]],
      [", 0", [[[], 0]]],
      [", 4", [[[], 4]]],
    ];
    for (const [extra, runs] of forms) {
      const text = `cp.async.ca.shared.global.L2::128B [%r1+16], [%l2], ${size}${extra}`;
      const { one, memory } = compile(text, "global", false);
      const bytes = new Uint8Array(memory.buffer);
      for (const [inputs, length] of runs) {
        bytes.set(Array.from({ length: 32 }, () => Number(next() & 255n)), AT);
        bytes.fill(0xee, 0x100, 0x130);
        one.run(0n, ADDRESS, ...inputs);
        const about = `${text} ${length}`;
        assert.deepEqual(bytes.slice(0x110, 0x110 + size), copied(bytes.subarray(AT), size, length), about);
        assert.equal(bytes[0x110 + size], 0xee, about);
        assert.equal(bytes[0x10f], 0xee, about);
      }
      // Bytes that are not read may lie nowhere.
      if (extra === ", 0") one.run(0n, 0n);
    }
  }
  for (const text of ["cp.async.commit_group", "cp.async.wait_group 2", "cp.async.wait_all"]) {
    assert.deepEqual(compileInstruction(text).run(), []);
  }
  const policy = compileInstruction("createpolicy.fractional.L2::evict_last.b64 %l0, 1.0");
  assert.deepEqual(policy.run(), [0n]);
  for (
    const text of [
      "cp.async.bulk.tensor.1d.shared::cluster.global.bulk_group [%r0], [%l0], 16",
      "cp.async.ca.shared.global [%r0], [%l0], 5",
    ]
  ) {
    assert.throws(() => compileInstruction(text), { name: "PtxError" }, text);
  }
});

Deno.test("cp.async.bulk copies bytes, and tells the barrier object that they came", () => {
  const into = compile(
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%r1], [%l2], %r3, [%r4], %l5",
    "global",
    false,
  );
  const bytes = new Uint8Array(into.memory.buffer);
  const OBJECT = 0xf0;
  for (const size of [0, 16, 64]) {
    bytes.fill(0xee, 0x100, 0x100 + 0x80);
    // One arrival and 64 bytes are expected; the layout is mbarrier.ts's own.
    into.memory.setBigUint64(0x100 + OBJECT, 1n | 1n << 20n | 64n << 40n, true);
    const source = ADDRESS + 0x400n;
    bytes.set(Array.from({ length: 64 }, () => Number(next() & 255n)), AT + 0x400);
    into.run(0x20n, source, BigInt(size), BigInt(OBJECT), 0n);
    assert.deepEqual(bytes.slice(0x120, 0x120 + size), bytes.slice(AT + 0x400, AT + 0x400 + size));
    const left = into.memory.getBigUint64(0x100 + OBJECT, true) >> 40n;
    assert.equal(left, BigInt(64 - size));
  }
  // Past the window's end, and not aligned.
  for (const [to, size] of [[0xf0n, 32n], [0n, 0xffff_fff0n], [8n, 16n]] as const) {
    assert.throws(() => into.run(to, ADDRESS, size, BigInt(OBJECT), 0n), WebAssembly.RuntimeError);
  }
  const out = compile("cp.async.bulk.global.shared::cta.bulk_group [%l1], [%r2], 32", "global", false);
  const memory = new Uint8Array(out.memory.buffer);
  memory.set(Array.from({ length: 32 }, () => Number(next() & 255n)), 0x130);
  out.run(ADDRESS + 0x1000n, 0x30n);
  assert.deepEqual(memory.slice(AT + 0x1000, AT + 0x1020), memory.slice(0x130, 0x150));
  for (const text of ["cp.async.bulk.commit_group", "cp.async.bulk.wait_group.read 0"]) {
    assert.deepEqual(compileInstruction(text).run(), []);
  }
});
