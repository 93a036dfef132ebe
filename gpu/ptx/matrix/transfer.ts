/**
 * wmma.load and wmma.store: matrices between memory and fragments (PTX ISA 9.7.14.4).
 *
 * Owns the walk over memory. Lines of a fragment (rows of A, C and D, columns of B) are copied 16 bytes at a
 * time where memory has them whole; where memory has the other layout the matrix is turned around in scratch
 * memory. Invariant: nothing outside the matrix is read or written, and one in a shared window lies in it.
 */
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { spaceOf } from "../opcodes/memory.ts";
import { operandAt } from "../opcodes/integer.ts";
import { unsupported } from "../opcodes/row.ts";
import type { Code } from "../wasm/code.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";
import { checkFragment, fragment, PlacePusher } from "./fragment.ts";
import { elementTypesOf, extentsOf, forWholeWarp } from "./multiply.ts";
import { eightTimes, sharedFunction, times } from "./shared_function.ts";

/** A matrix as its fragment has it. */
interface Lines {
  readonly key: string;
  readonly isLoad: boolean;
  readonly bits: number;
  /** Lines and elements of each, and lines that one register's lanes and the next ones' have: 8 or 16. */
  readonly count: number;
  readonly length: number;
  readonly blockLines: 8 | 16;
  /** Whether a line's even and odd elements are in two registers: the results of 32 bits. */
  readonly isSplit: boolean;
  /** Whether memory has lines where the fragment has columns. */
  readonly isTurned: boolean;
  /** Registers, and those before they come again. */
  readonly registers: number;
  readonly distinct: number;
}

const BITS: Readonly<Record<string, number>> = {
  f16: 16,
  bf16: 16,
  tf32: 32,
  f32: 32,
  s32: 32,
  s8: 8,
  u8: 8,
  s4: 4,
  u4: 4,
  b1: 1,
};

function matrixOf(i: Instruction): "a" | "b" | "c" {
  const word = ["a", "b", "c", "d"].find((each) => i.modifiers.includes(each));
  if (i.modifiers.includes("store") ? word !== "d" : word === undefined || word === "d") {
    throw unsupported(i, "expected .a, .b or .c to load, .d to store");
  }
  return word === "a" || word === "b" ? word : "c";
}

function linesOf(i: Instruction): Lines {
  const { m, n, k } = extentsOf(i);
  const matrix = matrixOf(i);
  const [type = ""] = elementTypesOf(i);
  const bits = BITS[type];
  const isRow = i.modifiers.includes("row");
  if (bits === undefined || isRow === i.modifiers.includes("col")) {
    throw unsupported(i, "expected .row or .col and a type");
  }
  const isResult = matrix === "c";
  if (isResult !== (type === "f32" || type === "s32" || (isResult && type === "f16"))) {
    throw unsupported(i, `a matrix of .${type}`);
  }
  const count = matrix === "b" ? n : m;
  const length = isResult ? n : k;
  const isTurned = isRow === (matrix === "b");
  if (bits < 8 && isTurned) throw unsupported(i, `this layout of .${type}`);
  const distinct = (count * length * bits) / (32 * 32);
  const isLoad = i.modifiers.includes("load");
  const key = [matrix, m, n, k, type, isTurned, isLoad].join();
  // A and B of f16 have eight registers whatever the shape.
  const registers = !isResult && type === "f16" ? 8 : distinct;
  const blockLines = matrix !== "b" && m % 16 === 0 ? 16 : 8;
  const isSplit = isResult && bits === 32;
  return { key, isLoad, bits, count, length, blockLines, isSplit, isTurned, registers, distinct };
}

export function checkTransfer(i: Instruction): void {
  const { registers, isLoad } = linesOf(i);
  checkFragment(i, operandAt(i, isLoad ? 0 : 1), registers);
  if (i.operands.length > 3) throw unsupported(i, "too many operands");
}

