/**
 * The frame of a module: its header and the extent of each section.
 *
 * Owns section ids, their order and their sizes. It does not look into a section, except at the names of
 * custom ones. Invariant: every section of the index lies within the module and occurs once.
 */
import { ByteReader, malformed, overLimit } from "./reader.ts";

/** Section ids (core specification, binary format, "Sections"). */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  data_count: 12,
  tag: 13,
} as const;

/** The name of a section. */
export type SectionName = keyof typeof SECTION;

/** Most custom sections; ours, so that millions of empty ones cannot keep the reader busy. */
export const CUSTOM_SECTIONS_MAX = 100_000;

/** The prescribed order (core specification, binary format, "Modules"), which is not that of the ids. */
export const ORDER: readonly number[] = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.memory,
  SECTION.tag,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  SECTION.data_count,
  SECTION.code,
  SECTION.data,
];

const MAGIC = 0x6d736100;
const CORE_VERSION = 1;
// The component model keeps the magic and puts its layer into the upper half of the version word.
const COMPONENT_LAYER = 1;

/** Where the content of a section begins and ends. */
export type SectionExtent = readonly [start: number, end: number];

/** One section as it stands in the module. */
export interface SectionEntry {
  readonly id: number;
  /** Of a custom section, else empty. */
  readonly name: string;
  /** Offset of its id. */
  readonly headStart: number;
  readonly end: number;
}

/** A module cut into its sections. */
export class SectionIndex {
  /** Every section in the order of the module, custom ones included. */
  readonly all: readonly SectionEntry[];
  readonly #bytes: Uint8Array;
  readonly #extents: ReadonlyMap<number, SectionExtent>;

  constructor(
    bytes: Uint8Array,
    extents: ReadonlyMap<number, SectionExtent>,
    all: readonly SectionEntry[],
  ) {
    this.#bytes = bytes;
    this.#extents = extents;
    this.all = all;
  }

  /** The extent of a section by its id, or undefined when the module has none. */
  extent(id: number): SectionExtent | undefined {
    return this.#extents.get(id);
  }

  /** A reader of an extent. */
  read(extent: SectionExtent): ByteReader {
    return new ByteReader(this.#bytes, extent[0], extent[1]);
  }

  /** A reader of the content of a section, or undefined when the module has none. */
  find(name: Exclude<SectionName, "custom">): ByteReader | undefined {
    const extent = this.#extents.get(SECTION[name]);
    return extent === undefined ? undefined : this.read(extent);
  }
}

/**
 * Reads the header and walks over the sections, checking ids, order and sizes.
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function readSections(bytes: Uint8Array): SectionIndex {
  const reader = new ByteReader(bytes);
  checkHeader(reader, bytes);
  const extents = new Map<number, SectionExtent>();
  const all: SectionEntry[] = [];
  let rankLast = -1;
  let customCount = 0;
  while (reader.remaining > 0) {
    const at = reader.offset;
    const id = reader.u8();
    const size = reader.u32();
    if (size > reader.remaining) throw malformed("a section ends beyond the module", at);
    const start = reader.offset;
    const content = reader.part(size);
    if (id === SECTION.custom) {
      all.push({ id, name: content.name(), headStart: at, end: start + size });
      if (++customCount > CUSTOM_SECTIONS_MAX) throw tooManyCustomSections(customCount, at);
      continue;
    }
    const rank = ORDER.indexOf(id);
    if (rank < 0) throw malformed("a section has an unknown id", at);
    if (rank === rankLast) throw malformed("a section occurs twice", at);
    if (rank < rankLast) throw malformed("a section is out of order", at);
    rankLast = rank;
    extents.set(id, [start, start + size]);
    all.push({ id, name: "", headStart: at, end: start + size });
  }
  return new SectionIndex(bytes, extents, all);
}

function checkHeader(reader: ByteReader, bytes: Uint8Array): void {
  if (bytes.length < 8) throw malformed("a header has 8 bytes", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw malformed("the magic number is not that of WebAssembly", 0);
  const version = view.getUint32(4, true);
  if (version >>> 16 === COMPONENT_LAYER) throw malformed("it is a component, not a core module", 4);
  if (version !== CORE_VERSION) throw malformed("the version is not 1", 4);
  reader.skip(8);
}

function tooManyCustomSections(count: number, at: number): Error {
  return overLimit(
    "Module has too many custom sections",
    "custom sections limit",
    CUSTOM_SECTIONS_MAX,
    count,
    at,
  );
}
