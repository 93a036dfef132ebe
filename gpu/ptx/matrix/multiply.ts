/**
 * mma and wmma.mma: which forms there are, and the call of the function that computes one (PTX ISA 9.7.14).
 *
 * Owns the reading of shapes and types and the choice of registers. Fragments of wmma are laid out as those of
 * mma, block by block, and twice where they have room for it; the second copy is written but not read.
 * Invariant: a form that `formOf` returns can be computed; every other is refused with its reason.
 */
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { operandAt } from "../opcodes/integer.ts";
import { unsupported } from "../opcodes/row.ts";
import { ELEMENTS } from "./element.ts";
import { checkFragment, fragment, PlacePusher, registerOf } from "./fragment.ts";
import { blockRows, fragmentSizes, productFunction } from "./product.ts";
import type { ProductForm } from "./product.ts";

/** Types of elements, of which an instruction names up to four. */
export const ELEMENT_TYPES = [
  ...["f16", "bf16", "tf32", "f32", "f64", "e4m3", "e5m2", "s32", "s8", "u8", "s4", "u4", "b1"] as const,
];

export interface Extents {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export function extentsOf(i: Instruction): Extents {
  for (const word of i.modifiers) {
    const found = /^m(\d+)n(\d+)k(\d+)$/.exec(word);
    if (found !== null) return { m: Number(found[1]), n: Number(found[2]), k: Number(found[3]) };
  }
  throw unsupported(i, "expected a shape");
}

export function elementTypesOf(i: Instruction): readonly string[] {
  return i.modifiers.filter((word) => (ELEMENT_TYPES as readonly string[]).includes(word));
}

/** Types of D, A, B and C. Two types are those of D and C: A and B are f16 then (wmma). */
function multiplyTypes(i: Instruction): { d: string; a: string; b: string; c: string } {
  const [d = "", second = "", third, c] = elementTypesOf(i);
  if (third === undefined) return { d, a: "f16", b: "f16", c: second };
  return { d, a: second, b: third, c: c ?? "" };
}

const SMALL: readonly string[] = ["s8", "u8"];
const SMALLER: readonly string[] = ["s4", "u4"];

/** Shapes of mma by the types of A and B, besides f64. */
const MMA_SHAPES: readonly (readonly [types: readonly string[], shapes: readonly string[]])[] = [
  [["f16", "bf16"], ["m16n8k8", "m16n8k16"]],
  [["tf32"], ["m16n8k4", "m16n8k8"]],
  [SMALL, ["m8n8k16", "m16n8k16", "m16n8k32"]],
  [SMALLER, ["m8n8k32", "m16n8k32", "m16n8k64"]],
  [["b1"], ["m8n8k128", "m16n8k128", "m16n8k256"]],
  [["e4m3", "e5m2"], ["m16n8k16", "m16n8k32"]],
];
const WMMA_SHAPES: typeof MMA_SHAPES = [
  [["f16", "bf16", ...SMALL], ["m16n16k16", "m8n32k16", "m32n8k16"]],
  [["tf32"], ["m16n16k8"]],
  [SMALLER, ["m8n8k32"]],
  [["b1"], ["m8n8k128"]],
];

/** Every shape, f64's too. */
export const SHAPES: readonly string[] = [
  ...new Set([...MMA_SHAPES, ...WMMA_SHAPES].flatMap(([, shapes]) => shapes)),
  ...["m8n8k4", "m16n8k4", "m16n8k8", "m16n8k16"],
];

function shapesFor(i: Instruction, a: string, b: string): readonly string[] {
  const list = i.row.name === "mma" ? MMA_SHAPES : WMMA_SHAPES;
  const found = list.find(([types]) => types.includes(a) && types.includes(b));
  // Signed and unsigned mix, and so do the kinds of 8-bit floats; f16 and bf16 do not.
  if (found === undefined || (a !== b && (a === "bf16" || b === "bf16"))) {
    throw unsupported(i, `.${a} by .${b}`);
  }
  return found[1];
}

/** The form of a multiplication that is not f64's. */
export function formOf(i: Instruction): ProductForm {
  const extents = extentsOf(i);
  const { d, a, b, c } = multiplyTypes(i);
  const [left, right] = [ELEMENTS[a], ELEMENTS[b]];
  const shape = `m${extents.m}n${extents.n}k${extents.k}`;
  if (left === undefined || right === undefined || !shapesFor(i, a, b).includes(shape)) {
    throw unsupported(i, `.${shape} of .${a} by .${b}`);
  }
  const results = left.unit === "singles" ? ["f32", "f16"] : ["s32"];
  const isF32Only = a === "bf16" || a === "tf32";
  const isResult = (type: string): type is ProductForm["d"] =>
    results.includes(type) && !(isF32Only && type !== "f32");
  if (!isResult(d) || !isResult(c)) throw unsupported(i, `.${d} of .${a} by .${b} and .${c}`);
  const isSaturating = i.modifiers.includes("satfinite") && d === "s32";
  const isAnd = i.modifiers.includes("and");
  // Within a block each row is read before the same row of D is written; among blocks it is not so.
  const isOneBlock = extents.m === blockRows(extents.m) && extents.n === 8;
  const copiesInputs = !isOneBlock && !isInPlace(i, d === c);
  const key = [shape, d, a, b, c, isSaturating && "sat", isAnd && "and", copiesInputs && "copy"].join();
  return { key, ...extents, a: left, b: right, c, d, isSaturating, isAnd, copiesInputs };
}

/** Whether no register of D is one of A, B or C, but for those of C at their own places. */
function isInPlace(i: Instruction, isSameType: boolean): boolean {
  const [results, a, b, starts] = [0, 1, 2, 3].map((index) => fragment(operandAt(i, index)).map(registerOf));
  const factors = new Set([...a ?? [], ...b ?? []]);
  return results?.every((register, index) =>
    register === undefined ||
    (!factors.has(register) &&
      (starts ?? []).every((start, place) => start !== register || (isSameType && place === index)))
  ) ?? true;
}

/** Registers that an operand has; wmma gives f16's A and B eight whatever the shape. */
function registersOf(i: Instruction, type: string, count: number): number {
  return i.row.name === "wmma" && type === "f16" ? 8 : count;
}

export function checkMultiply(i: Instruction): void {
  const form = formOf(i);
  const sizes = fragmentSizes(form);
  const { a, b } = multiplyTypes(i);
  checkFragment(i, operandAt(i, 0), sizes.d);
  checkFragment(i, operandAt(i, 1), registersOf(i, a, sizes.a));
  checkFragment(i, operandAt(i, 2), registersOf(i, b, sizes.b));
  checkFragment(i, operandAt(i, 3), sizes.c);
  if (i.row.name === "mma" && (!i.modifiers.includes("row") || !i.modifiers.includes("col"))) {
    throw unsupported(i, "expected .row.col");
  }
}

/** Emits what needs all 32 lanes: with fewer the instruction is undefined, and ends the kernel here. */
export function forWholeWarp(x: Exchange, i: Instruction, whole: Parameters<Exchange["ifWhole"]>[0]): void {
  x.ifWhole(whole, () => x.emitter.fault(FAULT.launchFailed, i.line));
}

export function emitMultiply(x: Exchange, i: Instruction): void {
  const form = formOf(i);
  const sizes = fragmentSizes(form);
  const { code } = x;
  forWholeWarp(x, i, (warp) => {
    const places = new PlacePusher(x, warp, i);
    x.pushScratch();
    code.i64(BigInt(x.scratchOffset()));
    code.op("i64Add");
    const counts = [[1, sizes.a], [2, sizes.b], [3, sizes.c], [0, sizes.d]] as const;
    for (const [operand, count] of counts) {
      for (const register of fragment(operandAt(i, operand)).slice(0, count)) places.push(register);
    }
    code.call(productFunction(x.parts, form));
  });
}
