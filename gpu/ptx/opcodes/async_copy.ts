/**
 * Rows of asynchronous copies to shared memory, done at once, and of cache policies (PTX ISA 9.7.9.25).
 *
 * Owns cp.async with its zero fill, cp.async.bulk of plain bytes, and the waiting for them, which has
 * nothing to wait for. Copies of tensors are not here. Invariant: source bytes that are not asked for are not touched, so that their address
 * may be wrong.
 */
import type { PtxOperand } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { operandAt } from "./integer.ts";
import { emitBytesCame, emitCopyArrival } from "./mbarrier.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

const WAITS = ["commit_group", "wait_group", "wait_all"] as const;

function isWait(i: Instruction): boolean {
  return i.modifiers.some((word) => (WAITS as readonly string[]).includes(word));
}

/** Bytes to write: 4, 8 or 16. */
function sizeOf(i: Instruction): number {
  const size = i.operands[2];
  if (size?.kind !== "integer") throw unsupported(i, "the size is a constant");
  return Number(size.value);
}

/** `cp.async.mbarrier.arrive`: all copies before it are done. */
function isArrival(i: Instruction): boolean {
  return i.modifiers.includes("mbarrier");
}

function checkCopy(i: Instruction): void {
  if (!i.modifiers.includes("async")) throw unsupported(i, "expected .async");
  if (isArrival(i) !== (i.types.length > 0)) throw unsupported(i, "a type goes with .mbarrier");
  if (isArrival(i)) {
    if (!i.modifiers.includes("arrive") || i.operands.length !== 1) {
      throw unsupported(i, "expected .arrive [a]");
    }
    return;
  }
  if (isWait(i)) {
    if (i.operands.length > 1) throw unsupported(i, "too many operands");
    return;
  }
  if (i.modifiers.includes("bulk")) return checkBulk(i);
  if (!i.modifiers.includes("ca") && !i.modifiers.includes("cg")) throw unsupported(i, "expected .ca or .cg");
  if (![4, 8, 16].includes(sizeOf(i))) throw unsupported(i, `a size of ${sizeOf(i)}`);
}

function emitCopy(e: Emitter, i: Instruction): void {
  if (isWait(i)) return;
  if (isArrival(i)) return emitCopyArrival(e, i);
  if (i.modifiers.includes("bulk")) return emitBulkCopy(e, i);
  const { code } = e;
  const size = sizeOf(i);
  const to = code.temp("i64");
  const offset = e.pushAddress(operandAt(i, 0), "shared", size, i);
  code.set(to);
  const length = code.temp("i32");
  if (!pushLength(e, i, size)) copyAll(e, i, size, to, offset);
  else {
    code.tee(length);
    code.i32(size);
    code.op("i32GeU");
    code.if();
    copyAll(e, i, size, to, offset);
    code.else();
    copySome(e, i, size, to, offset, length);
    code.end();
  }
  code.release("i32", length);
  code.release("i64", to);
}

/** Pushes how many bytes to read, or nothing and answers false if it is all of them. */
function pushLength(e: Emitter, i: Instruction, size: number): boolean {
  const operand = i.operands[3];
  if (operand === undefined || isPolicy(e, operand)) return false;
  if (operand.kind === "register" && e.typeOf(operand.register) === "pred") {
    e.code.i32(0);
    e.code.i32(size);
    e.push(operand, "pred");
    e.code.op("select");
    return true;
  }
  e.push(operand, "u32");
  return true;
}

/** A cache policy is 64 bits wide; it may stand where a length could. */
function isPolicy(e: Emitter, operand: PtxOperand): boolean {
  return operand.kind === "register" && bytesOf(e.typeOf(operand.register)) === 8;
}

function copyAll(e: Emitter, i: Instruction, size: number, to: number, offset: bigint): void {
  const { code } = e;
  const [load, store] = ({
    4: ["i32Load", "i32Store"],
    8: ["i64Load", "i64Store"],
    16: ["v128Load", "v128Store"],
  } as const)[size] ?? ["i32Load", "i32Store"];
  code.get(to);
  code.memory(load, e.pushAddress(operandAt(i, 1), "global", size, i));
  code.memory(store, offset);
}

