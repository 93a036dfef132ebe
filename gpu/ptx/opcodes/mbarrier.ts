/**
 * Rows of barrier objects: mbarrier (PTX ISA 9.7.13.15).
 *
 * Owns the 64 bits of an object, which PTX leaves open: expected arrivals, pending ones, bytes still to come, and
 * the phase. Waiting is a question that gathers the block: whoever asks lets all others go on first, so that a
 * loop of questions cannot keep those from arriving that it waits for. Invariant: a phase ends when nothing is
 * pending and no bytes are to come; threads of a block take turns, so plain accesses are enough.
 */
import type { PtxOperand } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value, Variable } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt } from "./integer.ts";
import { spaceOf } from "./memory.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Bits 0 to 19: arrivals of each phase. */
const COUNT_BITS = 20;
const COUNT_MASK = 0xf_ffff;
/** Bits 20 to 39: arrivals that this phase waits for. */
const PENDING_AT = 20n;
/** Bits 40 to 60: bytes that this phase waits for, signed. */
const BYTES_AT = 40n;
const BYTES_MASK = 0x1f_ffffn;
/** Bits 61 to 63: the phase, modulo 8. */
const PHASE_AT = 61n;

const OPERATIONS = [
  ...["init", "inval", "arrive", "arrive_drop", "expect_tx", "complete_tx", "pending_count"] as const,
];
type Operation = typeof OPERATIONS[number];

function operationOf(i: Instruction): Operation {
  const found = OPERATIONS.find((each) => i.modifiers.includes(each));
  if (found === undefined) throw unsupported(i, "expected an operation");
  return found;
}

/** `mbarrier.arrive.expect_tx` is an arrival; it says how many bytes are to come as well. */
function expectsBytes(i: Instruction): boolean {
  return i.modifiers.includes("expect_tx");
}

function hasState(i: Instruction): boolean {
  return operationOf(i).startsWith("arrive");
}

/** Whether an arrival gives the state that it found; older forms and those of other blocks do not. */
function resultsOf(words: readonly string[]): number {
  return words.includes("arrive") || words.includes("arrive_drop") || words.includes("pending_count") ? 1 : 0;
}

function checkObject(i: Instruction): void {
  const operation = operationOf(i);
  const rest = i.operands.length - resultsOf(i.modifiers);
  const [min, max] = ({
    init: [2, 2],
    inval: [1, 1],
    arrive: expectsBytes(i) ? [2, 2] : [1, 2],
    arrive_drop: expectsBytes(i) ? [2, 2] : [1, 2],
    expect_tx: [2, 2],
    complete_tx: [2, 2],
    pending_count: [1, 1],
  } as const)[operation];
  if (rest < min || rest > max) throw unsupported(i, `expected ${min} to ${max} operands, got ${rest}`);
}

/** The place of the object in memory, and the offset that goes with it. */
function placeOf(f: Formula, e: Emitter, i: Instruction, address: PtxOperand): Value {
  return f.value("i64", () => {
    const offset = e.pushAddress(address, spaceOf(i), 8, i);
    e.code.i64(offset);
    e.code.op("i64Add");
  });
}

function load(f: Formula, place: Value): Value {
  return f.value("i64", () => {
    place.push();
    f.code.memory("i64Load");
  });
}

function store(f: Formula, place: Value, value: Value): void {
  place.push();
  value.push();
  f.code.memory("i64Store");
}

/** Stores an object, of which the next phase begins if nothing is pending in this one. */
function storeCompleted(f: Formula, place: Value, object: Variable): void {
  const waits = object.shrU(PENDING_AT).and((BYTES_MASK << BYTES_AT - PENDING_AT) | BigInt(COUNT_MASK));
  const expected = f.let(object.and(BigInt(COUNT_MASK)));
  const phase = object.and(7n << PHASE_AT).add(1n << PHASE_AT);
  store(f, place, waits.eqz().select(phase.or(expected.shl(PENDING_AT)).or(expected), object));
}

/** Adds to the bytes that are to come; the sum wraps within its field. */
function withBytes(object: Value, bytes: Value): Value {
  const field = BYTES_MASK << BYTES_AT;
  return object.and(~field).or(object.add(bytes.extendU().shl(BYTES_AT)).and(field));
}

