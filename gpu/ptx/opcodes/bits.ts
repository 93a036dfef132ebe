/**
 * Rows of single-operand bit instructions: clz, popc, brev, bfind, fns (PTX ISA 9.7.1); and the list of all bit
 * rows.
 *
 * Owns their emission; fields, permutations, lop3 and dot products have files of their own. Invariant: counts
 * and positions are 32 bits wide whatever the type.
 */
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { storageOf } from "../kernel/ir.ts";
import { BIT_FIELD_ROWS } from "./bit_fields.ts";
import { DOT_ROWS } from "./dot.ts";
import { operandAt, typeAt, widthOp } from "./integer.ts";
import { LOGIC3_ROWS } from "./logic3.ts";
import { PERMUTE_ROWS } from "./permute.ts";
import type { OpcodeRow } from "./row.ts";
import { VIDEO_ROWS } from "./video.ts";

function emitCount(e: Emitter, i: Instruction, name: "Clz" | "Popcnt"): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  e.code.op(widthOp(type, name));
  if (storageOf(type) === "i64") e.code.op("i32WrapI64");
  e.set(operandAt(i, 0), "u32");
}

function emitReverse(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  e.call(storageOf(type) === "i64" ? "brevB64" : "brevB32");
  e.set(operandAt(i, 0), type);
}

/** The highest bit that is not the sign; all ones if there is none, which is what 31 - clz gives. */
function emitFind(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const bits = 8 * bytesOf(type);
  const zeros = code.temp("i32");
  e.push(operandAt(i, 1), type);
  if (type.startsWith("s")) {
    e.push(operandAt(i, 1), type);
    if (bits === 64) code.i64(63n);
    else code.i32(31);
    code.op(widthOp(type, "ShrS"), widthOp(type, "Xor"));
  }
  code.op(widthOp(type, "Clz"));
  if (bits === 64) code.op("i32WrapI64");
  code.set(zeros);
  if (i.modifiers.includes("shiftamt")) {
    code.i32(-1);
    code.get(zeros);
    code.get(zeros);
    code.i32(bits);
    code.op("i32Eq", "select");
  } else {
    code.i32(bits - 1);
    code.get(zeros);
    code.op("i32Sub");
  }
  e.set(operandAt(i, 0), "u32");
  code.release("i32", zeros);
}

function emitFindNth(e: Emitter, i: Instruction): void {
  for (const index of [1, 2, 3]) e.push(operandAt(i, index), "b32");
  e.call("fnsB32");
  e.set(operandAt(i, 0), "b32");
}

export const BIT_ROWS: readonly OpcodeRow[] = [
  ...LOGIC3_ROWS,
  ...PERMUTE_ROWS,
  ...BIT_FIELD_ROWS,
  ...DOT_ROWS,
  ...VIDEO_ROWS,
  {
    name: "clz",
    types: [["b32", "b64"]],
    operands: [2, 2],
    effect: "pure",
    scalar: (e, i) => emitCount(e, i, "Clz"),
  },
  {
    name: "popc",
    types: [["b32", "b64"]],
    operands: [2, 2],
    effect: "pure",
    scalar: (e, i) => emitCount(e, i, "Popcnt"),
  },
  { name: "brev", types: [["b32", "b64"]], operands: [2, 2], effect: "pure", scalar: emitReverse },
  {
    name: "bfind",
    types: [["u32", "s32", "u64", "s64"]],
    modifiers: ["shiftamt"],
    operands: [2, 2],
    effect: "pure",
    scalar: emitFind,
  },
  { name: "fns", types: [["b32"]], operands: [4, 4], effect: "pure", scalar: emitFindNth },
];