/** Zeros, and the first bytes of the source over them. */
function copySome(
  e: Emitter,
  i: Instruction,
  size: number,
  to: number,
  offset: bigint,
  length: number,
): void {
  const { code } = e;
  for (let byte = 0; byte < size; byte += 4) {
    code.get(to);
    code.i32(0);
    code.memory("i32Store", offset + BigInt(byte));
  }
  code.get(length);
  code.if();
  code.get(to);
  code.i64(offset);
  code.op("i64Add");
  const rest = e.pushAddress(operandAt(i, 1), "global", size, i);
  code.i64(rest);
  code.op("i64Add");
  code.get(length);
  code.op("i64ExtendI32U");
  code.memoryCopy();
  code.end();
}

const BYTES_COME = "mbarrier::complete_tx::bytes";

/** Whether a bulk copy goes to shared memory: the space that is named first is the destination's. */
function isToShared(i: Instruction): boolean {
  return i.modifiers.find((word) => word === "global" || word.startsWith("shared")) !== "global";
}

/** Between global and shared memory; the other block of a cluster is this one. */
function checkBulk(i: Instruction): void {
  const isComplete = i.modifiers.includes(BYTES_COME);
  const spaces = i.modifiers.filter((word) => word === "global" || word.startsWith("shared"));
  if (spaces.length !== 2 || !spaces.includes("global") || isComplete !== isToShared(i)) {
    throw unsupported(i, "between these spaces");
  }
  if (isComplete === i.modifiers.includes("bulk_group")) throw unsupported(i, "expected one way to wait");
  const least = isComplete ? 4 : 3;
  if (i.operands.length < least || i.operands.length > least + 1) {
    throw unsupported(i, "the count of operands");
  }
}

function emitBulkCopy(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const place = (index: number, space: string): Value =>
    f.value("i64", () => {
      const offset = e.pushAddress(operandAt(i, index), space, 16, i);
      e.code.i64(offset);
      e.code.op("i64Add");
    });
  const size = f.let(f.value("i32", () => e.push(operandAt(i, 2), "u32")));
  f.if(size, () => {
    const isIn = isToShared(i);
    const shared = f.let(place(isIn ? 0 : 1, "shared"));
    const [base, end] = [e.special("sharedBase"), e.special("sharedEnd")];
    const room = f.param(base, "i64").add(f.param(end, "i32").extendU()).sub(shared);
    f.if(size.extendU().gtU(room), () => e.fault(FAULT.illegalAddress, i.line));
    const outside = f.let(place(isIn ? 1 : 0, "global"));
    for (const operand of isIn ? [shared, outside] : [outside, shared]) operand.push();
    size.extendU().push();
    e.code.memoryCopy();
  });
  if (i.modifiers.includes(BYTES_COME)) emitBytesCame(e, i, operandAt(i, 3), size);
  f.release();
}

export const ASYNC_COPY_ROWS: readonly OpcodeRow[] = [
  {
    name: "cp",
    types: [["b64"]],
    optionalTypes: 1,
    modifiers: [
      ...["async", "ca", "cg", ...WAITS, "mbarrier", "arrive", "noinc", "bulk", "bulk_group", BYTES_COME],
      ...["shared", "shared::cta", "shared::cluster", "global"],
    ],
    ignored: ["read"],
    operands: [0, 5],
    results: 0,
    effect: "write",
    note: "cp.async only, done at once",
    check: checkCopy,
    scalar: emitCopy,
  },
  {
    name: "createpolicy",
    types: [["b64"]],
    ignored: ["fractional", "range", "cvt", "global"],
    operands: [2, 4],
    effect: "pure",
    note: "0: caches are the processor's",
    scalar: (e, i) => {
      e.code.i64(0n);
      e.set(operandAt(i, 0), "b64");
    },
  },
];
