/**
 * Memory, table, global and tag types, as imports and the sections of the same names hold them.
 *
 * Owns the limits encodings with shared, memory64 and table64 flags, and the constant expression behind a
 * table. It does not evaluate anything. Invariant: every limit it returns is a safe integer.
 */
import type { MemoryFact, TableFact } from "../model/module_facts.ts";
import { type ByteReader, malformed, overLimit } from "./reader.ts";
import { skipConstantExpression } from "./constant_expression.ts";
import { readMutability, readValueType, skipReferenceType, type TypeTable } from "./type_section.ts";

/** Most pages of a memory with 32-bit addresses (core specification, validation, "Memory types"). */
const MEMORY32_PAGES_MAX = 2 ** 16;
/**
 * Most pages of a memory with 64-bit addresses (core specification, validation, "Memory types"); engines
 * allow far fewer.
 */
const MEMORY64_PAGES_MAX = 2 ** 48;

// Bits of the limits flags (core specification, binary format, "Limits"); the shared bit is of the threads
// proposal.
const FLAG_MAX = 0x01;
const FLAG_SHARED = 0x02;
const FLAG_64 = 0x04;

/** First byte of a table entry that has an initial value. */
export const TABLE_WITH_INITIAL_VALUE = 0x40;

/** A memory type. @throws RuntimeFault `invalid_wasm` */
export function readMemoryType(reader: ByteReader, imported: boolean): MemoryFact {
  const at = reader.offset;
  const flags = reader.u8();
  if (flags > (FLAG_MAX | FLAG_SHARED | FLAG_64)) throw malformed("memory limits have unknown flags", at);
  const shared = (flags & FLAG_SHARED) !== 0;
  const is64 = (flags & FLAG_64) !== 0;
  if (shared && (flags & FLAG_MAX) === 0) throw malformed("a shared memory has no maximum", at);
  const [min, max] = readLimits(reader, flags);
  const pagesMaxMax = is64 ? MEMORY64_PAGES_MAX : MEMORY32_PAGES_MAX;
  for (const pages of [min, max ?? 0n]) {
    if (pages > pagesMaxMax) {
      throw overLimit("Memory has too many pages", "pages limit", pagesMaxMax, Number(pages), at);
    }
  }
  const pagesMin = Number(min);
  if (max === undefined) return { pagesMin, shared, is64, imported };
  return { pagesMin, pagesMax: Number(max), shared, is64, imported };
}

/**
 * A table type. A 64-bit maximum above the safe integers is cut to the largest of them: it only ever says
 * "unbounded", while a minimum of that size is refused.
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function readTableType(reader: ByteReader, imported: boolean): TableFact {
  skipReferenceType(reader);
  const at = reader.offset;
  const flags = reader.u8();
  if ((flags & ~(FLAG_MAX | FLAG_64)) !== 0) throw malformed("table limits have unknown flags", at);
  const [min, max] = readLimits(reader, flags);
  if (min > Number.MAX_SAFE_INTEGER) {
    const what = "Table has too many elements";
    throw overLimit(what, "elements limit", Number.MAX_SAFE_INTEGER, Number(min), at);
  }
  const elementsMin = Number(min);
  const is64 = (flags & FLAG_64) !== 0;
  if (max === undefined) return { elementsMin, is64, imported };
  return { elementsMin, elementsMax: Math.min(Number(max), Number.MAX_SAFE_INTEGER), is64, imported };
}

/**
 * An entry of the table section: a table type, or 0x40 0x00, a table type and its initial value (core
 * specification, binary format, "Table section").
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function readTableEntry(reader: ByteReader): TableFact {
  if (reader.peek() !== TABLE_WITH_INITIAL_VALUE) return readTableType(reader, false);
  reader.skip(1);
  const at = reader.offset;
  if (reader.u8() !== 0) throw malformed("a reserved byte is not zero", at);
  const table = readTableType(reader, false);
  skipConstantExpression(reader);
  return table;
}

/** Passes over a global type. @throws RuntimeFault `invalid_wasm` */
export function skipGlobalType(reader: ByteReader): void {
  readValueType(reader);
  readMutability(reader);
}

/** Passes over a tag type; its type must be a function type. @throws RuntimeFault `invalid_wasm` */
export function skipTagType(reader: ByteReader, types: TypeTable): void {
  const at = reader.offset;
  // The specification has a byte here; the engine reads a number, which may be written in more than one.
  if (reader.u32() !== 0) throw malformed("a tag has an unknown attribute", at);
  readTypeIndex(reader, types);
}

/** The index of a function type. @throws RuntimeFault `invalid_wasm` */
export function readTypeIndex(reader: ByteReader, types: TypeTable): number {
  const at = reader.offset;
  const index = reader.u32();
  types.check(index, at);
  return index;
}

function readLimits(reader: ByteReader, flags: number): [min: bigint, max: bigint | undefined] {
  const at = reader.offset;
  const is64 = (flags & FLAG_64) !== 0;
  const min = is64 ? reader.u64() : BigInt(reader.u32());
  if ((flags & FLAG_MAX) === 0) return [min, undefined];
  const max = is64 ? reader.u64() : BigInt(reader.u32());
  if (max < min) throw malformed("limits have a maximum below the minimum", at);
  return [min, max];
}
