/**
 * Integer arithmetic of every width: what `add`, `mul` and their kin do for u16 to s64 (PTX ISA 9.7.1, 9.7.2).
 *
 * Owns the emission for integer types; arithmetic.ts chooses it by type, as the opcodes are shared with floats.
 * Narrow values are computed in 32 bits and cut when they are written. Invariant: nothing here traps.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import type { OpName } from "../wasm/code.ts";
import { unsupported } from "./row.ts";

/** Whether a type is one of integers (or plain bits). */
export function isInteger(type: PtxType): boolean {
  return /^[usb]\d/.test(type);
}

/** An operand by its place; the table's check has counted them. */
export function operandAt(instruction: Instruction, index: number): PtxOperand {
  const operand = instruction.operands[index];
  if (operand === undefined) throw unsupported(instruction, `operand ${index} is missing`);
  return operand;
}

/** The type by its place. */
export function typeAt(instruction: Instruction, index = 0): PtxType {
  return instruction.types[index] ?? "b32";
}

/** The WebAssembly operation of a name for the width of a type. */
export function widthOp(type: PtxType, name: string): OpName {
  return `${storageOf(type)}${name}` as OpName;
}

/** The type of twice the width. */
export function doubled(type: PtxType): PtxType {
  return `${type.charAt(0)}${16 * bytesOf(type)}` as PtxType;
}

export function emitAddSub(e: Emitter, i: Instruction, name: "Add" | "Sub"): void {
  const type = typeAt(i);
  const [target, a, b] = [operandAt(i, 0), operandAt(i, 1), operandAt(i, 2)];
  if (target.kind === "pair") return emitCarryOut(e, i, name);
  if (i.modifiers.includes("sat")) return emitSaturating(e, i, name);
  if (emitPointerMove(e, name, target, [a, b], type)) return;
  e.push(a, type);
  e.push(b, type);
  e.code.op(widthOp(type, name));
  e.set(target, type);
}

/** Pointer plus or minus an offset: the base need be neither added nor taken away. */
function emitPointerMove(
  e: Emitter,
  name: "Add" | "Sub",
  target: PtxOperand,
  [a, b]: readonly [PtxOperand, PtxOperand],
  type: PtxType,
): boolean {
  if (storageOf(type) !== "i64" || target.kind !== "register" || !isPointer(e, target)) return false;
  const [pointer, other] = name === "Sub" || isPointer(e, a) ? [a, b] : [b, a];
  if (pointer.kind !== "register" || !isPointer(e, pointer)) return false;
  e.pushRelative(pointer.register);
  e.push(other, type);
  e.code.op(`i64${name}`);
  e.setRelative(target.register);
  return true;
}

/** Whether an operand is a register that is kept without the base of device addresses. */
export function isPointer(e: Emitter, operand: PtxOperand): boolean {
  return operand.kind === "register" && e.facts.pointers.has(operand.register);
}

/** add.sat.s32: the nearest that fits. */
function emitSaturating(e: Emitter, i: Instruction, name: "Add" | "Sub"): void {
  if (typeAt(i) !== "s32") throw unsupported(i, ".sat is for .s32");
  const { code } = e;
  for (const index of [1, 2]) {
    e.push(operandAt(i, index), "s32");
    code.op("i64ExtendI32S");
  }
  code.op(name === "Add" ? "i64Add" : "i64Sub");
  pushClamped32(e);
  e.set(operandAt(i, 0), "s32");
}

/** Pushes a local's value, held between two bounds. */
function clampI64(e: Emitter, local: number, min: bigint, max: bigint): void {
  const { code } = e;
  code.get(local);
  code.i64(min);
  code.get(local);
  code.i64(min);
  code.op("i64GtS", "select");
  code.set(local);
  code.get(local);
  code.i64(max);
  code.get(local);
  code.i64(max);
  code.op("i64LtS", "select");
}

