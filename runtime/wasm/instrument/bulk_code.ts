/**
 * Bulk code: operations on whole ranges of memories and tables, done in chunks by appended functions.
 *
 * Owns the order of the chunks and the charge for each. Invariants: between two checks at most one chunk is
 * moved; a range that is out of bounds traps before anything is written; ranges that overlap end up as after
 * one operation.
 */
import { EMPTY_BLOCK_TYPE, OP } from "../opcode.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { I32, I32_ADD, I32_EQ, I32_EQZ, I32_GT_U, I32_LT_U, I32_OR, I32_SUB } from "./numeric.ts";
import {
  I64,
  I64_ADD,
  I64_CONST,
  I64_EQ,
  I64_EXTEND_I32_U,
  I64_GT_U,
  I64_LT_U,
  I64_SHL,
  I64_SUB,
} from "./numeric.ts";

const LOCAL_GET = OP.localGet;

// The parameters of every one of these functions but that of table.grow.
const TARGET = 0;
const SOURCE = 1;
const LENGTH = 2;

/** A memory or a table that an operation reads or writes. */
export interface Space {
  readonly is64: boolean;
  /** The instruction that gives its size, and what to shift that by to the left. */
  readonly size: readonly number[];
  readonly sizeShift: number;
}

/** An operation `(target, source or value, length) -> ()`. */
export interface ChunkedOperation {
  readonly instruction: readonly number[];
  readonly target: Space;
  /** What it reads: another space, the same one, a segment, or nothing. */
  readonly source: Space | "segment" | undefined;
  readonly length64: boolean;
  /** Bytes or elements of one chunk, and what each costs as a shift. */
  readonly chunk: number;
  readonly shift: number;
}

/** What charges fuel in the helpers. */
export interface Charger {
  /** Charges for the length in a local. */
  writeCharge(out: ByteWriter, is64: boolean, shift: number, local: number): void;
  /** Charges a constant. */
  writeUse(out: ByteWriter, units: number): void;
}

/** Writes the instructions of a function that does an operation in chunks. */
export function writeChunked(out: ByteWriter, charger: Charger, operation: ChunkedOperation): void {
  const { target, source, length64 } = operation;
  const hasOffset = source !== undefined;
  writeFitsChunk(out, operation);
  writeIsOutside(out, TARGET, target, length64);
  out.write(I32_OR);
  if (hasOffset) {
    if (source === "segment") writeSumWraps(out);
    else writeIsOutside(out, SOURCE, source, length64);
    out.write(I32_OR);
  }
  out.write(OP.if, EMPTY_BLOCK_TYPE);
  writeRest(out, charger, operation);
  out.write(OP.return, OP.end);
  if (source === "segment") writeSegmentCheck(out, operation);
  if (source === target) writeBackward(out, charger, operation);
  out.write(OP.loop, EMPTY_BLOCK_TYPE, LOCAL_GET, TARGET, LOCAL_GET, SOURCE);
  writeConst(out, operation.chunk, length64);
  out.write(...operation.instruction);
  writeAdvance(out, TARGET, true, target.is64, operation.chunk);
  if (hasOffset) writeAdvance(out, SOURCE, true, source !== "segment" && source.is64, operation.chunk);
  writeAdvance(out, LENGTH, false, length64, operation.chunk);
  writeAgain(out, charger, operation);
  writeRest(out, charger, operation);
}

/** Source below target in one space: the ranges may overlap, so the chunks go from the end to the start. */
function writeBackward(out: ByteWriter, charger: Charger, operation: ChunkedOperation): void {
  const { length64, chunk, instruction } = operation;
  out.write(LOCAL_GET, SOURCE, LOCAL_GET, TARGET, length64 ? I64_LT_U : I32_LT_U);
  out.write(OP.if, EMPTY_BLOCK_TYPE, OP.loop, EMPTY_BLOCK_TYPE);
  writeAdvance(out, LENGTH, false, length64, chunk);
  for (const pointer of [TARGET, SOURCE]) {
    out.write(LOCAL_GET, pointer, LOCAL_GET, LENGTH, length64 ? I64_ADD : I32_ADD);
  }
  writeConst(out, chunk, length64);
  out.write(...instruction);
  writeAgain(out, charger, operation);
  writeRest(out, charger, operation);
  out.write(OP.return, OP.end);
}

/** Charges for the length that is left, and moves it. */
function writeRest(
  out: ByteWriter,
  charger: Charger,
  { instruction, length64, shift }: ChunkedOperation,
): void {
  charger.writeCharge(out, length64, shift, LENGTH);
  out.write(LOCAL_GET, TARGET, LOCAL_GET, SOURCE, LOCAL_GET, LENGTH, ...instruction);
}