export function emitTransfer(x: Exchange, i: Instruction): void {
  const lines = linesOf(i);
  const { code } = x;
  forWholeWarp(x, i, (warp) => {
    const [at, stride, lane] = [code.temp("i64"), code.temp("i64"), code.temp("i32")];
    // All lanes name one matrix.
    code.i32(0);
    code.set(lane);
    x.at(lane, () => pushStart(x, i, lines, at, stride));
    const places = new PlacePusher(x, warp, i);
    x.pushScratch();
    code.i64(BigInt(x.scratchOffset()));
    code.op("i64Add");
    code.get(at);
    code.get(stride);
    for (const register of fragment(operandAt(i, lines.isLoad ? 0 : 1))) places.push(register);
    code.call(transferFunction(x, lines));
    code.release("i64", at);
    code.release("i64", stride);
    code.release("i32", lane);
  });
}

/** Writes the matrix's place and the bytes from line to line of memory to locals; checks a shared window. */
function pushStart(x: Exchange, i: Instruction, lines: Lines, at: number, stride: number): void {
  const { code, emitter } = x;
  const { bits, isTurned, count, length } = lines;
  const [memoryLines, memoryLength] = isTurned ? [length, count] : [count, length];
  const operand = operandAt(i, lines.isLoad ? 1 : 0);
  const space = spaceOf(i);
  const offset = emitter.pushAddress(operand, space, Math.max(bits / 8, 1), i);
  code.i64(offset);
  code.op("i64Add");
  code.set(at);
  const given = i.operands[2];
  if (given === undefined) code.i64(BigInt(memoryLength));
  else {
    emitter.push(given, "u32");
    code.op("i64ExtendI32U");
  }
  code.i64(BigInt(bits));
  code.op("i64Mul");
  code.i64(3n);
  code.op("i64ShrU");
  code.set(stride);
  if (space !== "shared") return;
  code.get(stride);
  code.i64(BigInt(memoryLines - 1));
  code.op("i64Mul");
  code.i64(BigInt(memoryLength * bits / 8));
  code.op("i64Add");
  code.get(at);
  code.op("i64Add");
  code.get(emitter.special("sharedBase"));
  code.get(emitter.special("sharedEnd"));
  code.op("i64ExtendI32U", "i64Add", "i64GtU");
  code.if();
  emitter.fault(FAULT.illegalAddress, i.line);
  code.end();
}

/** Parameters, all i64: scratch memory; the matrix's place; the bytes between its lines; the registers' places. */
function transferFunction(x: Exchange, lines: Lines): number {
  const params = Array.from({ length: 3 + lines.registers }, () => "i64" as const);
  return sharedFunction(x.parts, `transfer ${lines.key}`, params, (code) => {
    if (lines.isTurned && lines.isLoad) turn(code, lines);
    const [at, stride] = [code.local("i64"), code.local("i64")];
    // A matrix that was, or will be, turned around is in scratch memory, without gaps.
    code.get(lines.isTurned ? 0 : 1);
    code.set(at);
    if (lines.isTurned) code.i64(BigInt(lines.length * lines.bits / 8));
    else code.get(2);
    code.set(stride);
    copyLines(code, lines, at, stride);
    if (lines.isTurned && !lines.isLoad) turn(code, lines);
  });
}

const ELEMENT_OPS: Readonly<Record<number, readonly [MemoryOpName, MemoryOpName]>> = {
  8: ["i32Load8U", "i32Store8"],
  16: ["i32Load16U", "i32Store16"],
  32: ["i32Load", "i32Store"],
};

/** Element by element between memory and scratch memory, where lines and columns have changed places. */
function turn(code: Code, { isLoad, bits, count, length }: Lines): void {
  const bytes = bits / 8;
  const [load, store] = ELEMENT_OPS[bits] ?? ["i32Load8U", "i32Store8"];
  const [outside, inside] = [code.local("i64"), code.local("i64")];
  code.get(1);
  code.set(outside);
  times(code, length, bytes, (position) => {
    code.get(0);
    code.get(position);
    code.op("i64Add");
    code.set(inside);
    for (let line = 0; line < count; line++) {
      const [fromOffset, toOffset] = isLoad
        ? [line * bytes, line * length * bytes]
        : [line * length * bytes, line * bytes];
      code.get(isLoad ? inside : outside);
      code.get(isLoad ? outside : inside);
      code.memory(load, fromOffset);
      code.memory(store, toOffset);
    }
    code.get(outside);
    code.get(2);
    code.op("i64Add");
    code.set(outside);
  });
}

