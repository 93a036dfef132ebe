/**
 * Accumulation: one step of a product, four results at a time, for each kind of unit.
 *
 * Owns the arithmetic on vectors in locals; product.ts brings them. Invariant: a product of floats is exact before
 * it is added, whether the processor fuses the two or not.
 */
import type { Code } from "../wasm/code.ts";
import type { Element } from "./element.ts";

/** What a step depends on. */
export interface StepForm {
  readonly a: Element;
  readonly b: Element;
  /** Of bits: whether they are combined by `and` instead of `xor`. */
  readonly isAnd: boolean;
}

/** sum += left * right. */
export function accumulate(
  code: Code,
  { a, b, isAnd }: StepForm,
  isFused: boolean,
  left: number,
  right: number,
  sum: number,
): void {
  if (a.unit === "singles" && !isFused && !(a.isExact && b.isExact)) {
    return accumulateWide(code, left, right, sum);
  }
  if (a.unit !== "singles") code.get(sum);
  code.get(left);
  code.get(right);
  switch (a.unit) {
    case "singles":
      if (!isFused) code.op("f32x4Mul");
      code.get(sum);
      code.op(isFused ? "f32x4RelaxedMadd" : "f32x4Add");
      break;
    case "pairs":
      code.op("i32x4DotI16x8S", "i32x4Add");
      break;
    case "bits":
      code.op(isAnd ? "v128And" : "v128Xor", "i8x16Popcnt");
      code.op("i16x8ExtaddPairwiseI8x16U", "i32x4ExtaddPairwiseI16x8U", "i32x4Add");
  }
  code.set(sum);
}

/** In doubles, where the product is exact; the sum of it and a single rounds to the right single. */
function accumulateWide(code: Code, left: number, right: number, sum: number): void {
  for (const isUpper of [false, true]) {
    const double = (local: number): void => {
      code.get(local);
      if (isUpper) {
        code.get(local);
        code.shuffle32([2, 3, 2, 3]);
      }
      code.op("f64x2PromoteLowF32x4");
    };
    double(left);
    double(right);
    code.op("f64x2Mul");
    double(sum);
    code.op("f64x2Add", "f32x4DemoteF64x2Zero");
  }
  code.shuffle32([0, 1, 4, 5]);
  code.set(sum);
}

/** sum += start, where sum itself is small: what overflows becomes the largest number of start's sign. */
export function addSaturating(code: Code, start: number, sum: number): void {
  const total = code.temp("v128");
  code.get(start);
  code.i32(31);
  code.op("i32x4ShrS");
  code.v128([0x7fff_ffff, 0x7fff_ffff, 0x7fff_ffff, 0x7fff_ffff]);
  code.op("v128Xor");
  code.get(start);
  code.get(sum);
  code.op("i32x4Add");
  code.tee(total);
  // It overflowed where both have a sign that the total has not.
  code.get(start);
  code.get(total);
  code.op("v128Xor");
  code.get(sum);
  code.get(total);
  code.op("v128Xor", "v128And");
  code.i32(31);
  code.op("i32x4ShrS", "v128Bitselect");
  code.set(sum);
  code.release("v128", total);
}

/** Rows and columns of four vectors change places; `store` is given what pushes each new one. */
export function transpose(
  code: Code,
  from: readonly number[],
  store: (index: number, push: () => void) => void,
): void {
  const [a = 0, b = 0, c = 0, d = 0] = from;
  const pairs = ([[a, b, 0], [a, b, 2], [c, d, 0], [c, d, 2]] as const).map(([x, y, start]) => {
    const local = code.temp("v128");
    code.get(x);
    code.get(y);
    code.shuffle32([start, start + 4, start + 1, start + 5]);
    code.set(local);
    return local;
  });
  for (let index = 0; index < 4; index++) {
    store(index, () => {
      code.get(pairs[index >> 1] ?? 0);
      code.get(pairs[2 + (index >> 1)] ?? 0);
      code.shuffle32((index & 1) === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]);
    });
  }
  for (const local of pairs) code.release("v128", local);
}
