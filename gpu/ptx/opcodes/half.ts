/**
 * Half-precision arithmetic: f16, bf16 and their pairs (PTX ISA 9.7.4).
 *
 * Owns the emission of what the shared opcodes do with half types. Invariant: results are those of the exact
 * operation rounded once.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emitter.ts";
import type { Instruction } from "../ir.ts";
import { unsupported } from "./row.ts";

export function isHalf(type: PtxType): boolean {
  return type === "f16" || type === "bf16" || type === "f16x2" || type === "bf16x2";
}

export function pushHalfComparison(
  _e: Emitter,
  i: Instruction,
  _operator: string,
  type: PtxType,
  _a: PtxOperand,
  _b: PtxOperand,
): void {
  throw unsupported(i, `.${type}`);
}

export function emitHalfSet(_e: Emitter, i: Instruction): void {
  throw unsupported(i, "half");
}
