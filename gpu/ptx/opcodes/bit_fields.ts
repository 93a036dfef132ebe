/**
 * Bit fields: bfe, bfi, bmsk, szext (PTX ISA 9.7.1).
 *
 * Owns the short forms for constant places and lengths; variable ones of bfe and bfi are helpers. Invariant: of a
 * place and a length only the low byte counts, and what lies beyond the width does what PTX says.
 */
import { bytesOf } from "../ast.ts";
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { HelperName } from "../helpers/mod.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt, widthOp } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

function lowByte(operand: PtxOperand): number | undefined {
  return operand.kind === "integer" ? Number(operand.value & 255n) : undefined;
}

function pushConstant(e: Emitter, type: PtxType, value: bigint): void {
  if (storageOf(type) === "i64") e.code.i64(value);
  else e.code.i32(Number(BigInt.asIntN(32, value)));
}

function emitExtract(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  const [target, a, b, c] = [operandAt(i, 0), operandAt(i, 1), operandAt(i, 2), operandAt(i, 3)];
  const [position, length] = [lowByte(b), lowByte(c)];
  if (position !== undefined && length !== undefined) pushField(e, type, a, position, length);
  else {
    e.push(a, type);
    e.push(b, "u32");
    e.push(c, "u32");
    e.call(`bfe${type.toUpperCase()}` as HelperName);
  }
  e.set(target, type);
}

function pushField(e: Emitter, type: PtxType, a: PtxOperand, position: number, length: number): void {
  const bits = 8 * bytesOf(type);
  const isSigned = type.startsWith("s");
  if (length === 0 || (position >= bits && !isSigned)) return pushConstant(e, type, 0n);
  const first = Math.min(position, bits - 1);
  const count = Math.min(length, bits - first);
  e.push(a, type);
  const shift = (name: string, amount: number): void => {
    if (amount === 0) return;
    pushConstant(e, type, BigInt(amount));
    e.code.op(widthOp(type, name));
  };
  if (isSigned) {
    shift("Shl", bits - first - count);
    return shift("ShrS", bits - count);
  }
  shift("ShrU", first);
  if (first + count >= bits) return;
  pushConstant(e, type, (1n << BigInt(count)) - 1n);
  e.code.op(widthOp(type, "And"));
}

function emitInsert(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const bits = 8 * bytesOf(type);
  const [target, a, b] = [operandAt(i, 0), operandAt(i, 1), operandAt(i, 2)];
  const [c, d] = [operandAt(i, 3), operandAt(i, 4)];
  const [position, length] = [lowByte(c), lowByte(d)];
  if (position === undefined || length === undefined) {
    e.push(a, type);
    e.push(b, type);
    e.push(c, "u32");
    e.push(d, "u32");
    e.call(bits === 64 ? "bfiB64" : "bfiB32");
  } else {
    const mask = BigInt.asUintN(bits, ((1n << BigInt(length)) - 1n) << BigInt(position));
    if (mask === 0n) e.push(b, type);
    else {
      e.push(a, type);
      if (position > 0) {
        pushConstant(e, type, BigInt(position));
        code.op(widthOp(type, "Shl"));
      }
      if (position + length < bits) {
        pushConstant(e, type, mask);
        code.op(widthOp(type, "And"));
      }
      if (mask !== BigInt.asUintN(bits, -1n)) {
        e.push(b, type);
        pushConstant(e, type, ~mask);
        code.op(widthOp(type, "And"), widthOp(type, "Or"));
      }
    }
  }
  e.set(target, type);
}

function isClamped(i: Instruction): boolean {
  return i.modifiers.includes("clamp");
}

function checkMode(i: Instruction): void {
  if (i.modifiers.length !== 1) throw unsupported(i, "expected .clamp or .wrap");
}

/** Pushes an amount as an i64: at most 32, or modulo 32. */
function pushAmount(e: Emitter, i: Instruction, index: number): void {
  const { code } = e;
  const operand = operandAt(i, index);
  e.push(operand, "u32");
  if (isClamped(i)) {
    code.i32(32);
    e.push(operand, "u32");
    code.i32(32);
    code.op("i32LtU", "select");
  } else {
    code.i32(31);
    code.op("i32And");
  }
  code.op("i64ExtendI32U");
}

/** A run of ones: in 64 bits no amount is too large. */
function emitMask(e: Emitter, i: Instruction): void {
  const { code } = e;
  code.i64(1n);
  pushAmount(e, i, 2);
  code.op("i64Shl");
  code.i64(1n);
  code.op("i64Sub");
  pushAmount(e, i, 1);
  code.op("i64Shl", "i32WrapI64");
  e.set(operandAt(i, 0), "b32");
}

/** The low b bits, extended. */
function emitExtend(e: Emitter, i: Instruction): void {
  const { code } = e;
  const width = code.temp("i64");
  // All of 32 bits are kept where nothing is to be cut: 32 bits of the upper half, shifted down as far.
  code.i64(64n);
  pushAmount(e, i, 2);
  code.op("i64Sub");
  code.set(width);
  e.push(operandAt(i, 1), "b32");
  code.op("i64ExtendI32U");
  code.get(width);
  code.op("i64Shl");
  code.get(width);
  code.op(typeAt(i) === "s32" ? "i64ShrS" : "i64ShrU", "i32WrapI64");
  // Of no bits the shifts, by 64 and so by none, would leave all.
  code.i32(0);
  code.get(width);
  code.i64(64n);
  code.op("i64LtU", "select");
  e.set(operandAt(i, 0), "b32");
  code.release("i64", width);
}

export const BIT_FIELD_ROWS: readonly OpcodeRow[] = [
  {
    name: "bfe",
    types: [["u32", "s32", "u64", "s64"]],
    operands: [4, 4],
    effect: "pure",
    scalar: emitExtract,
  },
  { name: "bfi", types: [["b32", "b64"]], operands: [5, 5], effect: "pure", scalar: emitInsert },
  {
    name: "bmsk",
    types: [["b32"]],
    modifiers: ["clamp", "wrap"],
    operands: [3, 3],
    effect: "pure",
    check: checkMode,
    scalar: emitMask,
  },
  {
    name: "szext",
    types: [["u32", "s32"]],
    modifiers: ["clamp", "wrap"],
    operands: [3, 3],
    effect: "pure",
    check: checkMode,
    scalar: emitExtend,
  },
];
