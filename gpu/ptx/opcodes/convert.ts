/**
 * Conversion between number types: cvt (PTX ISA 9.7.9).
 *
 * Owns the row, what is refused, and conversions among integers; those that have a float on one side are
 * convert_float.ts's. Invariant: every rounding mode is exact, and conversions to integers saturate as the
 * hardware does.
 */
import type { PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { emitFromFloat, emitToFloat, emitToPair, emitToTf32 } from "./convert_float.ts";
import { isHalf, isPair } from "./half.ts";
import { isInteger, operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

const INTEGERS: readonly PtxType[] = ["u8", "s8", ...TYPES.int, "b8", "b16", "b32", "b64"];
const CONVERTED: readonly PtxType[] = [...INTEGERS, ...TYPES.float, ...TYPES.half, "tf32"];

function emitCvt(e: Emitter, i: Instruction): void {
  const [to, from] = [typeAt(i, 0), typeAt(i, 1)];
  if (i.modifiers.includes("pack")) return emitPack(e, i, to);
  if (isPair(to)) return emitToPair(e, i, to);
  if (to === "tf32") return emitToTf32(e, i);
  if (!isInteger(to)) return emitToFloat(e, i, to, from);
  if (!isInteger(from)) return emitFromFloat(e, i, to, from);
  emitIntegerToInteger(e, i, to, from);
}

/** Smallest and largest value of an integer type. */
export function boundsOf(type: PtxType): readonly [min: bigint, max: bigint] {
  const bits = BigInt(8 * bytesOf(type));
  return type.startsWith("s") ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
}

/** An integer held between the bounds of another type, in its own width. */
function clamped(f: Formula, value: Value, from: PtxType, to: PtxType): Value {
  const [[min, max], [fromMin, fromMax]] = [boundsOf(to), boundsOf(from)];
  const isSigned = from.startsWith("s");
  let result = value;
  if (fromMin < min) {
    const x = f.let(result);
    result = x.lt(min).select(f.constant(x.type, min), x);
  }
  if (fromMax > max) {
    const x = f.let(result);
    result = (isSigned ? x.gt(max) : x.gtU(max)).select(f.constant(x.type, max), x);
  }
  return result;
}

function emitIntegerToInteger(e: Emitter, i: Instruction, to: PtxType, from: PtxType): void {
  const f = new Formula(e.code, e.parts);
  let value = f.value(storageOf(from), () => e.pushInt(operandAt(i, 1), from));
  if (i.modifiers.includes("sat")) value = clamped(f, value, from, to);
  const wide = storageOf(to);
  if (value.type === "i32" && wide === "i64") {
    value = from.startsWith("s") ? value.extendS() : value.extendU();
  }
  if (value.type === "i64" && wide === "i32") value = value.wrap();
  value.push();
  f.release();
  // A register wider than the type holds the value extended by the type's sign.
  if (bytesOf(to) < 4) e.extend(to);
  e.set(operandAt(i, 0), to);
}

/** Two integers, each saturated, side by side: the first one above the second; and what they leave of a third. */
function emitPack(e: Emitter, i: Instruction, to: PtxType): void {
  const from = typeAt(i, 1);
  const f = new Formula(e.code, e.parts);
  const bits = 8 * bytesOf(to);
  const [high, low] = [1, 2].map((index) => {
    const value = f.value("i32", () => e.pushInt(operandAt(i, index), from));
    return f.let(clamped(f, value, from, to).and(2 ** bits - 1));
  });
  if (high === undefined || low === undefined) return;
  let result = low.or(high.shl(bits));
  const rest = i.operands[3];
  if (rest !== undefined) result = result.or(f.value("i32", () => e.push(rest, "b32")).shl(2 * bits));
  result.push();
  f.release();
  e.set(operandAt(i, 0), "b32");
}

/** Refuses the combinations that the lists of types and modifiers let through. */
function checkCvt(i: Instruction): void {
  const [to, from, third] = i.types;
  if (to === undefined || from === undefined) return;
  const has = (word: string): boolean => i.modifiers.includes(word);
  const wrong = (): Error => unsupported(i, `no such conversion from .${from} to .${to}`);
  if (has("pack")) {
    const isWide = bytesOf(to) === 2;
    if (!isInteger(to) || bytesOf(to) > 2 || from !== "s32" || !has("sat")) throw wrong();
    if (isWide ? third !== undefined : third !== "b32") throw wrong();
    if (i.operands.length !== (isWide ? 3 : 4)) throw wrong();
    return;
  }
  if (third !== undefined || isPair(from) || from === "tf32") throw wrong();
  if (i.operands.length !== (isPair(to) ? 3 : 2)) throw wrong();
  if ((isPair(to) || to === "tf32") && from !== "f32") throw wrong();
  if ((has("relu") || has("satfinite")) && !isHalf(to) && to !== "tf32") throw wrong();
  if (has("rna") !== (to === "tf32" && !has("rn") && !has("rz"))) throw wrong();
  if (isInteger(to) && !isInteger(from) && !i.modifiers.some((word) => /^r[nzmp]i$/.test(word))) {
    throw unsupported(i, "expected a rounding to an integer");
  }
  const loses = isInteger(from) || (isHalf(to) && !isHalf(from)) || (to === "f32" && from === "f64");
  const isRounded = i.modifiers.some((word) => /^r[nzmp]i?$/.test(word));
  if (!isInteger(to) && loses && !isRounded) throw unsupported(i, "expected a rounding");
}

export const CONVERT_ROWS: readonly OpcodeRow[] = [
  {
    name: "cvt",
    types: [CONVERTED, CONVERTED, ["b32"]],
    optionalTypes: 1,
    modifiers: [
      ...["rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "rna"],
      ...["ftz", "sat", "relu", "satfinite", "pack"],
    ],
    operands: [2, 4],
    effect: "pure",
    lattice: "convert",
    note: "NaN to an integer: 0, or the sign bit alone from .f64 and to 64 bits; 8 and 16 bits saturate",
    check: checkCvt,
    scalar: emitCvt,
  },
];
