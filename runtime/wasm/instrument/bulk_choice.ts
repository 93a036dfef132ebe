/**
 * BulkChoice: which helper stands in for a bulk operation, or is called in front of it.
 *
 * Owns the sizes of chunks and the rates: how much fuel a length costs, by what it counts. Invariant: an index
 * that the operation names is looked up before a helper is made for it.
 */
import { fault } from "../../model/fault.ts";
import { limitMessage } from "../../model/limits.ts";
import type { IndexSpaces, TableSpace } from "../index_spaces.ts";
import { BULK, GC, OP } from "../opcode.ts";
import { type ByteReader, malformed } from "../reader.ts";
import type { ChunkedOperation, Space } from "./bulk_code.ts";
import { unsignedBytes } from "./byte_writer.ts";
import type { AppendedFunctions } from "./appended_functions.ts";

/** Most bytes that are moved between two checks: some 10 us. */
const CHUNK_BYTES = 262_144;
/** Most elements of tables that are: up to 0.4 us each. */
const CHUNK_ELEMENTS = 256;

// Units of fuel per element or byte, as shifts. A unit is some 0.3 to 1 ns of straight code.
const BYTES_SHIFT = -4;
const TABLE_ELEMENTS_SHIFT = 8;
const SEGMENT_ELEMENTS_SHIFT = 6;
/** An element of an array with 2^n bytes costs 2^(n+1) to make and 2^n to fill or copy. */
const ARRAY_NEW_SHIFT = 1;

const PAGE_SHIFT = 16;
/** Most functions for bulk operations: a module can name every pair of its memories in a few bytes. */
const HELPERS_MAX = 1_000;

/** The choice for one module. */
export class BulkChoice {
  readonly #spaces: IndexSpaces;
  readonly #helpers: AppendedFunctions;
  readonly #elementsMax: number;
  readonly #memories = new Map<number, Space>();
  readonly #tables = new Map<number, Space>();

  /** `elementsMax` is what tables are limited to. */
  constructor(spaces: IndexSpaces, helpers: AppendedFunctions, elementsMax: number) {
    this.#spaces = spaces;
    this.#helpers = helpers;
    this.#elementsMax = elementsMax;
  }

  /** Index of the function that replaces the operation at the reader. */
  replacement(instruction: ByteReader): number {
    const at = instruction.offset;
    instruction.skip(1);
    const operation = instruction.u32();
    const first = instruction.u32();
    const index = this.#replacement(operation, first, instruction, at);
    const made = this.#helpers.kindCount;
    if (made > HELPERS_MAX) {
      const what = "Module has bulk operations between too many memories, tables and segments";
      throw fault("invalid_wasm", limitMessage(what, "bulk helpers limit", HELPERS_MAX, made));
    }
    return index;
  }

  #replacement(operation: number, first: number, operands: ByteReader, at: number): number {
    switch (operation) {
      case BULK.memoryFill:
        return this.#helpers.chunkedBytes(bytesOf(operation, [first], this.#memory(first, at), undefined));
      case BULK.memoryCopy: {
        const second = operands.u32();
        const [target, source] = [this.#memory(first, at), this.#memory(second, at)];
        return this.#helpers.chunkedBytes(bytesOf(operation, [first, second], target, source));
      }
      case BULK.tableFill:
        return this.#elements(operation, [first], first, undefined, at);
      case BULK.tableCopy: {
        const second = operands.u32();
        return this.#elements(operation, [first, second], first, this.#table(second, at), at);
      }
      case BULK.tableInit: {
        const second = operands.u32();
        return this.#elements(operation, [first, second], second, "segment", at);
      }
      default:
        return this.#grow(first, at);
    }
  }

  #elements(
    operation: number,
    indices: readonly number[],
    table: number,
    source: ChunkedOperation["source"],
    at: number,
  ): number {
    const target = this.#table(table, at);
    return this.#helpers.chunked({
      instruction: instructionOf(operation, indices),
      target,
      source,
      length64: target.is64 && source !== "segment" && (source?.is64 ?? true),
      chunk: CHUNK_ELEMENTS,
      shift: TABLE_ELEMENTS_SHIFT,
    }, this.#tableSpace(table, at).elementType);
  }

  #grow(index: number, at: number): number {
    const { imported, elementsMax, elementType } = this.#tableSpace(index, at);
    const max = Math.min(elementsMax ?? this.#elementsMax, imported ? Infinity : this.#elementsMax);
    return this.#helpers.grow({
      grow: instructionOf(BULK.tableGrow, [index]),
      table: this.#table(index, at),
      elementsMax: Math.min(max, ELEMENTS_MAX),
      chunk: CHUNK_ELEMENTS,
      shift: TABLE_ELEMENTS_SHIFT,
    }, elementType);
  }

  /** Index of the function `(length) -> length` to call in front of the operation at the reader. */
  measure(instruction: ByteReader): number {
    const at = instruction.offset;
    if (instruction.u8() !== OP.gcPrefix) return this.#helpers.charge(false, BYTES_SHIFT);
    const operation = instruction.u32();
    const elementBytes = this.#spaces.types.arrayElementBytes(instruction.u32());
    if (elementBytes === undefined) throw malformed("a type index is not of an array type", at);
    const bytesShift = Math.log2(elementBytes);
    switch (operation) {
      case GC.arrayNewElem:
        return this.#helpers.chargeArray(elementBytes, SEGMENT_ELEMENTS_SHIFT);
      case GC.arrayNew:
      case GC.arrayNewDefault:
      case GC.arrayNewData:
        return this.#helpers.chargeArray(elementBytes, bytesShift + ARRAY_NEW_SHIFT);
      case GC.arrayInitElem:
        return this.#helpers.charge(false, SEGMENT_ELEMENTS_SHIFT);
      default:
        return this.#helpers.charge(false, bytesShift);
    }
  }

  #memory(index: number, at: number): Space {
    const known = this.#memories.get(index);
    if (known !== undefined) return known;
    const is64 = this.#spaces.memories[index];
    if (is64 === undefined) throw malformed("a memory index is out of range", at);
    const space = { is64, size: [OP.memorySize, ...unsignedBytes(index)], sizeShift: PAGE_SHIFT };
    this.#memories.set(index, space);
    return space;
  }

  #table(index: number, at: number): Space {
    const known = this.#tables.get(index);
    if (known !== undefined) return known;
    const { is64 } = this.#tableSpace(index, at);
    const space = { is64, size: instructionOf(BULK.tableSize, [index]), sizeShift: 0 };
    this.#tables.set(index, space);
    return space;
  }

  #tableSpace(index: number, at: number): TableSpace {
    const table = this.#spaces.tables[index];
    if (table === undefined) throw malformed("a table index is out of range", at);
    return table;
  }
}

/** Most elements that the engine gives a table (JavaScript interface specification, §"Limits"). */
const ELEMENTS_MAX = 10_000_000;

function instructionOf(operation: number, indices: readonly number[]): readonly number[] {
  return [OP.bulkPrefix, operation, ...indices.flatMap(unsignedBytes)];
}

function bytesOf(
  operation: number,
  indices: readonly number[],
  target: Space,
  source: Space | undefined,
): ChunkedOperation {
  return {
    instruction: instructionOf(operation, indices),
    target,
    source,
    length64: target.is64 && (source?.is64 ?? true),
    chunk: CHUNK_BYTES,
    shift: BYTES_SHIFT,
  };
}
