/**
 * Conversions of pairs of eight-bit floats: cvt from and to e4m3x2 and e5m2x2 (PTX ISA 9.7.9).
 *
 * Owns the row, which is told apart from the other conversions by those two words: they are no types of
 * registers. A pair is 16 bits, the first operand in the upper byte. Invariant: each half is on its own.
 */
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { floatOperand } from "./float.ts";
import { halvesOf, widen } from "./half.ts";
import { operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Names of pairs of eight-bit floats. */
const PAIRS = ["e4m3x2", "e5m2x2"] as const;

/** Whether an instruction's modifiers name one. */
export function isFp8(modifiers: readonly string[]): boolean {
  return modifiers.some((word) => (PAIRS as readonly string[]).includes(word));
}

/** Whether the result is the pair of eight bits; else it is a pair of f16. */
function isNarrowing(i: Instruction): boolean {
  return i.modifiers.includes("satfinite");
}

function emitCvtFp8(e: Emitter, i: Instruction): void {
  if (isNarrowing(i)) emitNarrowing(e, i);
  else emitWidening(e, i);
}

function emitNarrowing(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const name = i.modifiers.includes("e4m3x2") ? "f32ToE4m3" : "f32ToE5m2";
  const [low, high] = singlesOf(f, e, i).map((single) => {
    const value = i.modifiers.includes("relu") ? single.max(0) : single;
    return f.let(f.call(name, value));
  });
  if (low === undefined || high === undefined) return;
  low.or(high.shl(8)).push();
  f.release();
  e.set(operandAt(i, 0), "b16");
}

/** The two operands, the second one first; or the halves of the one. */
function singlesOf(f: Formula, e: Emitter, i: Instruction): readonly Value[] {
  if (typeAt(i) === "f32") return [2, 1].map((index) => floatOperand(f, e, i, operandAt(i, index), "f32"));
  return halvesOf(f, e, i, operandAt(i, 1), "f16x2").map((half) => widen(f, "f16", half));
}

function emitWidening(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const name = i.modifiers.includes("e4m3x2") ? "e4m3ToF16" : "e5m2ToF16";
  const both = f.let(f.value("i32", () => e.pushInt(operandAt(i, 1), "b16")));
  const [low, high] = [both, both.shrU(8)].map((half) => {
    const wide = f.let(f.call(name, half));
    if (!i.modifiers.includes("relu")) return wide;
    // Negative numbers become zero; the NaN is positive.
    return f.let(wide.and(0x8000).select(f.i32(0), wide));
  });
  if (low === undefined || high === undefined) return;
  low.or(high.shl(16)).push();
  f.release();
  e.set(operandAt(i, 0), "b32");
}

function checkFp8(i: Instruction): void {
  const type = typeAt(i);
  if (!i.modifiers.includes("rn")) throw unsupported(i, "expected .rn");
  if (!isNarrowing(i) && type !== "f16x2") throw unsupported(i, "expected .satfinite");
  if (i.operands.length !== (type === "f32" ? 3 : 2)) throw unsupported(i, "expected other operands");
}

export const FP8_ROWS: readonly OpcodeRow[] = [
  {
    name: "cvt.fp8",
    types: [["f32", "f16x2"]],
    modifiers: [...PAIRS, "rn", "satfinite", "relu"],
    operands: [2, 3],
    effect: "pure",
    check: checkFp8,
    scalar: emitCvtFp8,
  },
];