/** Lines of memory to quads of registers or back: line by line of a block, eight at a time. */
function copyLines(code: Code, lines: Lines, at: number, stride: number): void {
  const { count, length, bits, blockLines, isLoad, isSplit, registers, distinct } = lines;
  const chunkBytes = isSplit ? 32 : 16;
  const chunks = length * bits / 8 / chunkBytes;
  const perChunk = isSplit ? 2 : 1;
  const [low, high] = [code.temp("v128"), code.temp("v128")];
  const line = code.temp("i64");
  eightTimes(code, 16, (quad) => {
    for (let first = 0; first < count; first += 8) {
      // line = at + (quad + first) * stride
      code.get(at);
      code.get(quad);
      code.i64(4n);
      code.op("i64ShrU");
      code.i64(BigInt(first));
      code.op("i64Add");
      code.get(stride);
      code.op("i64Mul", "i64Add");
      code.set(line);
      for (let chunk = 0; chunk < chunks; chunk++) {
        const register = registerOf(lines, first, chunk, chunks) * perChunk;
        const places = (index: number): number[] => {
          const all: number[] = [];
          for (let each = register + index; each < registers; each += distinct) all.push(3 + each);
          return all;
        };
        const pushQuad = (param: number): void => {
          code.get(param);
          code.get(quad);
          code.op("i64Add");
        };
        const offset = chunk * chunkBytes;
        if (isLoad) {
          code.get(line);
          code.memory("v128Load", offset);
          code.set(low);
          if (isSplit) {
            code.get(line);
            code.memory("v128Load", offset + 16);
            code.set(high);
          }
          for (let index = 0; index < perChunk; index++) {
            for (const param of places(index)) {
              pushQuad(param);
              code.get(low);
              if (isSplit) {
                code.get(high);
                code.shuffle32(index === 0 ? [0, 2, 4, 6] : [1, 3, 5, 7]);
              }
              code.memory("v128Store");
            }
          }
        } else {storeChunk(code, { line, offset, low, high, isSplit }, (index) =>
            pushQuad(3 + register + index));}
      }
    }
  });
  code.release("v128", low);
  code.release("v128", high);
  code.release("i64", line);
  if (blockLines === 16 && count % 16 !== 0) throw new Error("Invariant: lines fill blocks");
}

interface Chunk {
  readonly line: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  readonly isSplit: boolean;
}

function storeChunk(
  code: Code,
  { line, offset, low, high, isSplit }: Chunk,
  pushQuad: (index: number) => void,
): void {
  pushQuad(0);
  code.memory("v128Load");
  code.set(low);
  if (isSplit) {
    pushQuad(1);
    code.memory("v128Load");
    code.set(high);
  }
  for (let half = 0; half < (isSplit ? 2 : 1); half++) {
    code.get(line);
    code.get(low);
    if (isSplit) {
      code.get(high);
      code.shuffle32(half === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7]);
    }
    code.memory("v128Store", offset + 16 * half);
  }
}

/**
 * The register, or pair of them, of a chunk of lines: of A, blocks of rows one after the other, in each its
 * chunks, in each chunk the two halves of 16 rows; of B blocks of columns and their chunks; of results blocks
 * by rows, then columns, in each the halves.
 */
function registerOf({ key, blockLines }: Lines, first: number, chunk: number, chunks: number): number {
  const halves = blockLines / 8;
  const block = Math.floor(first / blockLines);
  const half = (first % blockLines) / 8;
  if (key.startsWith("b")) return (first / 8) * chunks + chunk;
  return (block * chunks + chunk) * halves + half;
}
