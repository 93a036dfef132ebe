/**
 * Opcodes: how long every instruction is that the engine takes by default.
 *
 * Owns the table from opcode to immediates (core specification 3.0, binary format, "Instructions", plus the
 * legacy exception handling and threads proposals). It does not type anything: the engine validates.
 * Invariant: after `skipImmediates` the cursor stands on the next opcode, or it threw; an opcode that is not
 * in the tables is refused, because its length would be unknown.
 */
import { type ByteReader, malformed } from "./reader.ts";
import { readValueType, skipHeapType } from "./type_section.ts";

/** Opcodes of one byte that are named anywhere in this room, and the prefixes. */
export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  callRef: 0x14,
  returnCallRef: 0x15,
  delegate: 0x18,
  catchAll: 0x19,
  drop: 0x1a,
  selectTyped: 0x1c,
  tryTable: 0x1f,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i32Extend8S: 0xc0,
  i64Extend32S: 0xc4,
  refNull: 0xd0,
  refFunc: 0xd2,
  refAsNonNull: 0xd4,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
  gcPrefix: 0xfb,
  bulkPrefix: 0xfc,
  vectorPrefix: 0xfd,
  atomicPrefix: 0xfe,
} as const;

/** Sub-opcodes behind `gcPrefix` that the instrumenter looks at. */
export const GC = {
  structNew: 0,
  structNewDefault: 1,
  arrayNew: 6,
  arrayNewDefault: 7,
  arrayNewFixed: 8,
  arrayNewData: 9,
  arrayNewElem: 10,
  arrayFill: 16,
  arrayCopy: 17,
  arrayInitData: 18,
  arrayInitElem: 19,
  brOnCast: 24,
  brOnCastFail: 25,
} as const;

/** Sub-opcodes behind `bulkPrefix` that the instrumenter looks at. */
export const BULK = {
  memoryInit: 8,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  tableCopy: 14,
  tableGrow: 15,
  tableSize: 16,
  tableFill: 17,
} as const;

// Forms of immediates.
const UNKNOWN = 0;
const NONE = 1;
const INDEX = 2;
const TWO_INDICES = 3;
const BLOCK_TYPE = 4;
const MEMORY_ACCESS = 5;
const SIGNED_32 = 6;
const SIGNED_64 = 7;
const BYTES_4 = 8;
const BYTES_8 = 9;
const BYTES_16 = 10;
const LANE = 11;
const MEMORY_ACCESS_AND_LANE = 12;
const HEAP_TYPE = 13;
const BRANCH_TABLE = 14;
const VALUE_TYPES = 15;
const CATCHES = 16;
const CAST_BRANCH = 17;
const PREFIX_GC = 18;
const PREFIX_BULK = 19;
const PREFIX_VECTOR = 20;
const PREFIX_ATOMIC = 21;

type Rows = readonly (readonly [form: number, first: number, last?: number])[];

function table(size: number, rows: Rows): Uint8Array {
  const forms = new Uint8Array(size);
  for (const [form, first, last = first] of rows) forms.fill(form, first, last + 1);
  return forms;
}

const PLAIN_FORMS = table(256, [
  [NONE, 0x00, 0x01],
  [BLOCK_TYPE, 0x02, 0x04],
  [NONE, 0x05],
  [BLOCK_TYPE, 0x06],
  [INDEX, 0x07, 0x09],
  [NONE, 0x0a, 0x0b],
  [INDEX, 0x0c, 0x0d],
  [BRANCH_TABLE, 0x0e],
  [NONE, 0x0f],
  [INDEX, 0x10],
  [TWO_INDICES, 0x11],
  [INDEX, 0x12],
  [TWO_INDICES, 0x13],
  [INDEX, 0x14, 0x15],
  [INDEX, 0x18],
  [NONE, 0x19, 0x1b],
  [VALUE_TYPES, 0x1c],
  [CATCHES, 0x1f],
  [INDEX, 0x20, 0x26],
  [MEMORY_ACCESS, 0x28, 0x3e],
  [INDEX, 0x3f, 0x40],
  [SIGNED_32, 0x41],
  [SIGNED_64, 0x42],
  [BYTES_4, 0x43],
  [BYTES_8, 0x44],
  [NONE, 0x45, 0xc4],
  [HEAP_TYPE, 0xd0],
  [NONE, 0xd1],
  [INDEX, 0xd2],
  [NONE, 0xd3, 0xd4],
  [INDEX, 0xd5, 0xd6],
  [PREFIX_GC, OP.gcPrefix],
  [PREFIX_BULK, OP.bulkPrefix],
  [PREFIX_VECTOR, OP.vectorPrefix],
  [PREFIX_ATOMIC, OP.atomicPrefix],
]);

const GC_FORMS = table(31, [
  [INDEX, 0, 1],
  [TWO_INDICES, 2, 5],
  [INDEX, 6, 7],
  [TWO_INDICES, 8, 10],
  [INDEX, 11, 14],
  [NONE, 15],
  [INDEX, 16],
  [TWO_INDICES, 17, 19],
  [HEAP_TYPE, 20, 23],
  [CAST_BRANCH, 24, 25],
  [NONE, 26, 30],
]);

const BULK_FORMS = table(18, [
  [NONE, 0, 7],
  [TWO_INDICES, 8],
  [INDEX, 9],
  [TWO_INDICES, 10],
  [INDEX, 11],
  [TWO_INDICES, 12],
  [INDEX, 13],
  [TWO_INDICES, 14],
  [INDEX, 15, 17],
]);

