/**
 * Rows that compare and choose: setp, set, selp, slct (PTX ISA 9.7.6), for integers and f32/f64.
 *
 * Owns the comparison operators, ordered and unordered, and their combination with a predicate. Comparisons of
 * half types are half.ts's. Invariant: an unordered operator is true when an operand is NaN, an ordered one false.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emitter.ts";
import { storageOf } from "../ir.ts";
import type { Instruction } from "../ir.ts";
import { pushFlushed } from "./float.ts";
import { emitHalfSet, isHalf, pushHalfComparison } from "./half.ts";
import { isInteger, operandAt, typeAt, widthOp } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

/** The operators; `u` at the end of a float's is "or unordered". */
const OPERATORS = [
  ...["eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"],
  ...["equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"],
] as const;
const COMBINATIONS = ["and", "or", "xor"] as const;

const INTEGER_NAMES: Readonly<Record<string, string>> = {
  lt: "Lt",
  le: "Le",
  gt: "Gt",
  ge: "Ge",
  lo: "Lt",
  ls: "Le",
  hi: "Gt",
  hs: "Ge",
};
const FLOAT_NAMES: Readonly<Record<string, string>> = {
  eq: "Eq",
  ne: "Ne",
  lt: "Lt",
  le: "Le",
  gt: "Gt",
  ge: "Ge",
};
/** The ordered operator that is false exactly when an unordered one is true. */
const OPPOSITES: Readonly<Record<string, string>> = {
  equ: "ne",
  neu: "eq",
  ltu: "ge",
  leu: "gt",
  gtu: "le",
  geu: "lt",
};

/** The comparison operator of an instruction. */
export function operatorOf(i: Instruction): string {
  const operator = i.modifiers.find((word) => (OPERATORS as readonly string[]).includes(word));
  if (operator === undefined) throw unsupported(i, "expected a comparison operator");
  return operator;
}

/** Pushes 1 if two operands compare so, else 0. */
function pushComparison(e: Emitter, i: Instruction, type: PtxType, a: PtxOperand, b: PtxOperand): void {
  const operator = operatorOf(i);
  if (isInteger(type)) return pushIntegerComparison(e, i, operator, type, a, b);
  if (type === "f32" || type === "f64") return pushFloatComparison(e, i, operator, type, a, b);
  if (isHalf(type)) return pushHalfComparison(e, i, operator, type, a, b);
  throw unsupported(i, `comparison of .${type}`);
}

function pushIntegerComparison(
  e: Emitter,
  i: Instruction,
  operator: string,
  type: PtxType,
  a: PtxOperand,
  b: PtxOperand,
): void {
  e.pushInt(a, type);
  e.pushInt(b, type);
  if (operator === "eq" || operator === "ne") {
    return e.code.op(widthOp(type, operator === "eq" ? "Eq" : "Ne"));
  }
  const name = INTEGER_NAMES[operator];
  if (name === undefined) throw unsupported(i, `.${operator} is not for integers`);
  const isUnsigned = !type.startsWith("s") || /^(lo|ls|hi|hs)$/.test(operator);
  e.code.op(widthOp(type, `${name}${isUnsigned ? "U" : "S"}`));
}

function pushFloatComparison(
  e: Emitter,
  i: Instruction,
  operator: string,
  type: "f32" | "f64",
  a: PtxOperand,
  b: PtxOperand,
): void {
  const { code } = e;
  const ordered = (name: string): void => {
    pushFlushed(e, i, a);
    pushFlushed(e, i, b);
    code.op(widthOp(type, FLOAT_NAMES[name] ?? "Eq"));
  };
  const isNumber = (operand: PtxOperand): void => {
    e.push(operand, type);
    e.push(operand, type);
    code.op(widthOp(type, "Eq"));
  };
  const opposite = OPPOSITES[operator];
  if (operator === "num" || operator === "nan") {
    isNumber(a);
    isNumber(b);
    code.op("i32And");
    if (operator === "nan") code.op("i32Eqz");
  } else if (operator === "ne") {
    // The engine's "not equal" is true of a NaN; PTX's ordered one is not.
    ordered("ne");
    isNumber(a);
    isNumber(b);
    code.op("i32And", "i32And");
  } else if (operator === "equ") {
    ordered("eq");
    isNumber(a);
    isNumber(b);
    code.op("i32And", "i32Eqz", "i32Or");
  } else if (operator === "neu") ordered("ne");
  else if (opposite !== undefined) {
    ordered(opposite);
    code.op("i32Eqz");
  } else if (FLOAT_NAMES[operator] !== undefined) ordered(operator);
  else throw unsupported(i, `.${operator} is not for floats`);
}