/** Ends the loop over the chunks: charges for one, and starts another while more than one is left. */
function writeAgain(out: ByteWriter, charger: Charger, operation: ChunkedOperation): void {
  charger.writeUse(out, operation.chunk * 2 ** operation.shift);
  writeFitsChunk(out, operation);
  out.write(I32_EQZ, OP.brIf, 0, OP.end);
}

/** Whether what is left fits into one chunk, as i32. */
function writeFitsChunk(out: ByteWriter, { chunk, length64 }: ChunkedOperation): void {
  out.write(LOCAL_GET, LENGTH);
  writeConst(out, chunk + 1, length64);
  out.write(length64 ? I64_LT_U : I32_LT_U);
}

/** local = local +/- chunk. */
function writeAdvance(out: ByteWriter, local: number, isUp: boolean, is64: boolean, chunk: number): void {
  out.write(LOCAL_GET, local);
  writeConst(out, chunk, is64);
  if (is64) out.write(isUp ? I64_ADD : I64_SUB);
  else out.write(isUp ? I32_ADD : I32_SUB);
  out.write(OP.localSet, local);
}

/** Whether pointer + length exceeds the space, as i32. */
function writeIsOutside(out: ByteWriter, pointer: number, space: Space, length64: boolean): void {
  const end = (): void => {
    writeWide(out, pointer, space.is64);
    writeWide(out, LENGTH, length64);
    out.write(I64_ADD);
  };
  end();
  out.write(...space.size);
  if (!space.is64) out.write(I64_EXTEND_I32_U);
  out.write(I64_CONST, space.sizeShift, I64_SHL, I64_GT_U);
  // With 64-bit numbers the sum can wrap: then it is below the length.
  end();
  writeWide(out, LENGTH, length64);
  out.write(I64_LT_U, I32_OR);
}

/** Whether source + length is no number of 32 bits. */
function writeSumWraps(out: ByteWriter): void {
  out.write(LOCAL_GET, SOURCE, LOCAL_GET, LENGTH, I32_ADD, LOCAL_GET, SOURCE, I32_LT_U);
}

/** No instruction gives the length of a segment, but moving nothing from behind its end traps. */
function writeSegmentCheck(out: ByteWriter, { instruction, target }: ChunkedOperation): void {
  writeConst(out, 0, target.is64);
  out.write(LOCAL_GET, SOURCE, LOCAL_GET, LENGTH, I32_ADD, OP.i32Const, 0, ...instruction);
}

/** A table that grows. */
export interface GrowOperation {
  readonly grow: readonly number[];
  readonly table: Space;
  readonly elementsMax: number;
  readonly chunk: number;
  readonly shift: number;
}

/** Writes the instructions of the function `(value, count) -> size before, or -1` that grows in chunks. */
export function writeGrow(out: ByteWriter, charger: Charger, operation: GrowOperation): void {
  const { grow, table, elementsMax, chunk, shift } = operation;
  const { is64, size } = table;
  const [VALUE, COUNT, BEFORE] = [0, 1, 2];
  const isGreater = is64 ? I64_GT_U : I32_GT_U;
  const constant = (value: number): void => writeConst(out, value, is64);
  // More than fits fails as a whole.
  out.write(LOCAL_GET, COUNT);
  constant(elementsMax);
  out.write(...size, is64 ? I64_SUB : I32_SUB, isGreater, OP.if, EMPTY_BLOCK_TYPE);
  constant(-1);
  out.write(OP.return, OP.end, ...size, OP.localSet, BEFORE);
  out.write(OP.block, EMPTY_BLOCK_TYPE, OP.loop, EMPTY_BLOCK_TYPE, LOCAL_GET, COUNT);
  constant(chunk + 1);
  out.write(is64 ? I64_LT_U : I32_LT_U, OP.brIf, 1);
  charger.writeUse(out, chunk * 2 ** shift);
  out.write(LOCAL_GET, VALUE);
  constant(chunk);
  out.write(...grow);
  constant(-1);
  out.write(is64 ? I64_EQ : I32_EQ, OP.if, EMPTY_BLOCK_TYPE);
  constant(-1);
  out.write(OP.return, OP.end);
  writeAdvance(out, COUNT, false, is64, chunk);
  out.write(OP.br, 0, OP.end, OP.end);
  charger.writeCharge(out, is64, shift, COUNT);
  out.write(LOCAL_GET, VALUE, LOCAL_GET, COUNT, ...grow);
  constant(-1);
  out.write(is64 ? I64_EQ : I32_EQ, OP.if, is64 ? I64 : I32);
  constant(-1);
  out.write(OP.else, LOCAL_GET, BEFORE, OP.end);
}

function writeWide(out: ByteWriter, local: number, is64: boolean): void {
  out.write(LOCAL_GET, local);
  if (!is64) out.write(I64_EXTEND_I32_U);
}

function writeConst(out: ByteWriter, value: number, is64: boolean): void {
  out.write(is64 ? I64_CONST : OP.i32Const);
  out.signed(value);
}
