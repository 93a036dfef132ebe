/**
 * Maxima of memories and tables, lowered to the limits.
 *
 * Owns the rewriting of the two sections that declare them. Imported ones are the host's affair. Invariant:
 * only flags and maxima change; what starts above the limit is refused, so that a maximum is never below its
 * minimum.
 */
import { fault } from "../../model/fault.ts";
import { limitMessage } from "../../model/limits.ts";
import type { MemoryFact, TableFact } from "../../model/module_facts.ts";
import { readMemoryType, readTableEntry, TABLE_WITH_INITIAL_VALUE } from "../extern_type.ts";
import { TABLES_MAX } from "../inspect.ts";
import type { ByteReader } from "../reader.ts";
import type { SectionIndex } from "../section.ts";
import { skipReferenceType } from "../type_section.ts";
import { ByteWriter } from "./byte_writer.ts";

const FLAG_MAX = 0x01;
const FLAG_64 = 0x04;

/** The memory section with maxima of at most `pagesMax`; undefined if there is none. */
export function clampMemories(sections: SectionIndex, pagesMax: number): ByteWriter | undefined {
  const reader = sections.find("memory");
  if (reader === undefined) return undefined;
  const count = reader.count("memories", TABLES_MAX, 2);
  const out = new ByteWriter(16 + count * 8);
  out.unsigned(count);
  for (let index = 0; index < count; index++) {
    const memory: MemoryFact = readMemoryType(reader, false);
    checkMinimum("Memory is larger than allowed", "memoryPagesMax", pagesMax, memory.pagesMin);
    writeLimits(out, memory.is64, memory.pagesMin, Math.min(memory.pagesMax ?? pagesMax, pagesMax));
  }
  reader.finish();
  return out;
}

/** The table section with maxima of at most `elementsMax`; undefined if there is none. */
export function clampTables(
  bytes: Uint8Array,
  sections: SectionIndex,
  elementsMax: number,
): ByteWriter | undefined {
  const reader = sections.find("table");
  const extent = reader === undefined ? 0 : reader.remaining;
  if (reader === undefined) return undefined;
  const count = reader.count("tables", TABLES_MAX, 3);
  const out = new ByteWriter(16 + extent + count * 8);
  out.unsigned(count);
  for (let index = 0; index < count; index++) {
    const start = reader.offset;
    const [limitsStart, limitsEnd] = findLimits(reader.at(start));
    const table: TableFact = readTableEntry(reader);
    checkMinimum("Table is larger than allowed", "tableElementsMax", elementsMax, table.elementsMin);
    out.copy(bytes, start, limitsStart);
    const max = Math.min(table.elementsMax ?? elementsMax, elementsMax);
    writeLimits(out, table.is64, table.elementsMin, max);
    out.copy(bytes, limitsEnd, reader.offset);
  }
  reader.finish();
  return out;
}

/** Where the limits of a table entry stand. */
function findLimits(reader: ByteReader): readonly [start: number, end: number] {
  if (reader.peek() === TABLE_WITH_INITIAL_VALUE) reader.skip(2);
  skipReferenceType(reader);
  const start = reader.offset;
  const flags = reader.u8();
  for (let count = (flags & FLAG_MAX) === 0 ? 1 : 2; count > 0; count--) reader.skipU64();
  return [start, reader.offset];
}

function checkMinimum(what: string, limit: string, max: number, actual: number): void {
  if (actual > max) throw fault("module_memory_too_large", limitMessage(what, limit, max, actual));
}

function writeLimits(out: ByteWriter, is64: boolean, min: number, max: number): void {
  out.u8(FLAG_MAX | (is64 ? FLAG_64 : 0));
  out.unsigned(min);
  out.unsigned(max);
}
