import assert from "node:assert/strict";
import { readMemoryType, readTableEntry, readTableType } from "../../../runtime/wasm/extern_type.ts";
import { ByteReader } from "../../../runtime/wasm/reader.ts";
import { u } from "../../support/module_bytes.ts";

function memory(...bytes: number[]): ReturnType<typeof readMemoryType> {
  return readMemoryType(new ByteReader(Uint8Array.from(bytes)), false);
}

function table(...bytes: number[]): ReturnType<typeof readTableType> {
  return readTableType(new ByteReader(Uint8Array.from(bytes)), false);
}

function refuses(act: () => unknown, message: RegExp): void {
  assert.throws(act, { code: "invalid_wasm", message });
}

const PLAIN = { shared: false, is64: false, imported: false };

Deno.test("readMemoryType() leaves the maximum out where none is declared", () => {
  assert.deepEqual(memory(0, 3), { pagesMin: 3, ...PLAIN });
  assert.deepEqual(memory(1, 3, 4), { pagesMin: 3, pagesMax: 4, ...PLAIN });
});

Deno.test("readMemoryType() reads the shared and the 64-bit flag", () => {
  assert.deepEqual(memory(3, 1, 2), { pagesMin: 1, pagesMax: 2, ...PLAIN, shared: true });
  assert.deepEqual(memory(4, 1), { pagesMin: 1, ...PLAIN, is64: true });
  assert.deepEqual(memory(7, 1, 2), { pagesMin: 1, pagesMax: 2, shared: true, is64: true, imported: false });
});

Deno.test("readMemoryType() refuses flags beyond the three known ones", () => {
  for (const flags of [8, 9, 16, 0x80]) refuses(() => memory(flags, 1, 2), /unknown flags/);
});

Deno.test("readMemoryType() refuses a shared memory without a maximum", () => {
  for (const flags of [2, 6]) refuses(() => memory(flags, 1), /a shared memory has no maximum/);
});

Deno.test("readMemoryType() takes equal limits and refuses a maximum below the minimum", () => {
  assert.equal(memory(1, 2, 2).pagesMax, 2);
  refuses(() => memory(1, 2, 1), /a maximum below the minimum/);
});

Deno.test("readMemoryType() takes 4 GiB and refuses one page more", () => {
  assert.equal(memory(0, ...u(65_536)).pagesMin, 65_536);
  refuses(() => memory(0, ...u(65_537)), /pages limit is 65536, got 65537/);
  refuses(() => memory(1, 0, ...u(65_537)), /pages limit is 65536, got 65537/);
});

Deno.test("readMemoryType() takes 2^48 pages of a 64-bit memory and refuses one more", () => {
  assert.equal(memory(5, 0, ...u(2n ** 48n)).pagesMax, 2 ** 48);
  refuses(() => memory(5, 0, ...u(2n ** 48n + 1n)), /pages limit is 281474976710656, got 281474976710657/);
  refuses(() => memory(4, ...u(2n ** 64n - 1n)), /pages limit is 281474976710656/);
});

Deno.test("readTableType() reads 32-bit and 64-bit limits", () => {
  assert.deepEqual(table(0x70, 0, 5), { elementsMin: 5, is64: false, imported: false });
  assert.deepEqual(table(0x6f, 1, 5, 6), { elementsMin: 5, elementsMax: 6, is64: false, imported: false });
  assert.deepEqual(table(0x70, 5, 5, ...u(2n ** 40n)), {
    elementsMin: 5,
    elementsMax: 2 ** 40,
    is64: true,
    imported: false,
  });
});

Deno.test("readTableType() cuts a 64-bit maximum above the safe integers", () => {
  assert.equal(table(0x70, 5, 0, ...u(2n ** 53n - 1n)).elementsMax, Number.MAX_SAFE_INTEGER);
  assert.equal(table(0x70, 5, 0, ...u(2n ** 64n - 1n)).elementsMax, Number.MAX_SAFE_INTEGER);
});

Deno.test("readTableType() refuses a minimum above the safe integers", () => {
  assert.equal(table(0x70, 4, ...u(2n ** 53n - 1n)).elementsMin, Number.MAX_SAFE_INTEGER);
  refuses(() => table(0x70, 4, ...u(2n ** 53n)), /elements limit is 9007199254740991/);
});

Deno.test("readTableType() refuses shared tables, unknown flags and value types", () => {
  for (const flags of [2, 3, 6, 8]) refuses(() => table(0x70, flags, 1, 2), /unknown flags/);
  refuses(() => table(0x7f, 0, 1), /a reference type is unknown/);
});

Deno.test("readTableEntry() passes over the initial value of a table", () => {
  const reader = new ByteReader(Uint8Array.from([0x40, 0, 0x64, 0x70, 0, 7, 0xd2, 0, 0x0b, 0xee]));
  assert.equal(readTableEntry(reader).elementsMin, 7);
  assert.equal(reader.remaining, 1);
});

Deno.test("readTableEntry() refuses a reserved byte that is not zero", () => {
  const reader = new ByteReader(Uint8Array.from([0x40, 1, 0x70, 0, 7, 0xd0, 0x70, 0x0b]));
  refuses(() => readTableEntry(reader), /at byte 1: a reserved byte is not zero/);
});
