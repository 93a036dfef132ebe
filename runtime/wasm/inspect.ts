/**
 * inspectModule: what a module imports, exports and declares, from its bytes alone.
 *
 * Owns the walk over the sections that hold those facts; elements, code, data and the bodies of globals are
 * passed over by their size. It does not validate the module: the engine does, later and in a cell.
 * Invariant: pure and bounded; facts never grow beyond the limits below, whatever the bytes say.
 */
import type { ExportFact, ExternKind, ImportFact, MemoryFact } from "../model/module_facts.ts";
import type { ModuleFacts, TableFact } from "../model/module_facts.ts";
import { readMemoryType, readTableEntry, readTableType, readTypeIndex } from "./extern_type.ts";
import { skipGlobalType, skipTagType } from "./extern_type.ts";
import { type ByteReader, malformed, overLimit } from "./reader.ts";
import { readSections, type SectionIndex } from "./section.ts";
import { readTypeSection, type TypeTable } from "./type_section.ts";

/** Most functions, globals or tags of a module (JavaScript interface specification, §"Limits"). */
export const DEFINITIONS_MAX = 1_000_000;
/**
 * Most imports and most exports (JavaScript interface specification, §"Limits", before it was raised; the
 * engine now takes more).
 */
export const EXTERNS_MAX = 100_000;
/** Most tables (JavaScript interface specification, §"Limits") and memories (the limit of the engine). */
export const TABLES_MAX = 100_000;
/** Most bytes of all import and export names together; ours, so that facts stay small enough to store. */
export const NAME_BYTES_MAX = 8 * 1024 * 1024;
/** Most parameters and results of all imported and exported functions together; ours, for the same reason. */
export const SIGNATURE_VALUES_MAX = 1_000_000;

// Kinds by their byte in import and export sections (core specification, binary format, "External indices").
const KINDS: readonly ExternKind[] = ["func", "table", "memory", "global", "tag"];

/** What has been found so far: the index spaces, and how much of the limits on facts is used. */
interface Findings {
  readonly types: TypeTable;
  /** Type index of each function, imported ones first. */
  readonly functions: number[];
  readonly tables: TableFact[];
  readonly memories: MemoryFact[];
  globalCount: number;
  tagCount: number;
  nameBytes: number;
  signatureValues: number;
}

/**
 * Reads the facts of a core module. What it accepts is a superset of what the engine accepts by default.
 *
 * @throws RuntimeFault `invalid_wasm` with a byte offset
 */
export function inspectModule(bytes: Uint8Array): ModuleFacts {
  const sections = readSections(bytes);
  const found: Findings = {
    types: readTypeSection(bytes, sections.find("type")),
    functions: [],
    tables: [],
    memories: [],
    globalCount: 0,
    tagCount: 0,
    nameBytes: 0,
    signatureValues: 0,
  };
  const imports = readImports(sections.find("import"), found);
  readDefinitions(sections, found);
  const exports = readExports(sections.find("export"), found);
  const hasStart = readStart(sections.find("start"), found);
  return { imports, exports, memories: found.memories, tables: found.tables, hasStart };
}

function readImports(reader: ByteReader | undefined, found: Findings): ImportFact[] {
  if (reader === undefined) return [];
  const count = reader.count("imports", EXTERNS_MAX, 4);
  const imports: ImportFact[] = [];
  for (let index = 0; index < count; index++) {
    const module = readName(reader, found);
    const name = readName(reader, found);
    imports.push({ module, name, ...readImportType(reader, found) });
  }
  reader.finish();
  return imports;
}

function readImportType(reader: ByteReader, found: Findings): Pick<ImportFact, "kind" | "type"> {
  const kind = readKind(reader);
  const at = reader.offset;
  switch (kind) {
    case "func": {
      const typeIndex = readTypeIndex(reader, found.types);
      found.functions.push(typeIndex);
      return { kind, type: takeSignature(typeIndex, found, at) };
    }
    case "table":
      found.tables.push(readTableType(reader, true));
      break;
    case "memory":
      found.memories.push(readMemoryType(reader, true));
      break;
    case "global":
      skipGlobalType(reader);
      found.globalCount++;
      break;
    case "tag":
      skipTagType(reader, found.types);
      found.tagCount++;
      break;
  }
  return { kind };
}

function readDefinitions(sections: SectionIndex, found: Findings): void {
  sections.find("function")?.each("functions", DEFINITIONS_MAX, 1, (reader) => {
    found.functions.push(readTypeIndex(reader, found.types));
  });
  sections.find("table")?.each("tables", TABLES_MAX, 3, (reader) => {
    found.tables.push(readTableEntry(reader));
  });
  sections.find("memory")?.each("memories", TABLES_MAX, 2, (reader) => {
    found.memories.push(readMemoryType(reader, false));
  });
  sections.find("tag")?.each("tags", DEFINITIONS_MAX, 2, (reader) => {
    skipTagType(reader, found.types);
    found.tagCount++;
  });
  // Of globals only the number matters, to bound the indices of exports.
  found.globalCount += sections.find("global")?.count("globals", DEFINITIONS_MAX, 3) ?? 0;
}

function readExports(reader: ByteReader | undefined, found: Findings): ExportFact[] {
  const exports: ExportFact[] = [];
  const names = new Set<string>();
  reader?.each("exports", EXTERNS_MAX, 3, (item) => {
    const at = item.offset;
    const name = readName(item, found);
    if (names.has(name)) throw malformed("two exports have the same name", at);
    names.add(name);
    const kind = readKind(item);
    const indexAt = item.offset;
    const index = item.u32();
    if (index >= countOf(kind, found)) throw malformed("an export has an index out of range", indexAt);
    const typeIndex = kind === "func" ? found.functions[index] : undefined;
    exports.push(
      typeIndex === undefined
        ? { name, kind }
        : { name, kind, type: takeSignature(typeIndex, found, indexAt) },
    );
  });
  return exports;
}

function readStart(reader: ByteReader | undefined, found: Findings): boolean {
  if (reader === undefined) return false;
  const at = reader.offset;
  if (reader.u32() >= found.functions.length) throw malformed("the start function is out of range", at);
  reader.finish();
  return true;
}

function readKind(reader: ByteReader): ExternKind {
  const at = reader.offset;
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw malformed("an import or export has an unknown kind", at);
  return kind;
}

function countOf(kind: ExternKind, found: Findings): number {
  switch (kind) {
    case "func":
      return found.functions.length;
    case "table":
      return found.tables.length;
    case "memory":
      return found.memories.length;
    case "global":
      return found.globalCount;
    case "tag":
      return found.tagCount;
  }
}

function readName(reader: ByteReader, found: Findings): string {
  const at = reader.offset;
  const name = reader.name();
  found.nameBytes += reader.offset - at;
  if (found.nameBytes > NAME_BYTES_MAX) {
    throw overLimit("Module has too long names", "name bytes limit", NAME_BYTES_MAX, found.nameBytes, at);
  }
  return name;
}

function takeSignature(typeIndex: number, found: Findings, at: number): ReturnType<TypeTable["get"]> {
  const type = found.types.get(typeIndex);
  found.signatureValues += type.params.length + type.results.length;
  if (found.signatureValues > SIGNATURE_VALUES_MAX) {
    const what = "Module has too long signatures";
    throw overLimit(what, "signature values limit", SIGNATURE_VALUES_MAX, found.signatureValues, at);
  }
  return type;
}
