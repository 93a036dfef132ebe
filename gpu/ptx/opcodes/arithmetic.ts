/**
 * Rows of the opcodes that are shared by integers and floats: add, sub, mul, mad, fma, div, rem, min, max, …
 *
 * Owns which types and modifiers they take (PTX ISA 9.7.1 to 9.7.4) and the choice of the emission by type.
 * Emission is in integer.ts, float.ts and half.ts. Invariant: a modifier that changes the result and is not
 * listed is refused.
 */
import type { PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { emitFloatAbsNeg, emitFloatBinary, emitFloatFma, emitFloatMinMax, isFloat } from "./float.ts";
import { emitHalfAbsNeg, emitHalfBinary, emitHalfFma, emitHalfMinMax, isHalf } from "./half.ts";
import {
  emitAddSub,
  emitDivRem,
  emitMad,
  emitMul,
  emitMul24,
  emitWithCarry,
  isInteger,
  typeAt,
} from "./integer.ts";
import { emitAbsNeg, emitCnot, emitLogic, emitMinMax, emitNot, emitSad, emitShift } from "./integer_logic.ts";
import { emitPackedAdd, emitPackedMinMax } from "./packed16.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

const ROUNDINGS = ["rn", "rz", "rm", "rp"] as const;
const NUMBERS: readonly PtxType[] = [...TYPES.int, ...TYPES.float, ...TYPES.half];

/** Modifiers by the kind of type they are for (PTX ISA 9.7.1, 9.7.3, 9.7.4). */
const FORMS: Readonly<Record<"integer" | "f32" | "f64" | "f16" | "bf16", readonly string[]>> = {
  integer: ["sat", "cc", "lo", "hi", "wide", "relu"],
  f32: [...ROUNDINGS, "ftz", "sat", "NaN", "xorsign", "abs"],
  f64: ROUNDINGS,
  f16: ["rn", "ftz", "sat", "relu", "NaN", "xorsign", "abs"],
  bf16: ["rn", "relu", "NaN", "xorsign", "abs"],
};

/** Refuses modifiers of one type on another, and the third operand where there is none. */
function checkForm(i: Instruction): void {
  const type = typeAt(i);
  const kind = isInteger(type) ? "integer" : isFloat(type) ? type : type.startsWith("f16") ? "f16" : "bf16";
  const wrong = i.modifiers.find((word) => !FORMS[kind].includes(word));
  if (wrong !== undefined) throw unsupported(i, `.${wrong} is not for .${type}`);
  const isExtremum = i.row.name === "min" || i.row.name === "max";
  if (isExtremum && i.operands.length > 3 && type !== "f32") {
    throw unsupported(i, "three inputs are for .f32");
  }
}

/** Two integers of 16 bits in one register. */
function isPacked16(i: Instruction): boolean {
  return /^[us]16x2$/.test(typeAt(i));
}

type Emit = (e: Emitter, i: Instruction) => void;

/** The emission for the kind of type that an instruction has. */
function byType(integer: Emit, float: Emit, half: Emit): Emit {
  return (e, i) => {
    const type = typeAt(i);
    (isInteger(type) ? integer : isHalf(type) ? half : float)(e, i);
  };
}

export const ARITHMETIC_ROWS: readonly OpcodeRow[] = [
  {
    name: "add",
    types: [[...NUMBERS, "u16x2", "s16x2", "b32", "b64"]],
    modifiers: [...ROUNDINGS, "ftz", "sat", "cc"],
    operands: [3, 3],
    effect: "pure",
    lattice: "add",
    check: checkForm,
    scalar: byType(
      (e, i) => isPacked16(i) ? emitPackedAdd(e, i) : emitAddSub(e, i, "Add"),
      (e, i) => emitFloatBinary(e, i, "add"),
      (e, i) => emitHalfBinary(e, i, "add"),
    ),
  },
  {
    name: "sub",
    types: [[...NUMBERS, "b32", "b64"]],
    modifiers: [...ROUNDINGS, "ftz", "sat", "cc"],
    operands: [3, 3],
    effect: "pure",
    lattice: "sub",
    check: checkForm,
    scalar: byType(
      (e, i) => emitAddSub(e, i, "Sub"),
      (e, i) => emitFloatBinary(e, i, "sub"),
      (e, i) => emitHalfBinary(e, i, "sub"),
    ),
  },
  {
    name: "addc",
    types: [[...TYPES.int3264]],
    modifiers: ["cc"],
    operands: [4, 4],
    effect: "pure",
    scalar: (e, i) => emitWithCarry(e, i, "Add"),
  },
  {
    name: "subc",
    types: [[...TYPES.int3264]],
    modifiers: ["cc"],
    operands: [4, 4],
    effect: "pure",
    scalar: (e, i) => emitWithCarry(e, i, "Sub"),
  },
  {
    name: "mul",
    types: [NUMBERS],
    modifiers: [...ROUNDINGS, "ftz", "sat", "lo", "hi", "wide"],
    operands: [3, 3],
    effect: "pure",
    lattice: "mul",
    check: checkForm,
    scalar: byType(
      emitMul,
      (e, i) => emitFloatBinary(e, i, "mul"),
      (e, i) => emitHalfBinary(e, i, "mul"),
    ),
  },
  {
    name: "mad",
    types: [NUMBERS],
    modifiers: [...ROUNDINGS, "ftz", "sat", "lo", "hi", "wide", "cc"],
    operands: [4, 4],
    effect: "pure",
    lattice: "mad",
    check: checkForm,
    scalar: byType(emitMad, emitFloatFma, emitHalfFma),
  },
  {
    name: "madc",
    types: [[...TYPES.int3264]],
    modifiers: ["lo", "hi", "cc"],
    operands: [5, 5],
    effect: "pure",
    scalar: emitMad,
  },
  {
    name: "fma",
    types: [[...TYPES.float, ...TYPES.half]],
    modifiers: [...ROUNDINGS, "ftz", "sat", "relu"],
    operands: [4, 4],
    effect: "pure",
    check: checkForm,
    scalar: byType(emitMad, emitFloatFma, emitHalfFma),
  },
  {
    name: "mul24",
    types: [TYPES.int32],
    modifiers: ["lo", "hi"],
    operands: [3, 3],
    effect: "pure",
    scalar: (e, i) => emitMul24(e, i, false),
  },
  {
    name: "mad24",
    types: [TYPES.int32],
    modifiers: ["lo", "hi", "sat"],
    operands: [4, 4],
    effect: "pure",
    scalar: (e, i) => emitMul24(e, i, true),
  },
  {
    name: "rem",
    types: [TYPES.int],
    operands: [3, 3],
    effect: "pure",
    note: "a % 0 is a",
    scalar: (e, i) => emitDivRem(e, i, "rem"),
  },
  minMaxRow("min"),
  minMaxRow("max"),
  absNegRow("abs"),
  absNegRow("neg"),
  { name: "sad", types: [TYPES.int], operands: [4, 4], effect: "pure", scalar: emitSad },
  {
    name: "and",
    types: [TYPES.bitsAndPred],
    operands: [3, 3],
    effect: "pure",
    scalar: (e, i) => emitLogic(e, i, "And"),
  },
  {
    name: "or",
    types: [TYPES.bitsAndPred],
    operands: [3, 3],
    effect: "pure",
    scalar: (e, i) => emitLogic(e, i, "Or"),
  },
  {
    name: "xor",
    types: [TYPES.bitsAndPred],
    operands: [3, 3],
    effect: "pure",
    scalar: (e, i) => emitLogic(e, i, "Xor"),
  },
  { name: "not", types: [TYPES.bitsAndPred], operands: [2, 2], effect: "pure", scalar: emitNot },
  { name: "cnot", types: [TYPES.bits], operands: [2, 2], effect: "pure", scalar: emitCnot },
  {
    name: "shl",
    types: [[...TYPES.bits, ...TYPES.int]],
    operands: [3, 3],
    effect: "pure",
    lattice: "shl",
    scalar: (e, i) => emitShift(e, i, "shl"),
  },
  {
    name: "shr",
    types: [[...TYPES.bits, ...TYPES.int]],
    operands: [3, 3],
    effect: "pure",
    scalar: (e, i) => emitShift(e, i, "shr"),
  },
];

function minMaxRow(name: "min" | "max"): OpcodeRow {
  return {
    name,
    types: [[...NUMBERS, "u16x2", "s16x2"]],
    modifiers: ["ftz", "NaN", "xorsign", "abs", "relu"],
    operands: [3, 4],
    effect: "pure",
    check: checkForm,
    scalar: byType(
      (e, i) => isPacked16(i) ? emitPackedMinMax(e, i, name) : emitMinMax(e, i, name),
      (e, i) => emitFloatMinMax(e, i, name),
      (e, i) => emitHalfMinMax(e, i, name),
    ),
  };
}

function absNegRow(name: "abs" | "neg"): OpcodeRow {
  return {
    name,
    types: [[...NUMBERS]],
    modifiers: ["ftz"],
    operands: [2, 2],
    effect: "pure",
    check: checkForm,
    scalar: byType(
      (e, i) => emitAbsNeg(e, i, name),
      (e, i) => emitFloatAbsNeg(e, i, name),
      (e, i) => emitHalfAbsNeg(e, i, name),
    ),
  };
}
