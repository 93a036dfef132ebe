/**
 * Comparison of floats: the operators of setp and set for f32, f64 and half types (PTX ISA 9.3.2, 9.7.6).
 *
 * Owns what each operator means of two values, and the comparison of halves and of their pairs, which gives two
 * results. Combination with a predicate is compare.ts's. Invariant: an unordered operator is true when an operand
 * is NaN, an ordered one false.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { floatOperand, isFloat } from "./float.ts";
import { halfName, halvesOf, widen } from "./half.ts";
import { unsupported } from "./row.ts";

/** 1 if the operator holds of two values that may be pushed more than once, else 0. */
function compared(i: Instruction, operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case "eq":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      return a[operator](b);
    case "ne":
      // The engine's "not equal" is true of a NaN; the ordered one is not.
      return a.lt(b).or(a.gt(b));
    case "neu":
      return a.ne(b);
    case "equ":
      return a.lt(b).or(a.gt(b)).eqz();
    case "ltu":
      return a.ge(b).eqz();
    case "leu":
      return a.gt(b).eqz();
    case "gtu":
      return a.le(b).eqz();
    case "geu":
      return a.lt(b).eqz();
    case "num":
      return a.eq(a).and(b.eq(b));
    case "nan":
      return a.ne(a).or(b.ne(b));
    default:
      throw unsupported(i, `.${operator} is not for floats`);
  }
}

/**
 * Results of the comparison of two operands of a float type, in locals that the caller gives back: one, or
 * that of the lower and that of the upper halves.
 */
export function compareFloats(
  e: Emitter,
  i: Instruction,
  operator: string,
  type: PtxType,
  [a, b]: readonly [PtxOperand, PtxOperand],
): number[] {
  const f = new Formula(e.code, e.parts);
  const values = (operand: PtxOperand): readonly Value[] =>
    isFloat(type)
      ? [f.let(floatOperand(f, e, i, operand, type))]
      : halvesOf(f, e, i, operand, type).map((half) => f.let(widen(f, halfName(type), half)));
  const [left, right] = [values(a), values(b)];
  const results = left.flatMap((first, part) => {
    const second = right[part];
    if (second === undefined) return [];
    const result = e.code.temp("i32");
    compared(i, operator, first, second).push();
    e.code.set(result);
    return [result];
  });
  f.release();
  return results;
}
