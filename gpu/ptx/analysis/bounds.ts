/**
 * Bounds: the largest value that an operation on unsigned values can give.
 *
 * Owns the rule of each opcode for the upper bound in the lattice, by which an access to a window of known size
 * needs no check. Nothing is known of what wraps or may be negative. Invariant: a bound that is claimed holds
 * for the value read as an unsigned number of its register's width.
 */
import type { Instruction } from "../kernel/ir.ts";

/** Largest bound that is kept: sums of 32 bits must not have wrapped. */
const BOUND_MAX = 2 ** 32 - 1;

/** The bound itself, if it is one; Infinity stands for none. */
export function bounded(max: number): number {
  return max >= 0 && max <= BOUND_MAX ? max : Infinity;
}

/** @param bounds of the operands behind the result; -1 for one that has no value yet */
export function resultBound(instruction: Instruction, bounds: readonly number[]): number {
  const { row, modifiers, operands, types } = instruction;
  const [a = Infinity, b = Infinity, c = Infinity] = bounds;
  if (bounds.some((bound) => bound < 0)) return -1;
  const type = types[0] ?? "b32";
  const second = operands[2];
  const constant = second?.kind === "integer" ? Number(second.value) : undefined;
  switch (row.name) {
    case "add":
      return bounded(a + b);
    case "mul":
      return modifiers.includes("hi") ? Infinity : bounded(a * b);
    case "mad":
      return modifiers.includes("hi") ? Infinity : bounded(a * b + c);
    case "shl":
      return constant !== undefined && constant < 32 ? bounded(a * 2 ** constant) : Infinity;
    case "shr":
      return constant === undefined ? Infinity : shiftedBound(type, a, constant);
    case "and":
      return Math.min(a, b);
    case "rem":
      return constant !== undefined && constant > 0 && type.startsWith("u")
        ? Math.min(a, constant - 1)
        : Infinity;
    case "selp":
      return Math.max(a, b);
    case "mov":
      return a;
    case "cvt":
    case "$get":
    case "$set":
      // Narrowing may cut, and a sign may be extended: only what fits the narrowest type passes.
      return a <
          (types.some((word) => /8$/.test(word))
            ? 2 ** 7
            : types.some((word) => /16$/.test(word))
            ? 2 ** 15
            : 2 ** 31)
        ? a
        : Infinity;
    default:
      return Infinity;
  }
}

/** A signed shift of what may be negative keeps the sign. */
function shiftedBound(type: string, a: number, amount: number): number {
  if (!/32$/.test(type) || amount >= 32) return Infinity;
  if (type.startsWith("s") && a >= 2 ** 31) return Infinity;
  return Math.floor(Math.min(a, BOUND_MAX) / 2 ** amount);
}
