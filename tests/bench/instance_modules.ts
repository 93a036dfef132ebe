/**
 * The modules that the bench of instances needs beside a cell's own: one with every global exported, one whose
 * memory is an import.
 *
 * Owns the two rewrites, which append as the instrumenter does. It is for the bench alone. Invariant: no index
 * of the module moves.
 */
import { readMemoryType } from "../../runtime/wasm/extern_type.ts";
import { EXTERN, readIndexSpaces } from "../../runtime/wasm/index_spaces.ts";
import { ByteWriter } from "../../runtime/wasm/instrument/byte_writer.ts";
import { ORDER, readSections, SECTION } from "../../runtime/wasm/section.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What the exports of `exportGlobals` begin with; the index of the global follows. */
export const GLOBAL_PREFIX = "bench:";
/** The import of `importMemory`. */
export const MEMORY_IMPORT = { module: "bench", name: "memory" } as const;

/** Appends entries to a section that begins with a count, and leaves another section out. */
function append(bytes: Uint8Array, id: number, count: number, entries: Uint8Array, without = -1): Bytes {
  const sections = readSections(bytes);
  const extent = sections.extent(id);
  const reader = extent === undefined ? undefined : sections.read(extent);
  const content = new ByteWriter(entries.length + 64);
  content.unsigned((reader?.u32() ?? 0) + count);
  if (reader !== undefined && extent !== undefined) content.copy(bytes, reader.offset, extent[1]);
  content.append(entries);
  const out = new ByteWriter(bytes.length + content.length + 16);
  out.copy(bytes, 0, 8);
  let isWritten = false;
  for (const section of sections.all) {
    if (!isWritten && section.id !== SECTION.custom && ORDER.indexOf(section.id) >= ORDER.indexOf(id)) {
      out.u8(id);
      out.sized(content.bytes());
      isWritten = true;
    }
    if (section.id !== id && section.id !== without) out.copy(bytes, section.headStart, section.end);
  }
  return out.bytes();
}

/** Exports every global of an instrumented guest's own, so that mutable ones can be put back. */
export function exportGlobals(bytes: Uint8Array): Bytes {
  // The instrumenter's two are the last.
  const count = readIndexSpaces(bytes, readSections(bytes)).globalCount - 2;
  const entries = new ByteWriter(64);
  for (let index = 0; index < count; index++) {
    entries.sized(new TextEncoder().encode(`${GLOBAL_PREFIX}${index}`));
    entries.u8(EXTERN.global);
    entries.unsigned(index);
  }
  return append(bytes, SECTION.export, count, entries.bytes());
}

/** Makes the one memory an import; undefined for a module without memory. */
export function importMemory(
  bytes: Uint8Array,
): { readonly bytes: Bytes; readonly type: WebAssembly.MemoryDescriptor } | undefined {
  const sections = readSections(bytes);
  const extent = sections.extent(SECTION.memory);
  const reader = sections.find("memory");
  if (extent === undefined || reader === undefined || reader.u32() !== 1) return undefined;
  const limits = bytes.subarray(reader.offset, extent[1]);
  const { pagesMin, pagesMax = pagesMin } = readMemoryType(reader, false);
  const entry = new ByteWriter(64);
  entry.sized(new TextEncoder().encode(MEMORY_IMPORT.module));
  entry.sized(new TextEncoder().encode(MEMORY_IMPORT.name));
  entry.u8(EXTERN.memory);
  entry.append(limits);
  return {
    bytes: append(bytes, SECTION.import, 1, entry.bytes(), SECTION.memory),
    type: { initial: pagesMin, maximum: pagesMax },
  };
}