/** Combines what is on the stack with the predicate of the fourth operand, if there is one. */
export function combine(e: Emitter, i: Instruction): void {
  const predicate = i.operands[3];
  if (predicate === undefined) return;
  e.push(predicate, "pred");
  const name = i.modifiers.find((word) => (COMBINATIONS as readonly string[]).includes(word));
  e.code.op(name === "or" ? "i32Or" : name === "xor" ? "i32Xor" : "i32And");
}

function emitSetp(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  const target = operandAt(i, 0);
  const { code } = e;
  const result = code.temp("i32");
  pushComparison(e, i, type, operandAt(i, 1), operandAt(i, 2));
  code.set(result);
  if (target.kind === "pair") {
    // The second result is the negated comparison, combined in the same way.
    const second = code.temp("i32");
    code.get(result);
    code.op("i32Eqz");
    combine(e, i);
    code.set(second);
    code.get(result);
    combine(e, i);
    e.set(target.first, "pred");
    code.get(second);
    e.set(target.second, "pred");
    code.release("i32", second);
  } else {
    code.get(result);
    combine(e, i);
    e.set(target, "pred");
  }
  code.release("i32", result);
}

/** All ones or 1.0 for true, by the result's type. */
function emitSet(e: Emitter, i: Instruction): void {
  const { code } = e;
  const target = typeAt(i, 0);
  pushComparison(e, i, typeAt(i, 1), operandAt(i, 1), operandAt(i, 2));
  combine(e, i);
  if (target === "f32") code.op("f32ConvertI32U");
  else if (isInteger(target) && storageOf(target) === "i32") {
    const truth = code.temp("i32");
    code.set(truth);
    code.i32(0);
    code.get(truth);
    code.op("i32Sub");
    code.release("i32", truth);
  } else throw unsupported(i, `result of type .${target}`);
  e.set(operandAt(i, 0), target);
}

function emitSelp(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  e.push(operandAt(i, 2), type);
  e.push(operandAt(i, 3), "pred");
  e.code.op("select");
  e.set(operandAt(i, 0), type);
}

/** a if c is not negative, else b; a NaN chooses b. */
function emitSlct(e: Emitter, i: Instruction): void {
  const [type, by] = [typeAt(i, 0), typeAt(i, 1)];
  e.push(operandAt(i, 1), type);
  e.push(operandAt(i, 2), type);
  if (by === "s32") {
    e.push(operandAt(i, 3), "s32");
    e.code.i32(0);
    e.code.op("i32GeS");
  } else {
    pushFlushed(e, i, operandAt(i, 3), "f32");
    e.code.f32(0);
    e.code.op("f32Ge");
  }
  e.code.op("select");
  e.set(operandAt(i, 0), type);
}

const COMPARED: readonly PtxType[] = [...TYPES.bits, ...TYPES.int, ...TYPES.float, ...TYPES.half];

export const COMPARE_ROWS: readonly OpcodeRow[] = [
  {
    name: "setp",
    types: [COMPARED],
    modifiers: [...OPERATORS, ...COMBINATIONS, "ftz"],
    operands: [3, 4],
    effect: "pure",
    scalar: emitSetp,
  },
  {
    name: "set",
    types: [["u32", "s32", "f32", "f16", "bf16", "f16x2", "bf16x2", "u16", "s16"], COMPARED],
    modifiers: [...OPERATORS, ...COMBINATIONS, "ftz"],
    operands: [3, 4],
    effect: "pure",
    scalar: (e, i) => {
      if (isHalf(typeAt(i, 0)) || isHalf(typeAt(i, 1))) return emitHalfSet(e, i);
      emitSet(e, i);
    },
  },
  {
    name: "selp",
    types: [[...TYPES.bits, ...TYPES.int, ...TYPES.float, "f16", "bf16", "pred"]],
    operands: [4, 4],
    effect: "pure",
    scalar: emitSelp,
  },
  {
    name: "slct",
    types: [[...TYPES.bits, ...TYPES.int, ...TYPES.float], ["s32", "f32"]],
    modifiers: ["ftz"],
    operands: [4, 4],
    effect: "pure",
    scalar: emitSlct,
  },
];