/** The carry is a register of its own, 0 or 1; of a subtraction it is the borrow. */
function emitCarryOut(e: Emitter, i: Instruction, name: "Add" | "Sub"): void {
  const target = operandAt(i, 0);
  if (target.kind !== "pair") return;
  const type = typeAt(i);
  const [a, b] = [operandAt(i, 1), operandAt(i, 2)];
  const carryIn = i.operands[3];
  const { code } = e;
  const storage = storageOf(type);
  const [first, sum, carry] = [code.temp(storage), code.temp(storage), code.temp("i32")];
  e.push(a, type);
  code.tee(first);
  e.push(b, type);
  code.op(widthOp(type, name));
  code.tee(sum);
  code.get(first);
  // A sum that is less than an operand wrapped; so did a difference that is greater.
  code.op(widthOp(type, name === "Add" ? "LtU" : "GtU"));
  code.set(carry);
  if (carryIn !== undefined) {
    code.get(sum);
    code.tee(first);
    e.push(carryIn, storage === "i64" ? "u64" : "u32");
    code.op(widthOp(type, name));
    code.tee(sum);
    code.get(first);
    code.op(widthOp(type, name === "Add" ? "LtU" : "GtU"));
    code.get(carry);
    code.op("i32Or");
    code.set(carry);
  }
  code.get(sum);
  e.set(target.first, type);
  code.get(carry);
  e.set(target.second, "pred");
  code.release(storage, first);
  code.release(storage, sum);
  code.release("i32", carry);
}

/** addc and subc: with the carry or borrow that the fourth operand holds. */
export function emitWithCarry(e: Emitter, i: Instruction, name: "Add" | "Sub"): void {
  const type = typeAt(i);
  if (operandAt(i, 0).kind === "pair") return emitCarryOut(e, i, name);
  e.push(operandAt(i, 1), type);
  e.push(operandAt(i, 2), type);
  e.code.op(widthOp(type, name));
  e.push(operandAt(i, 3), storageOf(type) === "i64" ? "u64" : "u32");
  e.code.op(widthOp(type, name));
  e.set(operandAt(i, 0), type);
}

/** Pushes the product of two operands as `mode` has it, of type `type` or twice it for `wide`. */
function pushProduct(e: Emitter, i: Instruction, a: PtxOperand, b: PtxOperand): PtxType {
  const type = typeAt(i);
  const { code } = e;
  const bits = 8 * bytesOf(type);
  const isSigned = type.startsWith("s");
  if (i.modifiers.includes("wide")) {
    if (bits === 64) throw unsupported(i, ".wide is for 16 and 32 bits");
    const wide = doubled(type);
    for (const operand of [a, b]) pushExtended(e, operand, type, wide);
    code.op(widthOp(wide, "Mul"));
    return wide;
  }
  if (i.modifiers.includes("hi")) {
    if (bits === 64) {
      e.push(a, type);
      e.push(b, type);
      e.call(isSigned ? "mulHiS64" : "mulHiU64");
      return type;
    }
    const wide = doubled(type);
    for (const operand of [a, b]) pushExtended(e, operand, type, wide);
    code.op(widthOp(wide, "Mul"));
    if (bits === 32) {
      code.i64(32n);
      code.op(isSigned ? "i64ShrS" : "i64ShrU", "i32WrapI64");
    } else {
      code.i32(16);
      code.op(isSigned ? "i32ShrS" : "i32ShrU");
    }
    return type;
  }
  e.push(a, type);
  e.push(b, type);
  code.op(widthOp(type, "Mul"));
  return type;
}

/** Pushes an operand of a narrow type, extended to a wider one. */
function pushExtended(e: Emitter, operand: PtxOperand, type: PtxType, wide: PtxType): void {
  e.pushInt(operand, type);
  if (storageOf(wide) === "i64" && storageOf(type) === "i32") {
    e.code.op(type.startsWith("s") ? "i64ExtendI32S" : "i64ExtendI32U");
  }
}

export function emitMul(e: Emitter, i: Instruction): void {
  const type = pushProduct(e, i, operandAt(i, 1), operandAt(i, 2));
  e.set(operandAt(i, 0), type);
}

/** d = a * b + c, with the carry in or out if the instruction has one. */
export function emitMad(e: Emitter, i: Instruction): void {
  const { code } = e;
  const [target, c] = [operandAt(i, 0), operandAt(i, 3)];
  if (i.modifiers.includes("sat")) return emitSaturatingMad(e, i);
  if (target.kind !== "pair" && i.operands[4] === undefined) {
    const type = pushProduct(e, i, operandAt(i, 1), operandAt(i, 2));
    const isRelative = storageOf(type) === "i64" && isPointer(e, target) && isPointer(e, c);
    if (isRelative && target.kind === "register" && c.kind === "register") {
      e.pushRelative(c.register);
      code.op("i64Add");
      return e.setRelative(target.register);
    }
    e.push(c, type);
    code.op(widthOp(type, "Add"));
    return e.set(target, type);
  }
  const type = pushProduct(e, i, operandAt(i, 1), operandAt(i, 2));
  emitSumWithCarry(e, i, type);
}

