/**
 * Rows of the opcodes that are shared by integers and floats: add, sub, mul, mad, fma, div, rem, min, max, …
 *
 * Owns which types and modifiers they take (PTX ISA 9.7.1 to 9.7.4) and the choice of the emission by type.
 * Emission is in integer.ts, float.ts and half.ts. Invariant: a modifier that changes the result and is not
 * listed is refused.
 */
import type { PtxType } from "../ast.ts";
import { emitFloatAbsNeg, emitFloatBinary, emitFloatFma, emitFloatMinMax } from "./float.ts";
import {
  emitAbsNeg,
  emitAddSub,
  emitCnot,
  emitDivRem,
  emitLogic,
  emitMad,
  emitMinMax,
  emitMul,
  emitMul24,
  emitNot,
  emitSad,
  emitShift,
  emitWithCarry,
  isInteger,
  typeAt,
} from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES } from "./row.ts";

const ROUNDINGS = ["rn", "rz", "rm", "rp"] as const;
const NUMBERS: readonly PtxType[] = [...TYPES.int, ...TYPES.float, ...TYPES.half];

export const ARITHMETIC_ROWS: readonly OpcodeRow[] = [
  {
    name: "add",
    types: [[...NUMBERS, "u16", "b32", "b64"]],
    modifiers: [...ROUNDINGS, "ftz", "sat", "cc"],
    operands: [3, 3],
    effect: "pure",
    lattice: "add",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitAddSub(e, i, "Add") : emitFloatBinary(e, i, "add"),
  },
  {
    name: "sub",
    types: [[...NUMBERS, "b32", "b64"]],
    modifiers: [...ROUNDINGS, "ftz", "sat", "cc"],
    operands: [3, 3],
    effect: "pure",
    lattice: "sub",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitAddSub(e, i, "Sub") : emitFloatBinary(e, i, "sub"),
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
    scalar: (e, i) => isInteger(typeAt(i)) ? emitMul(e, i) : emitFloatBinary(e, i, "mul"),
  },
  {
    name: "mad",
    types: [NUMBERS],
    modifiers: [...ROUNDINGS, "ftz", "sat", "lo", "hi", "wide", "cc"],
    operands: [4, 4],
    effect: "pure",
    lattice: "mad",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitMad(e, i) : emitFloatFma(e, i),
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
    scalar: emitFloatFma,
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
    modifiers: ["lo", "hi"],
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
  {
    name: "min",
    types: [[...NUMBERS, "u16x2" as PtxType, "s16x2" as PtxType]],
    modifiers: ["ftz", "NaN", "xorsign", "abs", "relu"],
    operands: [3, 4],
    effect: "pure",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitMinMax(e, i, "min") : emitFloatMinMax(e, i, "min"),
  },
  {
    name: "max",
    types: [[...NUMBERS, "u16x2" as PtxType, "s16x2" as PtxType]],
    modifiers: ["ftz", "NaN", "xorsign", "abs", "relu"],
    operands: [3, 4],
    effect: "pure",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitMinMax(e, i, "max") : emitFloatMinMax(e, i, "max"),
  },
  {
    name: "abs",
    types: [[...NUMBERS]],
    modifiers: ["ftz"],
    operands: [2, 2],
    effect: "pure",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitAbsNeg(e, i, "abs") : emitFloatAbsNeg(e, i, "abs"),
  },
  {
    name: "neg",
    types: [[...NUMBERS]],
    modifiers: ["ftz"],
    operands: [2, 2],
    effect: "pure",
    scalar: (e, i) => isInteger(typeAt(i)) ? emitAbsNeg(e, i, "neg") : emitFloatAbsNeg(e, i, "neg"),
  },
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
