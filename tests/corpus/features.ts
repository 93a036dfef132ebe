/**
 * featuresOf: which proposals beyond WebAssembly 1.0 a module uses, by name, for the corpus table.
 *
 * Owns a small walk over a valid binary, written apart from runtime/wasm so that a mistake there does not hide
 * here. It does not validate: the modules come out of compilers and the engine has accepted them.
 * Invariant: a feature is listed only where a section or an instruction of it was seen.
 */
import { instructionFeature, skipImmediates } from "./instructions.ts";
import { Cursor } from "./cursor.ts";

const SECTION = {
  type: 1,
  import: 2,
  table: 4,
  memory: 5,
  start: 8,
  element: 9,
  code: 10,
  dataCount: 12,
  tag: 13,
};

/** The features of `bytes`, sorted; `undecoded` is among them where the walk met an unknown instruction. */
export function featuresOf(bytes: Uint8Array): string[] {
  const features = new Set<string>();
  const cursor = new Cursor(bytes, 8);
  while (cursor.offset < bytes.length) {
    const id = cursor.u8();
    const end = cursor.u32() + cursor.offset;
    try {
      readSection(id, new Cursor(bytes, cursor.offset, end), features);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      features.add("undecoded");
    }
    cursor.offset = end;
  }
  return [...features].sort();
}

function readSection(id: number, cursor: Cursor, features: Set<string>): void {
  if (id === SECTION.type) readTypes(cursor, features);
  if (id === SECTION.import) readImports(cursor, features);
  if (id === SECTION.table) readTables(cursor, features);
  if (id === SECTION.memory) {
    const count = cursor.u32();
    if (count > 1) features.add("multi-memory");
    for (let index = 0; index < count; index++) readLimits(cursor, features);
  }
  if (id === SECTION.start) features.add("start");
  if (id === SECTION.dataCount) features.add("bulk-memory");
  if (id === SECTION.tag) features.add("exceptions");
  if (id === SECTION.code) readBodies(cursor, features);
}

function readTypes(cursor: Cursor, features: Set<string>): void {
  for (let left = cursor.u32(); left > 0; left--) {
    const form = cursor.u8();
    if (form !== 0x4e) {
      readSubtype(form, cursor, features);
      continue;
    }
    features.add("gc");
    for (let inner = cursor.u32(); inner > 0; inner--) readSubtype(cursor.u8(), cursor, features);
  }
}

function readSubtype(firstForm: number, cursor: Cursor, features: Set<string>): void {
  let form = firstForm;
  if (form === 0x50 || form === 0x4f) {
    features.add("gc");
    for (let parents = cursor.u32(); parents > 0; parents--) cursor.u32();
    form = cursor.u8();
  }
  if (form === 0x60) {
    for (let count = cursor.u32(); count > 0; count--) cursor.valueType(features);
    const results = cursor.u32();
    if (results > 1) features.add("multi-value");
    for (let count = results; count > 0; count--) cursor.valueType(features);
    return;
  }
  features.add("gc");
  if (form !== 0x5f && form !== 0x5e) throw new RangeError("Unknown type form");
  for (let fields = form === 0x5f ? cursor.u32() : 1; fields > 0; fields--) {
    cursor.valueType(features);
    cursor.u8();
  }
}

function readImports(cursor: Cursor, features: Set<string>): void {
  for (let left = cursor.u32(); left > 0; left--) {
    cursor.bytes(cursor.u32());
    cursor.bytes(cursor.u32());
    const kind = cursor.u8();
    if (kind === 0) cursor.u32();
    else if (kind === 1) {
      features.add("imported-table");
      cursor.valueType(features);
      readLimits(cursor, features);
    } else if (kind === 2) {
      features.add("imported-memory");
      readLimits(cursor, features);
    } else if (kind === 3) {
      cursor.valueType(features);
      cursor.u8();
    } else {
      features.add("exceptions");
      cursor.u8();
      cursor.u32();
    }
  }
}

function readTables(cursor: Cursor, features: Set<string>): void {
  const count = cursor.u32();
  if (count > 1) features.add("reference-types");
  for (let left = count; left > 0; left--) {
    if (cursor.peek() === 0x40) return void features.add("gc");
    if (cursor.peek() !== 0x70) features.add("reference-types");
    cursor.valueType(features);
    readLimits(cursor, features);
  }
}

function readLimits(cursor: Cursor, features: Set<string>): void {
  const flags = cursor.u8();
  if ((flags & 2) !== 0) features.add("shared-memory");
  if ((flags & 4) !== 0) features.add("memory64");
  cursor.u64();
  if ((flags & 1) !== 0) cursor.u64();
}

function readBodies(cursor: Cursor, features: Set<string>): void {
  for (let left = cursor.u32(); left > 0; left--) {
    const size = cursor.u32();
    const end = cursor.offset + size;
    for (let groups = cursor.u32(); groups > 0; groups--) {
      cursor.u32();
      cursor.valueType(features);
    }
    while (cursor.offset < end) {
      const opcode = cursor.u8();
      const sub = opcode >= 0xfb && opcode <= 0xfe ? cursor.u32() : 0;
      const feature = instructionFeature(opcode, sub);
      if (feature !== undefined) features.add(feature);
      skipImmediates(opcode, sub, cursor, features);
    }
    cursor.offset = end;
  }
}
