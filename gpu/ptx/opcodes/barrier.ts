/**
 * Rows of the block's barriers: bar and barrier with sync, red and arrive (PTX ISA 9.7.13.1).
 *
 * Owns what is accepted and how the number of the barrier, the count of threads and the predicate are pushed;
 * who waits for whom is the driver's. An arrival without waiting is counted in the save area. Invariant: a
 * barrier's number is below BARRIER_COUNT where it is used.
 */
import type { PtxOperand } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { BARRIER_COUNT, SavedLayout } from "../emit/saved.ts";
import { operandAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Operands of a barrier by what they mean. */
export interface BarrierOperands {
  /** What `red` combines, and the register that gets the result. */
  readonly reduction: "popc" | "and" | "or" | undefined;
  readonly result: PtxOperand | undefined;
  readonly predicate: PtxOperand | undefined;
  readonly id: PtxOperand;
  /** Threads that take part; undefined for all of the block. */
  readonly count: PtxOperand | undefined;
}

/** Reads the operands of `bar` and `bar.arrive`. */
export function barrierOperands(i: Instruction): BarrierOperands {
  if (!i.modifiers.includes("red")) {
    return {
      reduction: undefined,
      result: undefined,
      predicate: undefined,
      id: operandAt(i, 0),
      count: i.operands[1],
    };
  }
  const reduction = (["popc", "and", "or"] as const).find((word) => i.modifiers.includes(word));
  if (reduction === undefined) throw unsupported(i, "expected .popc, .and or .or");
  const [, , third, fourth] = i.operands;
  return {
    reduction,
    result: operandAt(i, 0),
    predicate: fourth ?? third,
    id: operandAt(i, 1),
    count: fourth === undefined ? undefined : third,
  };
}

/** Pushes the barrier's number as an i32; a number that does not exist ends the kernel. */
export function pushBarrierId(e: Emitter, i: Instruction): void {
  const { code } = e;
  const { id } = barrierOperands(i);
  e.push(id, "u32");
  if (id.kind === "integer") return;
  const number = code.temp("i32");
  code.tee(number);
  code.i32(BARRIER_COUNT);
  code.op("i32GeU");
  code.if();
  e.fault(FAULT.launchFailed, i.line);
  code.end();
  code.get(number);
  code.release("i32", number);
}

/** Pushes the count of threads that the barrier waits for, 0 for all of the block. */
export function pushBarrierCount(e: Emitter, i: Instruction): void {
  const { count } = barrierOperands(i);
  if (count === undefined) e.code.i32(0);
  else e.push(count, "u32");
}

/** Pushes the thread's predicate of a `red`, 0 or 1. */
export function pushBarrierPredicate(e: Emitter, i: Instruction): void {
  const { predicate } = barrierOperands(i);
  if (predicate === undefined) e.code.i32(0);
  else e.push(predicate, "pred");
}

function checkBarrier(i: Instruction): void {
  const { id, count, reduction } = barrierOperands(i);
  if (id.kind === "integer" && (id.value < 0n || id.value >= BigInt(BARRIER_COUNT))) {
    throw unsupported(i, `a barrier is 0 to ${BARRIER_COUNT - 1}, got ${id.value}`);
  }
  if (count?.kind === "integer" && (count.value <= 0n || count.value % 32n !== 0n)) {
    throw unsupported(i, `the count of threads is a multiple of 32, got ${count.value}`);
  }
  if (reduction === undefined) {
    if (i.operands.length > 2 || i.types.length > 0) throw unsupported(i, "too many operands or a type");
  } else if (i.operands.length < 3 || i.types[0] !== (reduction === "popc" ? "u32" : "pred")) {
    throw unsupported(i, "missing operands, or another type");
  }
}

/** One more thread has arrived and does not wait. */
function emitArrive(e: Emitter, i: Instruction): void {
  const { code } = e;
  const { arrivals } = new SavedLayout(e.facts.kernel, e.facts.threads);
  const place = code.temp("i64");
  code.globalGet(e.parts.globals.saveBase);
  pushBarrierId(e, i);
  code.i32(2);
  code.op("i32Shl", "i64ExtendI32U", "i64Add");
  code.tee(place);
  code.get(place);
  code.memory("i32Load", arrivals);
  code.i32(1);
  code.op("i32Add");
  code.memory("i32Store", arrivals);
  code.release("i64", place);
}

/** The pseudo instruction of a thread that lets others go on, in a loop that waits for what they write. */
export const YIELD = "$yield";

/** Whether it asks what others have done: nobody is waited for, but all others go on first. */
export function isQuestion({ row }: Instruction): boolean {
  return row.name === "mbarrier.wait" || row.name === YIELD;
}

/** Whether it gathers all threads of the block and does nothing else. */
export function isPlainBarrier(i: Instruction): boolean {
  if (isQuestion(i)) return false;
  const { reduction, count, id } = barrierOperands(i);
  // A number in a register may differ from thread to thread, and need not be one.
  return id.kind === "integer" && reduction === undefined && count === undefined;
}

/** Whether all threads of a warp must come to this very instruction. */
export function isAlignedBarrier({ row, modifiers }: Instruction): boolean {
  return row.name === "bar" || modifiers.includes("aligned");
}

const YIELD_ROW: OpcodeRow = {
  name: YIELD,
  types: [],
  operands: [0, 0],
  results: 0,
  effect: "barrier",
  scalar: () => {},
};

export const BARRIER_ROWS: readonly OpcodeRow[] = (["bar", "barrier"] as const).map((name): OpcodeRow => ({
  name,
  types: [["u32", "pred"]],
  optionalTypes: 1,
  modifiers: ["sync", "red", "popc", "and", "or", "aligned"],
  ignored: ["cta"],
  operands: [1, 4],
  results: (source) => source.modifiers.includes("red") ? 1 : 0,
  effect: "barrier",
  lattice: "varying",
  check: checkBarrier,
})).concat([
  YIELD_ROW,
  {
    name: "bar.arrive",
    types: [],
    ignored: ["cta", "arrive", "aligned"],
    operands: [2, 2],
    results: 0,
    effect: "write",
    check: checkBarrier,
    scalar: emitArrive,
  },
]);
