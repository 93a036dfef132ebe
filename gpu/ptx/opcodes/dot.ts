/**
 * dp4a and dp2a: dot products of the small integers in two registers (PTX ISA 9.7.1.23, 9.7.1.24).
 *
 * Owns their emission. Bytes become words of 16 bits, which hold them signed and unsigned, so that one vector
 * instruction multiplies and adds them. Invariant: sums wrap in 32 bits.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

function emitDot4(e: Emitter, i: Instruction): void {
  const { code } = e;
  const sums = code.temp("v128");
  for (const index of [0, 1]) {
    e.push(operandAt(i, index + 1), "b32");
    code.op("i32x4Splat");
    code.op(typeAt(i, index) === "s32" ? "i16x8ExtendLowI8x16S" : "i16x8ExtendLowI8x16U");
  }
  code.op("i32x4DotI16x8S");
  code.tee(sums);
  code.lane("i32x4Extract", 0);
  code.get(sums);
  code.lane("i32x4Extract", 1);
  code.op("i32Add");
  e.push(operandAt(i, 3), "b32");
  code.op("i32Add");
  e.set(operandAt(i, 0), "b32");
  code.release("v128", sums);
}

function checkHalf(i: Instruction): void {
  if (i.modifiers.length !== 1) throw unsupported(i, "expected .lo or .hi");
}

/** The two halves of a with the lower or the upper two bytes of b. */
function emitDot2(e: Emitter, i: Instruction): void {
  const { code } = e;
  const first = i.modifiers.includes("hi") ? 2 : 0;
  for (const index of [0, 1]) {
    pushPart(e, operandAt(i, 1), typeAt(i, 0), 16, 16 * index);
    pushPart(e, operandAt(i, 2), typeAt(i, 1), 8, 8 * (first + index));
    code.op("i32Mul");
  }
  code.op("i32Add");
  e.push(operandAt(i, 3), "b32");
  code.op("i32Add");
  e.set(operandAt(i, 0), "b32");
}

/** Pushes a part of an operand, extended by the sign of the type. */
function pushPart(e: Emitter, operand: PtxOperand, type: PtxType, bits: 8 | 16, from: number): void {
  const { code } = e;
  e.push(operand, "b32");
  if (from > 0) {
    code.i32(from);
    code.op("i32ShrU");
  }
  if (type.startsWith("s")) code.op(bits === 8 ? "i32Extend8S" : "i32Extend16S");
  else if (from + bits < 32) {
    code.i32(2 ** bits - 1);
    code.op("i32And");
  }
}

export const DOT_ROWS: readonly OpcodeRow[] = [
  {
    name: "dp4a",
    types: [TYPES.int32, TYPES.int32],
    operands: [4, 4],
    effect: "pure",
    scalar: emitDot4,
  },
  {
    name: "dp2a",
    types: [TYPES.int32, TYPES.int32],
    modifiers: ["lo", "hi"],
    operands: [4, 4],
    effect: "pure",
    check: checkHalf,
    scalar: emitDot2,
  },
];
