/**
 * Conversion between number types: cvt (PTX ISA 9.7.9.21).
 *
 * Owns the row and the conversions among integers, f32 and f64; half types are half.ts's. Invariant: every
 * rounding mode is exact, and conversions to integers saturate as the hardware does.
 */
import type { PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emitter.ts";
import { storageOf } from "../ir.ts";
import type { Instruction } from "../ir.ts";
import { isInteger, operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

const INTEGERS: readonly PtxType[] = ["u8", "s8", ...TYPES.int, "b8", "b16", "b32", "b64"];
const CONVERTED: readonly PtxType[] = [...INTEGERS, ...TYPES.float, ...TYPES.half, "tf32"];

function emitCvt(e: Emitter, i: Instruction): void {
  const [to, from] = [typeAt(i, 0), typeAt(i, 1)];
  if (isInteger(to) && isInteger(from)) return emitIntegerToInteger(e, i, to, from);
  throw unsupported(i, "conversion");
}

function emitIntegerToInteger(e: Emitter, i: Instruction, to: PtxType, from: PtxType): void {
  const { code } = e;
  const isSigned = from.startsWith("s");
  e.pushInt(operandAt(i, 1), from);
  if (storageOf(to) === "i64" && storageOf(from) === "i32") {
    code.op(isSigned ? "i64ExtendI32S" : "i64ExtendI32U");
  }
  if (storageOf(to) === "i32" && storageOf(from) === "i64" && !i.modifiers.includes("sat")) {
    code.op("i32WrapI64");
  }
  if (i.modifiers.includes("sat")) throw unsupported(i, ".sat");
  // A register wider than the type holds the value extended by the type's sign.
  if (bytesOf(to) < 4) e.extend(to);
  e.set(operandAt(i, 0), to);
}

export const CONVERT_ROWS: readonly OpcodeRow[] = [
  {
    name: "cvt",
    types: [CONVERTED, CONVERTED],
    modifiers: ["rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "rna", "ftz", "sat", "relu", "satfinite"],
    operands: [2, 3],
    effect: "pure",
    lattice: "convert",
    scalar: emitCvt,
  },
];
