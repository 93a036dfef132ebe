/**
 * Rows of division, roots and what only floats have: div, rcp, sqrt, rsqrt, copysign, testp (PTX ISA 9.7.3).
 *
 * Owns their types, modifiers and emission; `div` of integers is integer.ts's. The approximate forms are
 * computed as the exact ones, which are within every bound that the ISA states for them. Invariant: a form
 * without `.approx` or `.full` is correctly rounded.
 */
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { directed, directedDouble, finish, floatName, floatOperand, isFloat, roundingOf } from "./float.ts";
import { emitDivRem, isInteger, operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

const ROUNDINGS = ["rn", "rz", "rm", "rp"] as const;

function isRoundedUp(i: Instruction): boolean {
  return i.modifiers.includes("approx") || i.modifiers.includes("full") || roundingOf(i) === "rn";
}

function emitFloatDiv(e: Emitter, i: Instruction): void {
  emitQuotient(e, i, (f) => floatOperand(f, e, i, operandAt(i, 1), floatName(i)), 2);
}

function emitRcp(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  if (type === "f64" && i.modifiers.includes("approx")) return emitCoarse(e, i, (f, x) => f.f64(1).div(x));
  emitQuotient(e, i, (f) => f.constant(type, 1), 1);
}

function emitQuotient(e: Emitter, i: Instruction, dividend: (f: Formula) => Value, divisorAt: number): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const a = dividend(f);
  const b = floatOperand(f, e, i, operandAt(i, divisorAt), type);
  finish(f, i, isRoundedUp(i) ? a.div(b) : directedQuotient(f, i, a, b)).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

function directedQuotient(f: Formula, i: Instruction, a: Value, b: Value): Value {
  const rounding = roundingOf(i);
  if (a.type === "f64") {
    return directedDouble(
      f,
      rounding,
      (isNegated, mode) => f.call("divF64", isNegated ? a.neg() : a, b, mode),
    );
  }
  // A quotient of two singles that is no single is at least 2^-48 of itself away from one: the double is, too.
  return directed(f, rounding, (isNegated) => (isNegated ? a.neg() : a).promote().div(b.promote()));
}

function emitSqrt(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const a = floatOperand(f, e, i, operandAt(i, 1), type);
  finish(f, i, isRoundedUp(i) ? a.sqrt() : directedRoot(f, i, a)).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

function directedRoot(f: Formula, i: Instruction, a: Value): Value {
  // Roots are not negative, so that down is towards zero; and -0 keeps its sign.
  const rounding = roundingOf(i) === "rm" ? "rz" : roundingOf(i);
  if (a.type === "f64") return directedDouble(f, rounding, (_, mode) => f.call("sqrtF64", a, mode));
  // As with quotients: the double root is a single only if the exact one is.
  return directed(f, rounding, () => a.promote().sqrt());
}

/**
 * A root and a division, of singles in double precision: that is within 0.501 units of the last place, and faster
 * than two operations of singles, as the engine's root of a single waits for what its register held before.
 */
function emitRsqrt(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  const isCoarse = type === "f64" && i.modifiers.includes("ftz");
  if (isCoarse) return emitCoarse(e, i, (f, x) => f.f64(1).div(x.sqrt()));
  const f = new Formula(e.code, e.parts);
  const a = floatOperand(f, e, i, operandAt(i, 1), type);
  const result = type === "f32" ? f.f64(1).div(a.promote().sqrt()).demote() : f.f64(1).div(a.sqrt());
  finish(f, i, result).push();
  f.release();
  e.set(operandAt(i, 0), type);
}

/** The canonical NaN of the `.approx.ftz.f64` forms. */
const COARSE_NAN = 0x7fff_ffff_0000_0000n;

/** The `.approx.ftz.f64` forms: of operand and result, only the upper 32 bits count; subnormals are zeros. */
function emitCoarse(e: Emitter, i: Instruction, operation: (f: Formula, x: Value) => Value): void {
  const f = new Formula(e.code, e.parts);
  const upper = (bits: Value): Value => {
    const cut = f.let(bits.and(0xffff_ffff_0000_0000n));
    const isSubnormal = cut.and(0x7ff0_0000_0000_0000n).eqz();
    return isSubnormal.select(cut.and(1n << 63n), cut);
  };
  const x = f.let(f.value("f64", () => e.push(operandAt(i, 1), "f64")));
  const result = f.let(operation(f, f.let(upper(x.reinterpret()).reinterpret())));
  // A NaN whose payload is below the upper half is one, too.
  const isNumber = x.eq(x).and(result.eq(result));
  isNumber.select(upper(result.reinterpret()), COARSE_NAN).reinterpret().push();
  f.release();
  e.set(operandAt(i, 0), "f64");
}

/** The magnitude of the second operand with the sign of the first. */
function emitCopysign(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  e.push(operandAt(i, 2), type);
  e.push(operandAt(i, 1), type);
  e.code.op(type === "f32" ? "f32Copysign" : "f64Copysign");
  e.set(operandAt(i, 0), type);
}

function emitTestp(e: Emitter, i: Instruction): void {
  const type = floatName(i);
  const f = new Formula(e.code, e.parts);
  const x = f.let(f.value(type, () => e.push(operandAt(i, 1), type)).abs());
  const normalMin = type === "f32" ? 2 ** -126 : 2 ** -1022;
  tested(i, x, normalMin).push();
  f.release();
  e.set(operandAt(i, 0), "pred");
}

function tested(i: Instruction, x: Value, normalMin: number): Value {
  switch (i.modifiers[0]) {
    case "finite":
      return x.lt(Infinity);
    case "infinite":
      return x.eq(Infinity);
    case "number":
      return x.eq(x);
    case "notanumber":
      return x.ne(x);
    case "normal":
      return x.ge(normalMin).and(x.lt(Infinity));
    default:
      return x.gt(0).and(x.lt(normalMin));
  }
}

/** What the lists cannot say: which type has which form. */
function checkDivision(i: Instruction): void {
  const type = typeAt(i);
  const has = (word: string): boolean => i.modifiers.includes(word);
  if (!isFloat(type)) {
    if (i.modifiers.length > 0) throw unsupported(i, `modifiers are not for .${type}`);
    return;
  }
  const isApproximate = has("approx") || has("full");
  const rounding = i.modifiers.some((word) => (ROUNDINGS as readonly string[]).includes(word));
  if (isApproximate === rounding) throw unsupported(i, "expected a rounding or an approximation");
  if (type === "f32") return;
  const { name } = i.row;
  const isAllowed = name === "rcp"
    ? has("ftz") === has("approx")
    : name === "rsqrt" || (!has("ftz") && !isApproximate);
  if (!isAllowed) throw unsupported(i, "no such form of .f64");
}

const FORMS = [...ROUNDINGS, "approx", "ftz"] as const;

export const FLOAT_ROWS: readonly OpcodeRow[] = [
  {
    name: "div",
    types: [[...TYPES.int, ...TYPES.float]],
    modifiers: [...FORMS, "full"],
    operands: [3, 3],
    effect: "pure",
    note: "an integer by 0 is all ones; .approx and .full are correctly rounded",
    check: checkDivision,
    scalar: (e, i) => isInteger(typeAt(i)) ? emitDivRem(e, i, "div") : emitFloatDiv(e, i),
  },
  {
    name: "rcp",
    types: [TYPES.float],
    modifiers: FORMS,
    operands: [2, 2],
    effect: "pure",
    note: ".approx.f32 is correctly rounded",
    check: checkDivision,
    scalar: emitRcp,
  },
  {
    name: "sqrt",
    types: [TYPES.float],
    modifiers: FORMS,
    operands: [2, 2],
    effect: "pure",
    note: ".approx is correctly rounded",
    check: checkDivision,
    scalar: emitSqrt,
  },
  {
    name: "rsqrt",
    types: [TYPES.float],
    modifiers: ["approx", "ftz"],
    operands: [2, 2],
    effect: "pure",
    note: ".f32 is within 0.501 units of the last place",
    check: checkDivision,
    scalar: emitRsqrt,
  },
  {
    name: "copysign",
    types: [TYPES.float],
    operands: [3, 3],
    effect: "pure",
    scalar: emitCopysign,
  },
  {
    name: "testp",
    types: [TYPES.float],
    modifiers: ["finite", "infinite", "number", "notanumber", "normal", "subnormal"],
    operands: [2, 2],
    effect: "pure",
    scalar: emitTestp,
  },
];
