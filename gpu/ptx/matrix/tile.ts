/**
 * ldmatrix, stmatrix, movmatrix: 8x8 matrices of 16-bit elements between shared memory and fragments (PTX ISA
 * 9.7.14.5.15 to 17).
 *
 * Owns their emission. Lane 4g + q has elements 2q and 2q + 1 of row g, so four neighbouring lanes have a row,
 * 16 bytes of memory. Invariant: every address is checked, and every row read, before a register is written.
 */
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt } from "../opcodes/integer.ts";
import { spaceOf } from "../opcodes/memory.ts";
import { unsupported } from "../opcodes/row.ts";
import type { Code } from "../wasm/code.ts";
import { QUADS } from "../emit/whole_warp.ts";
import { checkFragment, fragment, PlacePusher } from "./fragment.ts";
import { forWholeWarp } from "./multiply.ts";
import { sharedFunction } from "./shared_function.ts";

const ROW_BYTES = 16;
const MATRIX_BYTES = 8 * ROW_BYTES;

function countOf(i: Instruction): number {
  const word = i.modifiers.find((each) => /^x[124]$/.test(each));
  if (word === undefined) throw unsupported(i, "expected .x1, .x2 or .x4");
  return Number(word.slice(1));
}

export function checkTile(i: Instruction): void {
  const isLoad = i.row.name === "ldmatrix";
  if (!i.modifiers.includes("m8n8")) throw unsupported(i, "expected .m8n8");
  checkFragment(i, operandAt(i, isLoad ? 0 : 1), countOf(i));
}

function pushScratch(x: Exchange, byte: number): void {
  x.pushScratch();
  x.code.i64(BigInt(x.scratchOffset(byte)));
  x.code.op("i64Add");
}

/** Emits `body` for the lanes that name rows; it is given locals of the row's place and its place in scratch. */
function forRows(
  x: Exchange,
  i: Instruction,
  address: PtxOperand,
  body: (row: number, kept: number) => void,
): void {
  const { code, emitter } = x;
  const [lanes, row, kept] = [code.temp("i32"), code.temp("i64"), code.temp("i64")];
  code.i32(2 ** (8 * countOf(i)) - 1);
  code.set(lanes);
  x.forEachLane((lane) => {
    const offset = emitter.pushAddress(address, spaceOf(i), ROW_BYTES, i);
    code.i64(offset);
    code.op("i64Add");
    code.set(row);
    x.pushScratch(lane, ROW_BYTES);
    code.i64(BigInt(x.scratchOffset()));
    code.op("i64Add");
    code.set(kept);
    body(row, kept);
  }, lanes);
  code.release("i32", lanes);
  code.release("i64", row);
  code.release("i64", kept);
}

export function emitLoadTile(x: Exchange, i: Instruction): void {
  const { code } = x;
  const isTransposed = i.modifiers.includes("trans");
  forWholeWarp(x, i, (warp) => {
    forRows(x, i, operandAt(i, 1), (row, kept) => {
      code.get(kept);
      code.get(row);
      code.memory("v128Load");
      code.memory("v128Store");
    });
    const places = new PlacePusher(x, warp, i);
    fragment(operandAt(i, 0)).forEach((register, index) => {
      pushScratch(x, index * MATRIX_BYTES);
      places.push(register);
      code.call(moveFunction(x, isTransposed));
    });
  });
}

export function emitStoreTile(x: Exchange, i: Instruction): void {
  const { code } = x;
  const isTransposed = i.modifiers.includes("trans");
  forWholeWarp(x, i, (warp) => {
    const places = new PlacePusher(x, warp, i);
    fragment(operandAt(i, 1)).forEach((register, index) => {
      places.push(register);
      pushScratch(x, index * MATRIX_BYTES);
      code.call(moveFunction(x, isTransposed));
    });
    forRows(x, i, operandAt(i, 0), (row, kept) => {
      code.get(row);
      code.get(kept);
      code.memory("v128Load");
      code.memory("v128Store");
    });
  });
}

export function emitMoveTile(x: Exchange, i: Instruction): void {
  forWholeWarp(x, i, (warp) => {
    const places = new PlacePusher(x, warp, i);
    places.push(operandAt(i, 1));
    places.push(operandAt(i, 0));
    x.code.call(moveFunction(x, true));
  });
}

/** (from, to): a matrix of 128 bytes, as it is or transposed; both may be one. */
function moveFunction(x: Exchange, isTransposed: boolean): number {
  const key = isTransposed ? "tile transposed" : "tile";
  return sharedFunction(x.parts, key, ["i64", "i64"], (code) => {
    const rows = Array.from({ length: QUADS }, () => code.local("v128"));
    rows.forEach((row, index) => {
      code.get(0);
      code.memory("v128Load", ROW_BYTES * index);
      code.set(row);
    });
    const moved = isTransposed ? transposed(code, rows) : rows;
    moved.forEach((row, index) => {
      code.get(1);
      code.get(row);
      code.memory("v128Store", ROW_BYTES * index);
    });
  });
}

/**
 * Rows as columns: three times, each row of the upper half is interleaved with that of the lower half, which
 * rotates the bits of an element's place by one.
 */
function transposed(code: Code, rows: readonly number[]): readonly number[] {
  let from = rows;
  for (let step = 0; step < 3; step++) {
    const into = Array.from({ length: 8 }, () => code.local("v128"));
    into.forEach((row, index) => {
      const first = 4 * (index & 1);
      code.get(from[index >> 1] ?? 0);
      code.get(from[4 + (index >> 1)] ?? 0);
      code.shuffle8(Array.from({ length: 16 }, (_, byte) => {
        const element = byte >> 1;
        return 2 * (first + (element >> 1)) + (byte & 1) + 16 * (element & 1);
      }));
      code.set(row);
    });
    from = into;
  }
  return from;
}
