/**
 * Value types and the type section, with everything of the GC proposal that the engine takes by default.
 *
 * Owns the encodings of value, heap and composite types, and the table from type index to function
 * signature. It does not check subtyping or the type indices inside references: the engine validates.
 * Invariant: the table holds one number per type; signatures are decoded when asked for, so a module made of
 * huge types costs no more memory than its bytes.
 */
import type { FunctionType, ValueType } from "../model/value_type.ts";
import { invariant } from "../model/invariant.ts";
import { ByteReader, malformed, overLimit } from "./reader.ts";

/** Most types of a module (JavaScript interface specification, §"Limits"). */
export const TYPES_MAX = 1_000_000;
/** Most parameters, and most results, of a function type (JavaScript interface specification, §"Limits"). */
export const FUNCTION_VALUES_MAX = 1_000;
/** Most fields of a struct type (JavaScript interface specification, §"Limits"). */
export const STRUCT_FIELDS_MAX = 10_000;

// Type forms (core specification, binary format, "Composite types" and "Recursive types").
const FORM_FUNC = 0x60;
const FORM_STRUCT = 0x5f;
const FORM_ARRAY = 0x5e;
const FORM_SUB = 0x50;
const FORM_SUB_FINAL = 0x4f;
const FORM_REC = 0x4e;
const REF_NULL = 0x63;
const REF = 0x64;
const PACKED_I8 = 0x78;
const PACKED_I16 = 0x77;
// Abstract heap types lie in one run: noexn 0x74, nofunc, noextern, none, func, extern, any, eq, i31, struct,
// array, exn 0x69 (core specification, binary format, "Heap types").
const HEAP_FIRST = 0x69;
const HEAP_LAST = 0x74;

const NUMBERS: ReadonlyMap<number, ValueType> = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
]);

/** Bytes of a field by the byte of its storage type. */
const FIELD_BYTES: ReadonlyMap<number, number> = new Map([
  [PACKED_I8, 1],
  [PACKED_I16, 2],
  [0x7f, 4],
  [0x7e, 8],
  [0x7d, 4],
  [0x7c, 8],
  [0x7b, 16],
]);
const REFERENCE_BYTES = 8;

/** A value type (core specification, binary format, "Value types"). @throws RuntimeFault `invalid_wasm` */
export function readValueType(reader: ByteReader): ValueType {
  const at = reader.offset;
  const byte = reader.u8();
  const number = NUMBERS.get(byte);
  if (number !== undefined) return number;
  if (!finishReferenceType(byte, reader)) throw malformed("a value type is unknown", at);
  return "ref";
}

/**
 * Passes over a reference type (core specification, binary format, "Reference types").
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function skipReferenceType(reader: ByteReader): void {
  const at = reader.offset;
  if (!finishReferenceType(reader.u8(), reader)) throw malformed("a reference type is unknown", at);
}

/** Passes over a heap type: an abstract one, or a type index. @throws RuntimeFault `invalid_wasm` */
export function skipHeapType(reader: ByteReader): void {
  const at = reader.offset;
  const heap = reader.s33();
  if (heap < 0 && !isAbstractHeapType(heap + 0x80)) throw malformed("a heap type is unknown", at);
}

function finishReferenceType(byte: number, reader: ByteReader): boolean {
  if (byte === REF || byte === REF_NULL) {
    skipHeapType(reader);
    return true;
  }
  return isAbstractHeapType(byte);
}

function isAbstractHeapType(byte: number): boolean {
  return byte >= HEAP_FIRST && byte <= HEAP_LAST;
}

/** Below the offsets that stand for array types. */
const STRUCT_OFFSET = -1000;

/** The types of a module by index, where only function types can be looked at. */
export class TypeTable {
  readonly #bytes: Uint8Array;
  // Where the parameters of each function type start; -1 - the bytes of an element for array types; below
  // STRUCT_OFFSET by the number of fields for struct types.
  readonly #offsets: readonly number[];
  readonly #decoded = new Map<number, FunctionType>();

  constructor(bytes: Uint8Array, offsets: readonly number[]) {
    this.#bytes = bytes;
    this.#offsets = offsets;
  }

  /**
   * Refuses an index, found at byte `at`, that is not of a function type.
   *
   * @throws RuntimeFault `invalid_wasm`
   */
  check(index: number, at: number): void {
    const offset = this.#offsets[index];
    if (offset === undefined) throw malformed("a type index is out of range", at);
    if (offset < 0) throw malformed("a type index is not of a function type", at);
  }

  /** How many types there are. */
  get count(): number {
    return this.#offsets.length;
  }

