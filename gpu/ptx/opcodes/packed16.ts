/**
 * Two 16-bit integers in one register: add, min and max of u16x2 and s16x2 (PTX ISA 9.7.1).
 *
 * Owns the emission; arithmetic.ts chooses it by type. Invariant: no bit of one half reaches the other.
 */
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt } from "./integer.ts";

/** The sums of the halves without their top bits, which are then added without a carry. */
export function emitPackedAdd(e: Emitter, i: Instruction): void {
  const { code } = e;
  const [a, b] = [code.temp("i32"), code.temp("i32")];
  e.push(operandAt(i, 1), "b32");
  code.set(a);
  e.push(operandAt(i, 2), "b32");
  code.set(b);
  for (const local of [a, b]) {
    code.get(local);
    code.i32(0x7fff_7fff);
    code.op("i32And");
  }
  code.op("i32Add");
  code.get(a);
  code.get(b);
  code.op("i32Xor");
  code.i32(0x8000_8000);
  code.op("i32And", "i32Xor");
  code.release("i32", a);
  code.release("i32", b);
  e.set(operandAt(i, 0), "b32");
}

/** Each half by itself, with `.relu` not below zero. */
export function emitPackedMinMax(e: Emitter, i: Instruction, name: "min" | "max"): void {
  const { code } = e;
  const isSigned = typeAt(i) === "s16x2";
  const [a, b, x, y] = [code.temp("i32"), code.temp("i32"), code.temp("i32"), code.temp("i32")];
  e.push(operandAt(i, 1), "b32");
  code.set(a);
  e.push(operandAt(i, 2), "b32");
  code.set(b);
  const half = (word: number, isHigh: boolean, into: number): void => {
    code.get(word);
    if (!isHigh) {
      code.i32(16);
      code.op("i32Shl");
    }
    code.i32(16);
    code.op(isSigned ? "i32ShrS" : "i32ShrU");
    code.set(into);
  };
  for (const isHigh of [false, true]) {
    half(a, isHigh, x);
    half(b, isHigh, y);
    code.get(x);
    code.get(y);
    code.get(x);
    code.get(y);
    const less = isSigned ? "i32LtS" : "i32LtU";
    const greater = isSigned ? "i32GtS" : "i32GtU";
    code.op(name === "min" ? less : greater, "select");
    if (i.modifiers.includes("relu")) {
      code.tee(x);
      code.i32(0);
      code.get(x);
      code.i32(0);
      code.op("i32GtS", "select");
    }
    if (isHigh) {
      code.i32(16);
      code.op("i32Shl", "i32Or");
    } else {
      code.i32(0xffff);
      code.op("i32And");
    }
  }
  for (const local of [a, b, x, y]) code.release("i32", local);
  e.set(operandAt(i, 0), "b32");
}