function emitSumWithCarry(e: Emitter, i: Instruction, type: PtxType): void {
  const { code } = e;
  const storage = storageOf(type);
  const [target, c, carryIn] = [operandAt(i, 0), operandAt(i, 3), i.operands[4]];
  const [sum, before, carry] = [code.temp(storage), code.temp(storage), code.temp("i32")];
  code.tee(before);
  e.push(c, type);
  code.op(widthOp(type, "Add"));
  code.tee(sum);
  code.get(before);
  code.op(widthOp(type, "LtU"));
  code.set(carry);
  if (carryIn !== undefined) {
    code.get(sum);
    code.tee(before);
    e.push(carryIn, storage === "i64" ? "u64" : "u32");
    code.op(widthOp(type, "Add"));
    code.tee(sum);
    code.get(before);
    code.op(widthOp(type, "LtU"));
    code.get(carry);
    code.op("i32Or");
    code.set(carry);
  }
  code.get(sum);
  e.set(target.kind === "pair" ? target.first : target, type);
  if (target.kind === "pair") {
    code.get(carry);
    e.set(target.second, "pred");
  }
  code.release(storage, sum);
  code.release(storage, before);
  code.release("i32", carry);
}

/** mad.hi.sat.s32. */
function emitSaturatingMad(e: Emitter, i: Instruction): void {
  if (typeAt(i) !== "s32" || !i.modifiers.includes("hi")) throw unsupported(i, ".sat is for .hi.s32");
  const { code } = e;
  pushProduct(e, i, operandAt(i, 1), operandAt(i, 2));
  code.op("i64ExtendI32S");
  e.push(operandAt(i, 3), "s32");
  code.op("i64ExtendI32S", "i64Add");
  pushClamped32(e);
  e.set(operandAt(i, 0), "s32");
}

/** mul24 and mad24: the low 24 bits of each operand; the low or high 32 bits of 48. */
export function emitMul24(e: Emitter, i: Instruction, hasSum: boolean): void {
  const { code } = e;
  const type = typeAt(i);
  const isSigned = type === "s32";
  for (const index of [1, 2]) {
    e.push(operandAt(i, index), type);
    code.i32(8);
    code.op("i32Shl");
    code.i32(8);
    code.op(isSigned ? "i32ShrS" : "i32ShrU", isSigned ? "i64ExtendI32S" : "i64ExtendI32U");
  }
  code.op("i64Mul");
  if (i.modifiers.includes("hi")) {
    code.i64(16n);
    code.op("i64ShrU");
  }
  code.op("i32WrapI64");
  if (i.modifiers.includes("sat")) {
    if (type !== "s32" || !i.modifiers.includes("hi")) throw unsupported(i, ".sat is for .hi.s32");
    code.op("i64ExtendI32S");
    e.push(operandAt(i, 3), type);
    code.op("i64ExtendI32S", "i64Add");
    pushClamped32(e);
  } else if (hasSum) {
    e.push(operandAt(i, 3), type);
    code.op("i32Add");
  }
  e.set(operandAt(i, 0), type);
}

/** Holds the i64 on the stack within the range of s32. */
function pushClamped32(e: Emitter): void {
  const { code } = e;
  const sum = code.temp("i64");
  code.set(sum);
  clampI64(e, sum, -0x8000_0000n, 0x7fff_ffffn);
  code.op("i32WrapI64");
  code.release("i64", sum);
}

export function emitDivRem(e: Emitter, i: Instruction, name: "div" | "rem"): void {
  const type = typeAt(i);
  const isSigned = type.startsWith("s");
  const [a, b] = [operandAt(i, 1), operandAt(i, 2)];
  const is64 = storageOf(type) === "i64";
  e.pushInt(a, type);
  e.pushInt(b, type);
  const isPlain = b.kind === "integer" && BigInt.asIntN(8 * bytesOf(type), b.value) !== 0n &&
    (!isSigned || BigInt.asIntN(8 * bytesOf(type), b.value) !== -1n);
  if (isPlain) e.code.op(widthOp(type, `${name === "div" ? "Div" : "Rem"}${isSigned ? "S" : "U"}`));
  else e.call(`${name}${isSigned ? "S" : "U"}${is64 ? 64 : 32}`);
  e.set(operandAt(i, 0), type);
}