// The last row ends with the relaxed instructions.
const VECTOR_FORMS = table(0x114, [
  [MEMORY_ACCESS, 0, 11],
  [BYTES_16, 12, 13],
  [NONE, 14, 20],
  [LANE, 21, 34],
  [NONE, 35, 83],
  [MEMORY_ACCESS_AND_LANE, 84, 91],
  [MEMORY_ACCESS, 92, 93],
  [NONE, 94, 0x113],
]);

// memory.atomic.wait32 and wait64 (1, 2) are refused: a guest that waits could be neither stopped nor yield.
const ATOMIC_FORMS = table(0x4f, [
  [MEMORY_ACCESS, 0],
  [LANE, 3],
  [MEMORY_ACCESS, 0x10, 0x4e],
]);

/** Set in the alignment of a memory access when a memory index follows (multi-memory). */
const HAS_MEMORY_INDEX = 0x40;
/** Kinds of catch clauses that name a tag; the others only have a label. */
const CATCH_KIND_WITH_TAG_LAST = 1;
const CATCH_KIND_LAST = 3;
/** Longest vector in an immediate: targets of a br_table (the engine's limit), catch clauses, types. */
const IMMEDIATES_MAX = 65_520;

/**
 * Passes over the immediates of an opcode that was just read; the answer is the sub-opcode behind a prefix,
 * -1 for an opcode of one byte.
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function skipImmediates(opcode: number, reader: ByteReader): number {
  switch (PLAIN_FORMS[opcode]) {
    case PREFIX_GC:
      return skipPrefixed(GC_FORMS, reader);
    case PREFIX_BULK:
      return skipPrefixed(BULK_FORMS, reader);
    case PREFIX_VECTOR:
      return skipPrefixed(VECTOR_FORMS, reader);
    case PREFIX_ATOMIC:
      return skipAtomic(reader);
    default:
      skipForm(PLAIN_FORMS[opcode] ?? UNKNOWN, reader);
      return -1;
  }
}

function skipPrefixed(forms: Uint8Array, reader: ByteReader): number {
  const sub = reader.u32();
  skipForm(forms[sub] ?? UNKNOWN, reader);
  return sub;
}

function skipAtomic(reader: ByteReader): number {
  const at = reader.offset;
  const sub = reader.u32();
  if (sub === 1 || sub === 2) {
    throw malformed("memory.atomic.wait is not supported: a waiting guest could not be stopped", at);
  }
  skipForm(ATOMIC_FORMS[sub] ?? UNKNOWN, reader);
  return sub;
}

function skipForm(form: number, reader: ByteReader): void {
  switch (form) {
    case NONE:
      return;
    case INDEX:
      reader.u32();
      return;
    case TWO_INDICES:
      reader.u32();
      reader.u32();
      return;
    case MEMORY_ACCESS:
      return skipMemoryAccess(reader);
    case SIGNED_32:
      return reader.skipSigned(32);
    case BLOCK_TYPE:
      return skipBlockType(reader);
    case SIGNED_64:
      return reader.skipSigned(64);
    case BYTES_4:
      return reader.skip(4);
    case BYTES_8:
      return reader.skip(8);
    case BYTES_16:
      return reader.skip(16);
    case LANE:
      return reader.skip(1);
    case MEMORY_ACCESS_AND_LANE:
      skipMemoryAccess(reader);
      return reader.skip(1);
    case HEAP_TYPE:
      return skipHeapType(reader);
    case BRANCH_TABLE:
      for (let count = reader.count("branch targets", IMMEDIATES_MAX, 1); count >= 0; count--) reader.u32();
      return;
    case VALUE_TYPES:
      for (let count = reader.count("select types", IMMEDIATES_MAX, 1); count > 0; count--) {
        readValueType(reader);
      }
      return;
    case CATCHES:
      return skipCatches(reader);
    case CAST_BRANCH:
      reader.skip(1);
      reader.u32();
      skipHeapType(reader);
      return skipHeapType(reader);
    default:
      throw malformed("an instruction is unknown", reader.offset);
  }
}

function skipMemoryAccess(reader: ByteReader): void {
  if ((reader.u32() & HAS_MEMORY_INDEX) !== 0) reader.u32();
  reader.skipU64();
}

/** Empty (0x40), a value type, or a type index (core specification, binary format, "Control Instructions"). */
function skipBlockType(reader: ByteReader): void {
  const byte = reader.peek();
  if (byte === EMPTY_BLOCK_TYPE) reader.skip(1);
  // One byte with the sign bit set is a negative number: a value type.
  else if (byte < 0x80 && byte >= 0x40) readValueType(reader);
  else reader.s33();
}

/** The block type of a block without parameters and results. */
export const EMPTY_BLOCK_TYPE = 0x40;

function skipCatches(reader: ByteReader): void {
  skipBlockType(reader);
  for (let count = reader.count("catch clauses", IMMEDIATES_MAX, 2); count > 0; count--) {
    const at = reader.offset;
    const kind = reader.u8();
    if (kind > CATCH_KIND_LAST) throw malformed("a catch clause is of an unknown kind", at);
    if (kind <= CATCH_KIND_WITH_TAG_LAST) reader.u32();
    reader.u32();
  }
}
