/**
 * wmma: load, mma and store of whole matrices by a warp.
 *
 * Owns a layout of fragments, which PTX leaves to the device: elements row by row, consecutive ones in a lane,
 * from the start again where lanes have room for more than one matrix. Invariant: a program that only loads,
 * multiplies, changes elements one by one and stores does not notice the layout.
 */
import { accessSpace, addressOf } from "./address.ts";
import {
  elementBytes,
  elementsPerRegister,
  type Fragment,
  fragmentOf,
  isElementType,
  type Matrix,
  type MatrixShape,
  multiply,
  shapeOf,
} from "./fragments.ts";
import type { Site } from "./site.ts";
import type { Thread } from "./thread.ts";
import type { WarpAction } from "./warp_operations.ts";

interface Size {
  readonly rows: number;
  readonly columns: number;
}

function sizeOf(shape: MatrixShape, matrix: "a" | "b" | "c"): Size {
  if (matrix === "a") return { rows: shape.m, columns: shape.k };
  return matrix === "b" ? { rows: shape.k, columns: shape.n } : { rows: shape.m, columns: shape.n };
}

/** The place in the matrix, row by row, of one of the `count` elements of a lane. */
function placeOf(count: number, size: Size, lane: number, index: number): number {
  return (lane * count + index) % (size.rows * size.columns);
}

export function wmmaOperation(site: Site): WarpAction {
  const mask = site.scope.constant(0xffff_ffffn);
  if (site.has("load")) return { mask, execute: transfer(site, true) };
  if (site.has("store")) return { mask, execute: transfer(site, false) };
  if (site.has("mma")) return { mask, execute: multiplication(site) };
  throw site.unknown();
}

/** `wmma.load.x r, [p]{, stride}` and `wmma.store.d [p], r{, stride}`; bits move as they are. */
function transfer(site: Site, isLoad: boolean): WarpAction["execute"] {
  const { machine, line } = site;
  const matrix = site.oneOf(["a", "b", "c", "d"]);
  const type = site.ins.modifiers.filter(isElementType).at(-1);
  if (matrix === undefined || type === undefined) throw site.unknown("names no matrix");
  const size = sizeOf(shapeOf(site), matrix === "d" ? "c" : matrix);
  const isRow = site.has("row");
  const operand = site.operand(isLoad ? 0 : 1);
  const elements = operand.kind === "vector" ? operand.elements : [operand];
  const slots = elements.map((each) =>
    isLoad ? site.write(each) : site.read(each, type === "f64" ? "f64" : "b32")
  );
  const address = addressOf(site, site.operand(isLoad ? 1 : 0));
  const space = accessSpace(site);
  const bytes = elementBytes(type);
  if (bytes < 1) throw site.unknown();
  const perRegister = elementsPerRegister(type);
  const count = slots.length * perRegister;
  const natural = site.scope.constant(BigInt(isRow ? size.columns : size.rows));
  const stride = site.count > 2 ? site.source(2, "u32") : natural;
  const { u32, u8 } = site.registers;
  return (lanes) => {
    for (const t of lanes) {
      const step = u32[(t.base + stride) << 1] as number;
      for (let index = 0; index < count; index++) {
        const place = placeOf(count, size, t.lane, index);
        const [row, column] = [Math.floor(place / size.columns), place % size.columns];
        const offset = isRow ? row * step + column : column * step + row;
        const memory = machine.locate(t, space, address(t) + offset * bytes, bytes, line).u8;
        const slot = slots[Math.floor(index / perRegister)] ?? 0;
        const register = ((t.base + slot) << 3) + (index % perRegister) * bytes;
        if (isLoad) u8.set(memory.subarray(machine.index, machine.index + bytes), register);
        else memory.set(u8.subarray(register, register + bytes), machine.index);
      }
    }
  };
}

function multiplication(site: Site): WarpAction["execute"] {
  const shape = shapeOf(site);
  const types = site.ins.modifiers.filter(isElementType);
  // Two types are those of D and C; A and B are f16 then.
  const [dtype, second, third, fourth] = types;
  const [atype, btype, ctype] = types.length === 2
    ? ["f16", "f16", second] as const
    : [second, third, fourth];
  if (dtype === undefined || atype === undefined || btype === undefined || ctype === undefined) {
    throw site.unknown("needs two or four types");
  }
  const d = fragmentOf(site, site.operand(0), dtype);
  const a = fragmentOf(site, site.operand(1), atype);
  const b = fragmentOf(site, site.operand(2), btype);
  const c = fragmentOf(site, site.operand(3), ctype);
  const gather = (lanes: readonly Thread[], fragment: Fragment, size: Size): Matrix => {
    const matrix: Matrix = [];
    for (const t of lanes) {
      for (let index = 0; index < fragment.count; index++) {
        matrix[placeOf(fragment.count, size, t.lane, index)] = fragment.read(t, index);
      }
    }
    return matrix;
  };
  const sizes = { a: sizeOf(shape, "a"), b: sizeOf(shape, "b"), c: sizeOf(shape, "c") };
  return (lanes) => {
    const [left, right, start] = [
      gather(lanes, a, sizes.a),
      gather(lanes, b, sizes.b),
      gather(lanes, c, sizes.c),
    ];
    const result = multiply(site, shape, { a: atype, d: dtype }, left, right, start);
    for (const t of lanes) {
      for (let index = 0; index < d.count; index++) {
        d.write(t, index, result[placeOf(d.count, sizes.c, t.lane, index)] ?? 0);
      }
    }
  };
}
