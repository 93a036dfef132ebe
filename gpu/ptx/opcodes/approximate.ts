/**
 * Rows of the approximate functions: ex2, lg2, sin, cos, tanh (PTX ISA 9.7.3, 9.7.4).
 *
 * Owns their types, modifiers and emission; the functions are helpers/approximate.ts and helpers/sine.ts. Halves
 * are computed as singles. Invariant: errors are far below what the ISA states, and results do not depend on
 * the host.
 */
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { finish, floatOperand } from "./float.ts";
import { emitByHalves, flushSubnormal, isHalf, narrow, widen } from "./half.ts";
import { operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

type Apply = (f: Formula, x: Value) => Value;

const exp2: Apply = (f, x) => f.call("exp2F32", x);
const log2: Apply = (f, x) => f.call("log2F32", x);
const tanh: Apply = (f, x) => f.call("tanhF32", x);
const sine: Apply = (f, x) => f.call("sineF32", x, f.i32(0));
const cosine: Apply = (f, x) => f.call("sineF32", x, f.i32(1));

function emitApproximate(e: Emitter, i: Instruction, apply: Apply): void {
  if (isHalf(typeAt(i))) return emitOfHalves(e, i, apply);
  const f = new Formula(e.code, e.parts);
  finish(f, i, apply(f, floatOperand(f, e, i, operandAt(i, 1), "f32"))).push();
  f.release();
  e.set(operandAt(i, 0), "f32");
}

function emitOfHalves(e: Emitter, i: Instruction, apply: Apply): void {
  emitByHalves(e, i, (f, name, [a]) => {
    if (a === undefined) return f.i32(0);
    const half = narrow(f, name, apply(f, widen(f, name, a)));
    return i.modifiers.includes("ftz") ? flushSubnormal(f, name, half) : half;
  });
}

/** `.ftz` is ex2's for f32 and bf16 (which must have it), and not tanh's. */
function checkFlushing(i: Instruction): void {
  const type = typeAt(i);
  const isFlushing = i.modifiers.includes("ftz");
  if (!i.modifiers.includes("approx")) throw unsupported(i, "expected .approx");
  const isAllowed = i.row.name === "tanh"
    ? !isFlushing
    : type === "f32" || isFlushing === type.startsWith("bf16");
  if (!isAllowed) throw unsupported(i, isFlushing ? `.ftz is not for .${type}` : "expected .ftz");
}

function row(name: string, apply: Apply, hasHalves: boolean, note: string): OpcodeRow {
  return {
    name,
    types: [hasHalves ? ["f32", ...TYPES.half] : ["f32"]],
    modifiers: ["approx", "ftz"],
    operands: [2, 2],
    effect: "pure",
    note,
    check: checkFlushing,
    scalar: (e, i) => emitApproximate(e, i, apply),
  };
}

export const APPROXIMATE_ROWS: readonly OpcodeRow[] = [
  row("ex2", exp2, true, "within 0.501 units of the last place"),
  row("lg2", log2, false, "within 0.501 units of the last place"),
  row("sin", sine, false, "within 0.501 units of the last place, for arguments of any size"),
  row("cos", cosine, false, "within 0.501 units of the last place, for arguments of any size"),
  row("tanh", tanh, true, "within 0.51 units of the last place"),
];
