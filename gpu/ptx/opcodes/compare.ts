/**
 * Rows that compare and choose: setp, set, selp, slct (PTX ISA 9.7.6), for every type.
 *
 * Owns the comparison of integers, the combination with a predicate and the choice between values. Comparisons of
 * floats are float_compare.ts's. Invariant: a register that is read and written by one instruction is read first.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { NORMAL_MIN_F32 } from "./float.ts";
import { compareFloats } from "./float_compare.ts";
import { halfName, isHalf, isPair } from "./half.ts";
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
/** The comparison operator of an instruction. */
function operatorOf(i: Instruction): string {
  const operator = i.modifiers.find((word) => (OPERATORS as readonly string[]).includes(word));
  if (operator === undefined) throw unsupported(i, "expected a comparison operator");
  return operator;
}

/**
 * Results of the comparison of two operands, each 0 or 1, in locals that the caller gives back: one, or those of
 * the halves of a pair.
 */
function compare(e: Emitter, i: Instruction, type: PtxType, a: PtxOperand, b: PtxOperand): readonly number[] {
  const operator = operatorOf(i);
  if (!isInteger(type)) return compareFloats(e, i, operator, type, [a, b]);
  const result = e.code.temp("i32");
  pushIntegerComparison(e, i, operator, type, a, b);
  e.code.set(result);
  return [result];
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
  const results = compare(e, i, type, operandAt(i, 1), operandAt(i, 2));
  const [first, second] = results;
  if (first === undefined) return;
  if (target.kind === "pair") {
    const other = code.temp("i32");
    if (second === undefined) {
      // The second result is the negated comparison, combined in the same way.
      code.get(first);
      code.op("i32Eqz");
    } else code.get(second);
    combine(e, i);
    // The first result may be the predicate that is combined with.
    code.set(other);
    code.get(first);
    combine(e, i);
    e.set(target.first, "pred");
    code.get(other);
    e.set(target.second, "pred");
    code.release("i32", other);
  } else {
    code.get(first);
    combine(e, i);
    e.set(target, "pred");
  }
  for (const result of results) code.release("i32", result);
}

/** All ones or 1.0 for true, by the result's type. */
function emitSet(e: Emitter, i: Instruction): void {
  const { code } = e;
  const target = typeAt(i, 0);
  const results = compare(e, i, typeAt(i, 1), operandAt(i, 1), operandAt(i, 2));
  results.forEach((result, part) => {
    code.get(result);
    combine(e, i);
    if (target === "f32") code.op("f32ConvertI32U");
    else if (isHalf(target)) {
      code.i32(halfName(target) === "f16" ? 0x3c00 : 0x3f80);
      code.op("i32Mul");
    } else {
      // Of a pair, each half of the integer is a mask.
      code.i32(results.length === 1 ? -1 : 0xffff);
      code.op("i32Mul");
    }
    if (part === 0) return;
    code.i32(16);
    code.op("i32Shl", "i32Or");
  });
  for (const result of results) code.release("i32", result);
  e.set(operandAt(i, 0), target);
}

/** What is compared in pairs gives a pair, or an integer of two masks. */
function checkSet(i: Instruction): void {
  const [target, source] = [typeAt(i, 0), typeAt(i, 1)];
  const isMask = target === "u32" || target === "s32";
  if (isPair(target) !== isPair(source) && !(isMask && isPair(source))) {
    throw unsupported(i, "types do not match");
  }
  operatorOf(i);
}

/** An operator fits its type; the halves of a pair are compared into a predicate each. */
function checkSetp(i: Instruction): void {
  const operator = operatorOf(i);
  const type = typeAt(i);
  const isKnown = isInteger(type)
    ? operator === "eq" || operator === "ne" || INTEGER_NAMES[operator] !== undefined
    : !/^(lo|ls|hi|hs)$/.test(operator);
  if (!isKnown) throw unsupported(i, `.${operator} is not for .${type}`);
  if (isPair(type) && operandAt(i, 0).kind !== "pair") throw unsupported(i, "expected two results");
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
    // A subnormal is on the same side of zero as the zero that it would be flushed to, but for -0.
    e.push(operandAt(i, 3), "f32");
    e.code.f32(i.modifiers.includes("ftz") ? -NORMAL_MIN_F32 : 0);
    e.code.op(i.modifiers.includes("ftz") ? "f32Gt" : "f32Ge");
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
    check: checkSetp,
    scalar: emitSetp,
  },
  {
    name: "set",
    types: [["u32", "s32", "f32", "f16", "bf16", "f16x2", "bf16x2", "u16", "s16"], COMPARED],
    modifiers: [...OPERATORS, ...COMBINATIONS, "ftz"],
    operands: [3, 4],
    effect: "pure",
    check: checkSet,
    scalar: emitSet,
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
