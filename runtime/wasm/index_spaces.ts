/**
 * Index spaces: what of a module the instrumenter must know to rewrite its code and append to it.
 *
 * Owns the walk over imports and definitions that yields the type of every function, the address types of
 * memories and tables, and the counts of what can be appended to. It does not look at code. Invariant: every
 * type index it holds passed `TypeTable.check`, and shared memories are refused.
 */
import { readMemoryType, readTableEntry, readTableType, readTypeIndex } from "./extern_type.ts";
import { skipGlobalType, skipTagType, TABLE_WITH_INITIAL_VALUE } from "./extern_type.ts";
import { DEFINITIONS_MAX, EXTERNS_MAX, TABLES_MAX } from "./inspect.ts";
import { type ByteReader, malformed } from "./reader.ts";
import type { SectionIndex } from "./section.ts";
import { readTypeSection, skipReferenceType, type TypeTable } from "./type_section.ts";

/** The index spaces of a module. */
export interface IndexSpaces {
  readonly types: TypeTable;
  /** Type index of each function, imported ones first. */
  readonly functions: readonly number[];
  readonly importedFunctionCount: number;
  /** Whether each memory has 64-bit addresses, imported ones first. */
  readonly memories: readonly boolean[];
  /** Imported tables first. */
  readonly tables: readonly TableSpace[];
  readonly globalCount: number;
}

/** What is known of a table. */
export interface TableSpace {
  /** Whether its indices have 64 bits. */
  readonly is64: boolean;
  readonly imported: boolean;
  readonly elementsMax: number | undefined;
  /** The encoding of its element type. */
  readonly elementType: readonly number[];
}

/** Exactly these bytes stand for a function, table, memory, global or tag in imports and exports. */
export const EXTERN = { func: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/** Reads the index spaces of a module. @throws RuntimeFault `invalid_wasm` */
export function readIndexSpaces(bytes: Uint8Array, sections: SectionIndex): IndexSpaces {
  const types = readTypeSection(bytes, sections.find("type"));
  const functions: number[] = [];
  const memories: boolean[] = [];
  const tables: TableSpace[] = [];
  let globalCount = 0;

  sections.find("import")?.each("imports", EXTERNS_MAX, 4, (reader) => {
    reader.name();
    reader.name();
    const at = reader.offset;
    switch (reader.u8()) {
      case EXTERN.func:
        functions.push(readTypeIndex(reader, types));
        break;
      case EXTERN.table:
        tables.push(readTable(bytes, reader, true));
        break;
      case EXTERN.memory:
        memories.push(readUnsharedMemory(reader, true));
        break;
      case EXTERN.global:
        skipGlobalType(reader);
        globalCount++;
        break;
      case EXTERN.tag:
        skipTagType(reader, types);
        break;
      default:
        throw malformed("an import or export has an unknown kind", at);
    }
  });
  const importedFunctionCount = functions.length;
  sections.find("function")?.each("functions", DEFINITIONS_MAX, 1, (reader) => {
    functions.push(readTypeIndex(reader, types));
  });
  sections.find("table")?.each("tables", TABLES_MAX, 3, (reader) => {
    tables.push(readTable(bytes, reader, false));
  });
  sections.find("memory")?.each("memories", TABLES_MAX, 2, (reader) => {
    memories.push(readUnsharedMemory(reader, false));
  });
  globalCount += sections.find("global")?.count("globals", DEFINITIONS_MAX, 3) ?? 0;
  return { types, functions, importedFunctionCount, memories, tables, globalCount };
}

function readTable(bytes: Uint8Array, reader: ByteReader, imported: boolean): TableSpace {
  const type = reader.at(tableTypeStart(reader));
  const typeStart = type.offset;
  skipReferenceType(type);
  const elementType = [...bytes.subarray(typeStart, type.offset)];
  const { is64, elementsMax } = imported ? readTableType(reader, true) : readTableEntry(reader);
  return { is64, imported, elementsMax, elementType };
}

/** Behind the two bytes that announce an initial value, if there are. */
function tableTypeStart(reader: ByteReader): number {
  return reader.offset + (reader.peek() === TABLE_WITH_INITIAL_VALUE ? 2 : 0);
}

function readUnsharedMemory(reader: ByteReader, imported: boolean): boolean {
  const at = reader.offset;
  const memory = readMemoryType(reader, imported);
  if (memory.shared) throw malformed("a memory is shared: guests have no threads", at);
  return memory.is64;
}
