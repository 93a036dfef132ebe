/**
 * f64 on tensor cores: mma and wmma of 8x8 results by lanes' own sums (PTX ISA 9.7.14.5.8, 9.7.14.4).
 *
 * Owns their emission, lane by lane: a lane computes its own results. Layouts are those of product.ts with one
 * element a register. Invariant: products are fused into the sum, in rising order of k.
 */
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { fused } from "../opcodes/float.ts";
import { operandAt } from "../opcodes/integer.ts";
import { spaceOf } from "../opcodes/memory.ts";
import { unsupported } from "../opcodes/row.ts";
import { checkFragment, fragment } from "./fragment.ts";
import { elementTypesOf, extentsOf, forWholeWarp } from "./multiply.ts";

const SHAPES = ["m8n8k4", "m16n8k4", "m16n8k8", "m16n8k16"];

export function isDouble(i: Instruction): boolean {
  return elementTypesOf(i)[0] === "f64";
}

function sizesOf(i: Instruction): { a: number; b: number; c: number } {
  const { m, n, k } = extentsOf(i);
  const isWmma = i.row.name === "wmma";
  if (!SHAPES.slice(0, isWmma ? 1 : SHAPES.length).includes(`m${m}n${n}k${k}`)) {
    throw unsupported(i, `.m${m}n${n}k${k} of .f64`);
  }
  return { a: m * k / 32, b: n * k / 32, c: m * n / 32 };
}

export function checkDoubleMultiply(i: Instruction): void {
  const { a, b, c } = sizesOf(i);
  if (elementTypesOf(i).some((type) => type !== "f64")) throw unsupported(i, "types besides .f64");
  [c, a, b, c].forEach((size, index) => checkFragment(i, operandAt(i, index), size));
}

const PLACE_OF_B = 2048;
const PLACE_OF_D = 4096;

/** Stores the elements of an operand: element `index` of a lane at 8 * (32 * index + lane). */
function keep(x: Exchange, lane: number, operand: PtxOperand, place: number): void {
  fragment(operand).forEach((element, index) => {
    x.pushScratch(lane, 8);
    x.emitter.push(element, "f64");
    x.code.memory("f64Store", x.scratchOffset(place + 256 * index));
  });
}

export function emitDoubleMultiply(x: Exchange, i: Instruction): void {
  const { code, emitter } = x;
  const { m, k } = extentsOf(i);
  const [d, c] = [fragment(operandAt(i, 0)), fragment(operandAt(i, 3))];
  const halves = m / 8;
  forWholeWarp(x, i, () => {
    x.forEachLane((lane) => {
      keep(x, lane, operandAt(i, 1), 0);
      keep(x, lane, operandAt(i, 2), PLACE_OF_B);
    });
    const f = new Formula(code, x.parts);
    const sum = f.variable("f64");
    const [rowStart, columnStart] = [code.temp("i32"), code.temp("i32")];
    // The first lanes of the row and of the column of the lane's first result.
    x.forEachLane((lane) => {
      code.get(lane);
      code.i32(-4);
      code.op("i32And");
      code.set(rowStart);
      code.get(lane);
      code.i32(3);
      code.op("i32And");
      code.i32(3);
      code.op("i32Shl");
      code.set(columnStart);
      c.forEach((start, index) => {
        emitter.push(start, "f64");
        code.set(sum.index);
        for (let each = 0; each < k; each++) {
          // Lane 4g + q has of A column q of row g, of B row q of column g; each four go on in other registers.
          const registerA = (each >> 2) * halves + (index >> 1);
          const column = 8 * (4 * (index & 1) + (each & 3)) + 256 * (each >> 2);
          const load = (start: number, byte: number): Value =>
            f.value("f64", () => {
              x.pushScratch(start, 8);
              code.memory("f64Load", x.scratchOffset(byte));
            });
          const left = load(rowStart, 8 * (each & 3) + 256 * registerA);
          sum.set(fused(f, left, load(columnStart, PLACE_OF_B + column), sum));
        }
        x.pushScratch(lane, 8);
        sum.push();
        code.memory("f64Store", x.scratchOffset(PLACE_OF_D + 256 * index));
      });
      // A lane reads no other lane's C.
      d.forEach((result, index) => {
        x.pushScratch(lane, 8);
        code.memory("f64Load", x.scratchOffset(PLACE_OF_D + 256 * index));
        emitter.set(result, "f64");
      });
    });
    f.release();
    code.release("i32", rowStart);
    code.release("i32", columnStart);
  });
}

function matrixOf(i: Instruction): "a" | "b" | "c" {
  return i.modifiers.includes("a") ? "a" : i.modifiers.includes("b") ? "b" : "c";
}

export function checkDoubleTransfer(i: Instruction): void {
  const isLoad = i.modifiers.includes("load");
  checkFragment(i, operandAt(i, isLoad ? 0 : 1), sizesOf(i)[matrixOf(i)]);
}

/** wmma.load and wmma.store of m8n8k4. */
export function emitDoubleTransfer(x: Exchange, i: Instruction): void {
  const { code, emitter } = x;
  const isLoad = i.modifiers.includes("load");
  const matrix = matrixOf(i);
  const isRow = i.modifiers.includes("row");
  const elements = fragment(operandAt(i, isLoad ? 0 : 1));
  // Natural distance between lines: columns of a row or rows of a column.
  const natural = matrix === "c" ? 8 : (matrix === "a") === isRow ? 4 : 8;
  const stride = i.operands[2];
  x.forEachLane((lane) => {
    elements.forEach((element, index) => {
      const offset = emitter.pushAddress(operandAt(i, isLoad ? 1 : 0), spaceOf(i), 8, i);
      code.i64(offset);
      code.op("i64Add");
      // Lane 4g + q: (g, q) of A, (q, g) of B, (g, 2q + index) of C.
      const pushLine = (isGroup: boolean): void => {
        code.get(lane);
        if (isGroup) {
          code.i32(2);
          code.op("i32ShrU");
        } else {
          code.i32(3);
          code.op("i32And");
          if (matrix === "c") {
            code.i32(1);
            code.op("i32Shl");
            code.i32(index);
            code.op("i32Or");
          }
        }
        code.op("i64ExtendI32U");
      };
      const isGroupLine = (matrix === "b") !== isRow;
      pushLine(isGroupLine);
      if (stride === undefined) code.i64(BigInt(natural));
      else {
        emitter.push(stride, "u32");
        code.op("i64ExtendI32U");
      }
      code.op("i64Mul");
      pushLine(!isGroupLine);
      code.op("i64Add");
      code.i64(3n);
      code.op("i64Shl", "i64Add");
      if (isLoad) {
        code.memory("f64Load");
        emitter.set(element, "f64");
      } else {
        emitter.push(element, "f64");
        code.memory("f64Store");
      }
    });
  });
}
