/**
 * Rows that concern addresses and not what lies there: cvta, isspacep, prefetches (PTX ISA 9.7.9).
 *
 * Owns the way between a window's addresses and generic ones. Global, const and parameter addresses are generic
 * here; shared and local windows are pieces of the same memory. Invariant: nothing here accesses memory.
 */
import { DEVICE_BASE } from "../kernel_interface.ts";
import type { Emitter } from "../emit/emitter.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { isPointer, operandAt, typeAt } from "./integer.ts";
import { spaceOf, SPACES } from "./memory.ts";
import type { OpcodeRow } from "./row.ts";

/** Between a window's addresses and generic ones. Global, const and parameter addresses are generic here. */
function emitCvta(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const space = spaceOf(i);
  const [target, source] = [operandAt(i, 0), operandAt(i, 1)];
  if (space !== "shared" && space !== "local") {
    const isRelative = storageOf(type) === "i64" && isPointer(e, target) && isPointer(e, source);
    if (isRelative && target.kind === "register" && source.kind === "register") {
      e.pushRelative(source.register);
      return e.setRelative(target.register);
    }
    e.push(source, type);
    return e.set(target, type);
  }
  const base = e.special(space === "shared" ? "sharedBase" : "localBase");
  e.push(source, "u64");
  if (i.modifiers.includes("to")) {
    code.i64(DEVICE_BASE);
    code.op("i64Sub");
    code.get(base);
    code.op("i64Sub");
  } else {
    code.i64(DEVICE_BASE);
    code.op("i64Add");
    code.get(base);
    code.op("i64Add");
  }
  e.set(target, "u64");
}

/** Which window a generic address lies in. */
function emitIsSpace(e: Emitter, i: Instruction): void {
  const { code } = e;
  const space = spaceOf(i) ?? "global";
  const inWindow = (base: "sharedBase" | "localBase", pushSize: () => void): void => {
    e.push(operandAt(i, 1), "u64");
    code.i64(DEVICE_BASE);
    code.op("i64Sub");
    code.get(e.special(base));
    code.op("i64Sub");
    pushSize();
    code.op("i64LtU");
  };
  const inShared = (): void =>
    inWindow("sharedBase", () => {
      code.get(e.special("sharedEnd"));
      code.op("i64ExtendI32U");
    });
  const inLocal = (): void => inWindow("localBase", () => code.i64(BigInt(e.facts.kernel.localBytes)));
  if (space === "shared") inShared();
  else if (space === "local") inLocal();
  else if (space === "global") {
    inShared();
    inLocal();
    code.op("i32Or", "i32Eqz");
  } else code.i32(0);
  e.set(operandAt(i, 0), "pred");
}

export const WINDOW_ROWS: readonly OpcodeRow[] = [
  {
    name: "cvta",
    types: [["u32", "u64"]],
    modifiers: [...SPACES, "to"],
    operands: [2, 2],
    effect: "pure",
    lattice: "copy",
    scalar: emitCvta,
  },
  {
    name: "isspacep",
    types: [],
    modifiers: [...SPACES],
    operands: [2, 2],
    effect: "pure",
    lattice: "varying",
    scalar: emitIsSpace,
  },
  {
    name: "prefetch",
    types: [],
    ignored: ["global", "local", "L1", "L2", "evict_last", "evict_normal", "tensormap"],
    operands: [1, 1],
    results: 0,
    effect: "pure",
    note: "does nothing",
    scalar: () => {},
  },
  {
    name: "prefetchu",
    types: [],
    ignored: ["L1"],
    operands: [1, 1],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
  {
    name: "applypriority",
    types: [],
    ignored: ["global", "evict_normal"],
    operands: [2, 2],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
  {
    name: "discard",
    types: [],
    ignored: ["global", "L2"],
    operands: [2, 2],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
];