function emitObject(e: Emitter, i: Instruction): void {
  const operation = operationOf(i);
  const f = new Formula(e.code, e.parts);
  const first = resultsOf(i.modifiers);
  const u32 = (operand: PtxOperand | undefined): Value =>
    operand === undefined ? f.i32(1) : f.value("i32", () => e.push(operand, "u32"));
  if (operation === "pending_count") {
    const state = f.value("i64", () => e.push(operandAt(i, 1), "b64"));
    state.shrU(PENDING_AT).wrap().and(COUNT_MASK).push();
    return e.set(operandAt(i, 0), "u32");
  }
  const place = f.let(placeOf(f, e, i, operandAt(i, first)));
  if (operation === "init") {
    const count = f.let(u32(operandAt(i, 1)).and(COUNT_MASK).extendU());
    store(f, place, count.or(count.shl(BigInt(COUNT_BITS))));
  } else if (operation === "expect_tx" || operation === "complete_tx") {
    const bytes = u32(operandAt(i, 1));
    const signed = operation === "expect_tx" ? bytes : f.i32(0).sub(bytes);
    storeCompleted(f, place, f.let(withBytes(load(f, place), signed)));
  } else if (hasState(i)) {
    const before = f.let(load(f, place));
    const object = f.let(before);
    if (expectsBytes(i)) object.set(withBytes(object, u32(operandAt(i, first + 1))));
    const count = f.let(u32(expectsBytes(i) ? undefined : i.operands[first + 1]).and(COUNT_MASK).extendU());
    object.set(object.sub(count.shl(PENDING_AT)));
    if (operation === "arrive_drop") object.set(object.sub(count));
    if (i.modifiers.includes("noComplete")) store(f, place, object);
    else storeCompleted(f, place, object);
    before.push();
    e.set(operandAt(i, 0), "b64");
  }
  f.release();
}

/** Whether the phase has ended: that of a state, or the last one of a parity. */
function emitWait(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const phase = load(f, placeOf(f, e, i, operandAt(i, 1))).shrU(PHASE_AT).wrap();
  const asked = i.modifiers.includes("parity")
    ? f.value("i32", () => e.push(operandAt(i, 2), "u32"))
    : f.value("i64", () => e.push(operandAt(i, 2), "b64")).shrU(PHASE_AT).wrap();
  const differs = phase.xor(asked);
  (i.modifiers.includes("parity") ? differs.and(1) : differs.ne(0)).push();
  f.release();
  e.set(operandAt(i, 0), "pred");
}

/** One arrival for the copies that came before, which are done; without .noinc it was not expected either. */
export function emitCopyArrival(e: Emitter, i: Instruction): void {
  if (!i.modifiers.includes("noinc")) return;
  const f = new Formula(e.code, e.parts);
  const place = f.let(placeOf(f, e, i, operandAt(i, 0)));
  storeCompleted(f, place, f.let(load(f, place).sub(1n << PENDING_AT)));
  f.release();
}

/** Bytes have come that an object waits for. */
export function emitBytesCame(e: Emitter, i: Instruction, address: PtxOperand, bytes: Value): void {
  const f = new Formula(e.code, e.parts);
  // The object is shared whatever else the instruction names.
  const place = f.let(f.value("i64", () => {
    const offset = e.pushAddress(address, "shared", 8, i);
    e.code.i64(offset);
    e.code.op("i64Add");
  }));
  storeCompleted(f, place, f.let(withBytes(load(f, place), f.i32(0).sub(bytes))));
  f.release();
}

const IGNORED = ["release", "acquire", "relaxed", "cta"] as const;
const SPACES = ["shared", "shared::cta"] as const;

export const MBARRIER_ROWS: readonly OpcodeRow[] = [
  {
    name: "mbarrier",
    types: [["b64"]],
    optionalTypes: 1,
    modifiers: [...OPERATIONS, ...SPACES, "noComplete"],
    ignored: IGNORED,
    operands: [1, 3],
    results: ({ modifiers }) => resultsOf(modifiers),
    effect: "write",
    lattice: "varying",
    check: checkObject,
    scalar: emitObject,
  },
  {
    name: "mbarrier.wait",
    types: [["b64"]],
    modifiers: ["test_wait", "try_wait", "parity", ...SPACES],
    ignored: IGNORED,
    operands: [3, 4],
    effect: "barrier",
    lattice: "varying",
    note: "asks again when all others have gone on",
    scalar: emitWait,
  },
];
