/**
 * mma.sync: one matrix multiplication by a warp, operands in registers.
 *
 * Owns the layouts of fragments, which one rule gives for every shape and type: lane `4g + q` has, in register
 * r of A, row g (or g + 8 for odd r where A has 16 rows) and consecutive columns from q on; B likewise by
 * columns. Invariant: each element of a matrix is in exactly one place.
 */
import {
  elementsPerRegister,
  type ElementType,
  fragmentOf,
  isElementType,
  type Matrix,
  multiply,
  shapeOf,
} from "./fragments.ts";
import type { Site } from "./site.ts";
import type { Thread } from "./thread.ts";
import type { WarpAction } from "./warp_operations.ts";

/** Row and column of an element of a lane. */
type Where = (lane: number, index: number) => { row: number; column: number };

/** A, of 8 or 16 rows; columns go on in the next pair of registers. */
function whereInA(type: ElementType, rows: number): Where {
  const perRegister = elementsPerRegister(type);
  return (lane, index) => {
    const register = Math.floor(index / perRegister);
    const group = rows === 16 ? register >> 1 : register;
    const row = (lane >> 2) + (rows === 16 ? 8 * (register & 1) : 0);
    return { row, column: group * 4 * perRegister + (lane & 3) * perRegister + (index % perRegister) };
  };
}

function whereInB(type: ElementType): Where {
  const perRegister = elementsPerRegister(type);
  return (lane, index) => {
    const register = Math.floor(index / perRegister);
    const row = register * 4 * perRegister + (lane & 3) * perRegister + (index % perRegister);
    return { row, column: lane >> 2 };
  };
}

/** C and D: two neighbours of a row, then those eight rows below. */
const whereInC: Where = (lane, index) => ({
  row: (lane >> 2) + 8 * (index >> 1),
  column: (lane & 3) * 2 + (index & 1),
});

export function matrixMultiply(site: Site): WarpAction {
  const shape = shapeOf(site);
  const [dtype, atype, btype, ctype] = site.ins.modifiers.filter(isElementType);
  const isQuad = shape.m === 8 && atype === "f16";
  if (dtype === undefined || atype === undefined || btype === undefined || ctype === undefined) {
    throw site.unknown("needs four types");
  }
  if (isQuad || site.has("sp") || site.has("sp::ordered_metadata")) throw site.unknown();
  const d = fragmentOf(site, site.operand(0), dtype);
  const a = fragmentOf(site, site.operand(1), atype);
  const b = fragmentOf(site, site.operand(2), btype);
  const c = fragmentOf(site, site.operand(3), ctype);
  const { m, n, k } = shape;
  const [inA, inB] = [whereInA(atype, m), whereInB(btype)];
  const gather = (lanes: readonly Thread[], fragment: typeof a, where: Where, columns: number): Matrix => {
    const matrix: Matrix = [];
    for (const t of lanes) {
      for (let index = 0; index < fragment.count; index++) {
        const { row, column } = where(t.lane, index);
        matrix[row * columns + column] = fragment.read(t, index);
      }
    }
    return matrix;
  };
  if (32 * a.count !== m * k || 32 * b.count !== k * n || 32 * c.count !== m * n) {
    throw site.unknown("has fragments of another size");
  }
  const execute = (lanes: readonly Thread[]): void => {
    const [left, right, start] = [
      gather(lanes, a, inA, k),
      gather(lanes, b, inB, n),
      gather(lanes, c, whereInC, n),
    ];
    const result = multiply(site, shape, { a: atype, d: dtype }, left, right, start);
    for (const t of lanes) {
      for (let index = 0; index < d.count; index++) {
        const { row, column } = whereInC(t.lane, index);
        d.write(t, index, result[row * n + column] ?? 0);
      }
    }
  };
  return { mask: site.scope.constant(0xffff_ffffn), execute };
}
