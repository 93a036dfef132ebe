/**
 * The instructions of WebAssembly 3.0 and the legacy exceptions: which feature each belongs to, and its immediates.
 *
 * Owns two tables as code, one by opcode and one for the prefixed groups (core specification, binary format,
 * "Instructions"). It keeps no state. Invariant: an unknown instruction is a RangeError.
 */
import type { Cursor } from "./cursor.ts";

const PREFIX = { gc: 0xfb, numeric: 0xfc, simd: 0xfd, atomics: 0xfe };

/** The feature that an instruction belongs to; undefined for those of WebAssembly 1.0. */
export function instructionFeature(opcode: number, sub: number): string | undefined {
  if (opcode === PREFIX.gc) return "gc";
  if (opcode === PREFIX.simd) return sub >= 0x100 ? "relaxed-simd" : "simd";
  if (opcode === PREFIX.atomics) return "atomics";
  if (opcode === PREFIX.numeric) {
    return sub < 8 ? "saturating-floats" : sub < 15 ? "bulk-memory" : "reference-types";
  }
  if (opcode >= 0xc0 && opcode <= 0xc4) return "sign-extension";
  if (opcode === 0x12 || opcode === 0x13 || opcode === 0x15) return "tail-call";
  if (opcode === 0x14 || (opcode >= 0xd4 && opcode <= 0xd6)) return "typed-references";
  if (opcode === 0xd3) return "gc";
  if (opcode === 0x1c || (opcode >= 0xd0 && opcode <= 0xd2) || opcode === 0x25 || opcode === 0x26) {
    return "reference-types";
  }
  if (opcode === 0x06 || opcode === 0x07 || opcode === 0x09 || opcode === 0x18 || opcode === 0x19) {
    return "legacy-exceptions";
  }
  if (opcode === 0x0a || opcode === 0x1f) return "exnref";
  return opcode === 0x08 ? "exceptions" : undefined;
}

/** Passes over the immediates of an instruction whose opcode has been read. */
export function skipImmediates(opcode: number, sub: number, cursor: Cursor, features: Set<string>): void {
  if (opcode === PREFIX.gc) return skipGc(sub, cursor);
  if (opcode === PREFIX.numeric) return skipNumeric(sub, cursor);
  if (opcode === PREFIX.simd) return skipSimd(sub, cursor, features);
  if (opcode === PREFIX.atomics) return sub === 3 ? void cursor.u8() : skipMemoryArgument(cursor, features);
  if (opcode >= 0x28 && opcode <= 0x3e) return skipMemoryArgument(cursor, features);
  if (opcode >= 0x45 && opcode <= 0xc4) return;
  const skip = PLAIN.get(opcode);
  if (skip === undefined) throw new RangeError(`Unknown instruction 0x${opcode.toString(16)}`);
  skip(cursor, features);
}

type Skip = (cursor: Cursor, features: Set<string>) => void;
const nothing: Skip = () => {};
const one: Skip = (cursor) => void cursor.u32();
const two: Skip = (cursor) => void (cursor.u32(), cursor.u32());
const block: Skip = (cursor, features) => cursor.blockType(features);
const signed: Skip = (cursor) => cursor.skipSigned();

const PLAIN: ReadonlyMap<number, Skip> = new Map<number, Skip>([
  ...[0x00, 0x01, 0x05, 0x0a, 0x0b, 0x0f, 0x19, 0x1a, 0x1b, 0xd1, 0xd3, 0xd4].map((
    code,
  ): [number, Skip] => [code, nothing]),
  ...[0x02, 0x03, 0x04, 0x06].map((code): [number, Skip] => [code, block]),
  ...[0x07, 0x08, 0x09, 0x0c, 0x0d, 0x10, 0x12, 0x14, 0x15, 0x18].map((code): [number, Skip] => [code, one]),
  ...[0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3f, 0x40].map((code): [number, Skip] => [code, one]),
  ...[0xd2, 0xd5, 0xd6].map((code): [number, Skip] => [code, one]),
  ...[0x11, 0x13].map((code): [number, Skip] => [code, two]),
  ...[0x41, 0x42, 0xd0].map((code): [number, Skip] => [code, signed]),
  [0x43, (cursor) => void cursor.bytes(4)],
  [0x44, (cursor) => void cursor.bytes(8)],
  [0x0e, (cursor) => skipMany(cursor, cursor.u32() + 1)],
  [0x1c, (cursor, features) => {
    for (let count = cursor.u32(); count > 0; count--) cursor.valueType(features);
  }],
  [0x1f, (cursor, features) => {
    cursor.blockType(features);
    for (let clauses = cursor.u32(); clauses > 0; clauses--) skipMany(cursor, cursor.u8() < 2 ? 2 : 1);
  }],
]);

function skipMany(cursor: Cursor, count: number): void {
  for (let left = count; left > 0; left--) cursor.u32();
}

function skipMemoryArgument(cursor: Cursor, features: Set<string>): void {
  if ((cursor.u32() & 0x40) !== 0) {
    features.add("multi-memory");
    cursor.u32();
  }
  cursor.u64();
}

function skipGc(sub: number, cursor: Cursor): void {
  if (sub >= 0x14 && sub <= 0x17) return cursor.skipSigned();
  if (sub === 0x18 || sub === 0x19) {
    cursor.u8();
    cursor.u32();
    cursor.skipSigned();
    return cursor.skipSigned();
  }
  if (sub === 0x0f || (sub >= 0x1a && sub <= 0x1e)) return;
  if (sub > 0x1e) throw new RangeError(`Unknown GC instruction ${sub}`);
  const twoIndices = [0x02, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x11, 0x12, 0x13].includes(sub);
  skipMany(cursor, twoIndices ? 2 : 1);
}

function skipNumeric(sub: number, cursor: Cursor): void {
  if (sub < 8) return;
  if (sub > 17) throw new RangeError(`Unknown numeric instruction ${sub}`);
  skipMany(cursor, sub === 8 || sub === 10 || sub === 12 || sub === 14 ? 2 : 1);
}

function skipSimd(sub: number, cursor: Cursor, features: Set<string>): void {
  if (sub === 12 || sub === 13) return void cursor.bytes(16);
  if (sub >= 21 && sub <= 34) return void cursor.u8();
  if (sub > 11 && sub !== 92 && sub !== 93 && !(sub >= 84 && sub <= 91)) return;
  skipMemoryArgument(cursor, features);
  if (sub >= 84 && sub <= 91) cursor.u8();
}