  /** How many parameters the function type at an index that passed `check` has. */
  parameterCount(index: number): number {
    return new ByteReader(this.#bytes, this.#parameters(index)).u32();
  }

  /** How many results the function type at an index that passed `check` has. */
  resultCount(index: number): number {
    const reader = new ByteReader(this.#bytes, this.#parameters(index));
    skipValueTypes(reader);
    return reader.u32();
  }

  /** Whether a function type has more than one result. */
  hasMultiValue(): boolean {
    return this.#offsets.some((offset, index) => offset >= 0 && this.resultCount(index) > 1);
  }

  /** Whether there are struct or array types. */
  hasComposite(): boolean {
    return this.#offsets.some((offset) => offset < 0);
  }

  /** Bytes of one element of the array type at `index`; undefined if it is not an array type. */
  arrayElementBytes(index: number): number | undefined {
    const offset = this.#offsets[index];
    return offset === undefined || offset >= 0 || offset <= STRUCT_OFFSET ? undefined : -1 - offset;
  }

  /** How many fields the struct type at `index` has; undefined if it is not a struct type. */
  structFieldCount(index: number): number | undefined {
    const offset = this.#offsets[index];
    return offset === undefined || offset > STRUCT_OFFSET ? undefined : STRUCT_OFFSET - offset;
  }

  /** The signature at an index that passed `check`; the same object for the same index. */
  get(index: number): FunctionType {
    const known = this.#decoded.get(index);
    if (known !== undefined) return known;
    const reader = new ByteReader(this.#bytes, this.#parameters(index));
    const type = { params: readValueTypes(reader), results: readValueTypes(reader) };
    this.#decoded.set(index, type);
    return type;
  }

  #parameters(index: number): number {
    const offset = this.#offsets[index];
    invariant(offset !== undefined && offset >= 0, "A type index was not checked");
    return offset;
  }
}

/**
 * Reads the type section: function, struct and array types, bare, as sub types or in recursion groups.
 *
 * @param bytes the whole module, kept by the table
 * @param reader the content of the section; undefined for a module without one
 * @throws RuntimeFault `invalid_wasm`
 */
export function readTypeSection(bytes: Uint8Array, reader: ByteReader | undefined): TypeTable {
  const offsets: number[] = [];
  if (reader === undefined) return new TypeTable(bytes, offsets);
  // The shortest entry is an empty recursion group.
  const entryCount = reader.count("types", TYPES_MAX, 2);
  for (let entry = 0; entry < entryCount; entry++) {
    const at = reader.offset;
    const form = reader.u8();
    if (form !== FORM_REC) {
      if (offsets.length === TYPES_MAX) {
        throw overLimit("Module has too many types", "types limit", TYPES_MAX, TYPES_MAX + 1, at);
      }
      offsets.push(readSubType(form, at, reader));
      continue;
    }
    const groupCount = reader.count("types", TYPES_MAX - offsets.length, 2);
    for (let member = 0; member < groupCount; member++) {
      const memberAt = reader.offset;
      offsets.push(readSubType(reader.u8(), memberAt, reader));
    }
  }
  reader.finish();
  return new TypeTable(bytes, offsets);
}

function readSubType(form: number, at: number, reader: ByteReader): number {
  if (form !== FORM_SUB && form !== FORM_SUB_FINAL) return readCompositeType(form, at, reader);
  // The format has a vector of super types, but validation allows one at most (core specification,
  // validation, "Recursive types").
  const superCount = reader.count("super types", 1, 1);
  if (superCount === 1) reader.u32();
  const compositeAt = reader.offset;
  return readCompositeType(reader.u8(), compositeAt, reader);
}

/** Passes over a composite type; the answer is the entry of the table (see TypeTable). */
function readCompositeType(form: number, at: number, reader: ByteReader): number {
  switch (form) {
    case FORM_FUNC: {
      const start = reader.offset;
      skipValueTypes(reader);
      skipValueTypes(reader);
      return start;
    }
    case FORM_STRUCT: {
      const fieldCount = reader.count("struct fields", STRUCT_FIELDS_MAX, 2);
      for (let field = 0; field < fieldCount; field++) skipFieldType(reader);
      return STRUCT_OFFSET - fieldCount;
    }
    case FORM_ARRAY:
      return -1 - skipFieldType(reader);
    default:
      throw malformed("a type has an unknown form", at);
  }
}

function skipValueTypes(reader: ByteReader): void {
  const count = reader.count("parameters or results", FUNCTION_VALUES_MAX, 1);
  for (let index = 0; index < count; index++) readValueType(reader);
}

function readValueTypes(reader: ByteReader): ValueType[] {
  const count = reader.count("parameters or results", FUNCTION_VALUES_MAX, 1);
  return Array.from({ length: count }, () => readValueType(reader));
}

/** Passes over a field type; the answer is how many bytes such a field takes. */
function skipFieldType(reader: ByteReader): number {
  const at = reader.offset;
  const byte = reader.u8();
  const bytes = FIELD_BYTES.get(byte) ?? (finishReferenceType(byte, reader) ? REFERENCE_BYTES : undefined);
  if (bytes === undefined) throw malformed("a field type is unknown", at);
  readMutability(reader);
  return bytes;
}

/** The mutability byte of fields and globals: 0 or 1. @throws RuntimeFault `invalid_wasm` */
export function readMutability(reader: ByteReader): void {
  const at = reader.offset;
  if (reader.u8() > 1) throw malformed("a mutability is neither 0 nor 1", at);
}
