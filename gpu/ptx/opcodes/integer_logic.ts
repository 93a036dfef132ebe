/**
 * Integers one by one and bit by bit: extremes, signs, logic and shifts (PTX ISA 9.7.1, 9.7.8).
 *
 * Owns the emission for every width; arithmetic.ts chooses it by type. Narrow values are computed in 32 bits and
 * cut when they are written. Invariant: nothing here traps.
 */
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt, widthOp } from "./integer.ts";

export function emitMinMax(e: Emitter, i: Instruction, name: "min" | "max"): void {
  const { code } = e;
  const type = typeAt(i);
  const storage = storageOf(type);
  const [a, b] = [code.temp(storage), code.temp(storage)];
  e.pushInt(operandAt(i, 1), type);
  code.tee(a);
  e.pushInt(operandAt(i, 2), type);
  code.tee(b);
  code.get(a);
  code.get(b);
  code.op(widthOp(type, `${name === "min" ? "Lt" : "Gt"}${type.startsWith("s") ? "S" : "U"}`), "select");
  if (i.modifiers.includes("relu")) {
    code.tee(a);
    code.i32(0);
    code.get(a);
    code.i32(0);
    code.op("i32GtS", "select");
  }
  code.release(storage, a);
  code.release(storage, b);
  e.set(operandAt(i, 0), type);
}

export function emitAbsNeg(e: Emitter, i: Instruction, name: "abs" | "neg"): void {
  const { code } = e;
  const type = typeAt(i);
  const storage = storageOf(type);
  const value = code.temp(storage);
  e.pushInt(operandAt(i, 1), type);
  code.set(value);
  if (storage === "i64") code.i64(0n);
  else code.i32(0);
  code.get(value);
  code.op(widthOp(type, "Sub"));
  if (name === "abs") {
    code.get(value);
    code.get(value);
    if (storage === "i64") code.i64(0n);
    else code.i32(0);
    code.op(widthOp(type, "LtS"), "select");
  }
  code.release(storage, value);
  e.set(operandAt(i, 0), type);
}

/** d = |a - b| + c. */
export function emitSad(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const storage = storageOf(type);
  const [a, b] = [code.temp(storage), code.temp(storage)];
  e.pushInt(operandAt(i, 1), type);
  code.set(a);
  e.pushInt(operandAt(i, 2), type);
  code.set(b);
  for (const [left, right] of [[a, b], [b, a]] as const) {
    code.get(left);
    code.get(right);
    code.op(widthOp(type, "Sub"));
  }
  code.get(a);
  code.get(b);
  code.op(widthOp(type, type.startsWith("s") ? "GeS" : "GeU"), "select");
  e.push(operandAt(i, 3), type);
  code.op(widthOp(type, "Add"));
  code.release(storage, a);
  code.release(storage, b);
  e.set(operandAt(i, 0), type);
}

/** and, or, xor, and not as an exclusive or with all ones. */
export function emitLogic(e: Emitter, i: Instruction, name: "And" | "Or" | "Xor"): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  e.push(operandAt(i, 2), type);
  e.code.op(widthOp(type, name));
  e.set(operandAt(i, 0), type);
}

export function emitNot(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  if (type === "pred") e.code.op("i32Eqz");
  else {
    if (storageOf(type) === "i64") e.code.i64(-1n);
    else e.code.i32(-1);
    e.code.op(widthOp(type, "Xor"));
  }
  e.set(operandAt(i, 0), type);
}

export function emitCnot(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  e.pushInt(operandAt(i, 1), type);
  e.code.op(widthOp(type, "Eqz"));
  e.set(operandAt(i, 0), "u32");
}

/** Amounts of the width and more shift everything out; WebAssembly would take them modulo the width. */
export function emitShift(e: Emitter, i: Instruction, name: "shl" | "shr"): void {
  const { code } = e;
  const type = typeAt(i);
  const bits = 8 * bytesOf(type);
  const is64 = storageOf(type) === "i64";
  const isSigned = name === "shr" && type.startsWith("s");
  const op = widthOp(type, name === "shl" ? "Shl" : isSigned ? "ShrS" : "ShrU");
  const amount = operandAt(i, 2);
  if (amount.kind === "integer") {
    const count = Number(BigInt.asUintN(32, amount.value));
    e.pushInt(operandAt(i, 1), type);
    const most = count >= bits ? bits - 1 : count;
    if (is64) code.i64(BigInt(most));
    else code.i32(most);
    code.op(op);
    if (count >= bits && !isSigned) {
      code.op("drop");
      if (is64) code.i64(0n);
      else code.i32(0);
    }
    return e.set(operandAt(i, 0), type);
  }
  const count = code.temp("i32");
  e.push(amount, "u32");
  code.set(count);
  if (isSigned) {
    e.pushInt(operandAt(i, 1), type);
    code.get(count);
    code.i32(bits - 1);
    code.get(count);
    code.i32(bits);
    code.op("i32LtU", "select");
    if (is64) code.op("i64ExtendI32U");
    code.op(op);
  } else {
    e.pushInt(operandAt(i, 1), type);
    code.get(count);
    if (is64) code.op("i64ExtendI32U");
    code.op(op);
    if (is64) code.i64(0n);
    else code.i32(0);
    code.get(count);
    code.i32(bits);
    code.op("i32LtU", "select");
  }
  code.release("i32", count);
  e.set(operandAt(i, 0), type);
}
