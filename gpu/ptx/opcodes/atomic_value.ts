/**
 * The new value of an atomic operation, out of the old one and the operands.
 *
 * Owns the operations and which types each has (PTX ISA 9.7.13.5); how it reaches memory is atomic.ts's. Values
 * are bits in an i32 or i64, those above the type's width zero. Invariant: what is pushed depends on nothing
 * but the three values, so that it may be computed again.
 */
import type { PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import type { OpName } from "../wasm/code.ts";
import { extremum } from "./float.ts";
import { halfName, isPair, narrow, widen } from "./half.ts";
import { typeAt } from "./integer.ts";
import { unsupported } from "./row.ts";

export const ATOMIC_OPERATIONS = [
  ...["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"] as const,
];
export type AtomicOperation = typeof ATOMIC_OPERATIONS[number];

const FLOATS: readonly PtxType[] = ["f32", "f64"];
const HALVES: readonly PtxType[] = ["f16", "f16x2", "bf16", "bf16x2"];
const INTEGERS: readonly PtxType[] = ["u32", "s32", "u64", "s64"];
const BITS: readonly PtxType[] = ["b32", "b64"];

/** Types of any operation. */
export const ATOMIC_TYPES: readonly PtxType[] = [...FLOATS, ...HALVES, ...INTEGERS, "b16", ...BITS];

const TYPES_OF: Readonly<Record<AtomicOperation, readonly PtxType[]>> = {
  add: [...INTEGERS, ...FLOATS, ...HALVES],
  min: [...INTEGERS, ...HALVES],
  max: [...INTEGERS, ...HALVES],
  and: BITS,
  or: BITS,
  xor: BITS,
  exch: BITS,
  cas: ["b16", ...BITS],
  inc: ["u32"],
  dec: ["u32"],
};

/** The operation of an instruction. */
export function operationOf(i: Instruction): AtomicOperation {
  const name = ATOMIC_OPERATIONS.find((each) => i.modifiers.includes(each));
  if (name === undefined) throw unsupported(i, "expected an operation");
  return name;
}

export function checkUpdate(i: Instruction): void {
  const name = operationOf(i);
  // Older compilers write .u32 for bits.
  const type = name === "cas" || name === "exch" || TYPES_OF[name] === BITS ? asBits(typeAt(i)) : typeAt(i);
  if (!TYPES_OF[name].includes(type)) throw unsupported(i, `.${name} of .${typeAt(i)}`);
}

function asBits(type: PtxType): PtxType {
  return INTEGERS.includes(type) ? `b${type.slice(1)}` as PtxType : type;
}

/** The values; each may be pushed several times. */
export interface Update {
  readonly storage: "i32" | "i64";
  readonly pushOld: () => void;
  readonly pushValue: () => void;
  /** What cas writes where it finds the value. */
  readonly pushSwapped: () => void;
}

/** Pushes what memory is to hold. */
export function pushUpdated(e: Emitter, i: Instruction, update: Update): void {
  const { code } = e;
  const { storage, pushOld, pushValue, pushSwapped } = update;
  const type = typeAt(i);
  const name = operationOf(i);
  const op = (word: string): void => code.op(`${storage}${word}` as OpName);
  switch (name) {
    case "exch":
      return pushValue();
    case "cas":
      pushSwapped();
      pushOld();
      pushOld();
      pushValue();
      op("Eq");
      return code.op("select");
    case "and":
    case "or":
    case "xor":
      pushOld();
      pushValue();
      return op(({ and: "And", or: "Or", xor: "Xor" } as const)[name]);
    case "inc":
      code.i32(0);
      pushOld();
      code.i32(1);
      code.op("i32Add");
      pushOld();
      pushValue();
      return code.op("i32GeU", "select");
    case "dec":
      // Zero wraps to the largest number by the subtraction of one, and so is greater than b - 1 as well.
      pushValue();
      pushOld();
      code.i32(1);
      code.op("i32Sub");
      pushOld();
      code.op("i32Eqz");
      pushOld();
      pushValue();
      return code.op("i32GtU", "i32Or", "select");
    case "min":
    case "max":
      if (HALVES.includes(type)) return pushHalves(e, i, update, name);
      pushOld();
      pushValue();
      pushOld();
      pushValue();
      op(`${name === "min" ? "Lt" : "Gt"}${type.startsWith("s") ? "S" : "U"}`);
      return code.op("select");
    case "add":
      return pushSum(e, i, update);
  }
}

function pushSum(e: Emitter, i: Instruction, update: Update): void {
  const { code } = e;
  const type = typeAt(i);
  const { storage, pushOld, pushValue } = update;
  if (HALVES.includes(type)) return pushHalves(e, i, update, "add");
  if (type !== "f32" && type !== "f64") {
    pushOld();
    pushValue();
    return code.op(`${storage}Add`);
  }
  // Subnormals are kept, as atomics of shared memory keep them.
  for (const push of [pushOld, pushValue]) {
    push();
    code.op(type === "f32" ? "f32ReinterpretI32" : "f64ReinterpretI64");
  }
  code.op(`${type}Add`, type === "f32" ? "i32ReinterpretF32" : "i64ReinterpretF64");
}

/** Half by half in single precision, of which the half is rounded once (see half.ts). */
function pushHalves(e: Emitter, i: Instruction, update: Update, name: "add" | "min" | "max"): void {
  const type = typeAt(i);
  const format = halfName(type);
  const f = new Formula(e.code, e.parts);
  const [a, b] = [f.value("i32", update.pushOld), f.value("i32", update.pushValue)];
  const updated = (x: Value, y: Value): Value => {
    const [left, right] = [widen(f, format, x), widen(f, format, y)];
    return narrow(f, format, name === "add" ? left.add(right) : extremum(f, i, name, left, right));
  };
  if (isPair(type)) {
    const high = f.let(updated(a.shrU(16), b.shrU(16)));
    updated(a.and(0xffff), b.and(0xffff)).or(high.shl(16)).push();
  } else updated(a, b).push();
  f.release();
}
