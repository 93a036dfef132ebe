/**
 * Rows of atomic operations: atom and red (PTX ISA 9.7.13.5, 9.7.13.6).
 *
 * Owns what they take and how the new value gets into memory; the new value itself is atomic_value.ts's. Threads
 * of a worker take turns, so plain accesses are atomic among them; where workers share memory the engine's
 * atomic instructions are used, except in .shared, which belongs to one worker. Orders and scopes need nothing
 * more: those instructions are sequentially consistent. Invariant: the result is written last.
 */
import { bytesOf } from "../ast.ts";
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";
import { ATOMIC_OPERATIONS, ATOMIC_TYPES, checkUpdate, operationOf, pushUpdated } from "./atomic_value.ts";
import type { Update } from "./atomic_value.ts";
import { operandAt, typeAt } from "./integer.ts";
import { spaceOf } from "./memory.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

const VECTORS: Readonly<Record<string, number>> = { v2: 2, v4: 4, v8: 8 };
const SPACES = ["global", "shared", "shared::cta"] as const;
const IGNORED = [
  "relaxed",
  "acquire",
  "release",
  "acq_rel",
  "cta",
  "cluster",
  "gpu",
  "sys",
  "noftz",
] as const;

/** Operands by what they mean; `target` is missing for red. */
interface AtomicOperands {
  readonly targets: readonly PtxOperand[];
  readonly address: PtxOperand;
  readonly values: readonly PtxOperand[];
  /** What cas writes. */
  readonly swapped: PtxOperand | undefined;
}

function elements(operand: PtxOperand): readonly PtxOperand[] {
  return operand.kind === "vector" ? operand.elements : [operand];
}

function operandsOf(i: Instruction): AtomicOperands {
  const first = i.row.name === "red" ? 0 : 1;
  return {
    targets: first === 0 ? [] : elements(operandAt(i, 0)),
    address: operandAt(i, first),
    values: elements(operandAt(i, first + 1)),
    // A cache policy may follow; only cas has a third value.
    swapped: operationOf(i) === "cas" ? operandAt(i, first + 2) : undefined,
  };
}

function checkAtomic(i: Instruction): void {
  checkUpdate(i);
  const { targets, values } = operandsOf(i);
  const vector = i.modifiers.find((word) => VECTORS[word] !== undefined);
  const count = vector === undefined ? 1 : VECTORS[vector] ?? 1;
  const isPlain = targets.length === 1 && targets[0]?.kind === "sink";
  if (values.length !== count || (targets.length !== count && targets.length !== 0 && !isPlain)) {
    throw unsupported(i, `expected ${count} elements, got ${values.length}`);
  }
  if (count * bytesOf(typeAt(i)) > 16) throw unsupported(i, "more than 16 bytes");
}

/** The WebAssembly type in which an element is exchanged with memory, and the words for its width. */
interface Cell {
  readonly storage: "i32" | "i64";
  readonly bytes: number;
  readonly load: MemoryOpName;
  readonly store: MemoryOpName;
  readonly atomicLoad: MemoryOpName;
  readonly cmpxchg: MemoryOpName;
}

const CELLS: Readonly<Record<number, Cell>> = {
  2: {
    storage: "i32",
    bytes: 2,
    load: "i32Load16U",
    store: "i32Store16",
    atomicLoad: "i32AtomicLoad16U",
    cmpxchg: "i32AtomicCmpxchg16U",
  },
  4: {
    storage: "i32",
    bytes: 4,
    load: "i32Load",
    store: "i32Store",
    atomicLoad: "i32AtomicLoad",
    cmpxchg: "i32AtomicCmpxchg",
  },
  8: {
    storage: "i64",
    bytes: 8,
    load: "i64Load",
    store: "i64Store",
    atomicLoad: "i64AtomicLoad",
    cmpxchg: "i64AtomicCmpxchg",
  },
};

/** Operations that the engine has as one instruction. */
const DIRECT: Readonly<Record<string, string>> = {
  add: "Add",
  and: "And",
  or: "Or",
  xor: "Xor",
  exch: "Xchg",
};

/** The type of the bits of an element. */
function bitsType(type: PtxType): PtxType {
  return `b${8 * bytesOf(type)}` as PtxType;
}

function cellOf(i: Instruction): Cell {
  const cell = CELLS[bytesOf(typeAt(i))];
  if (cell === undefined) throw unsupported(i, `.${typeAt(i)}`);
  return cell;
}

function emitAtomic(e: Emitter, i: Instruction): void {
  const { code } = e;
  const { targets, address, values, swapped } = operandsOf(i);
  const type = typeAt(i);
  const cell = cellOf(i);
  const isAtomic = e.parts.isShared && spaceOf(i) !== "shared";
  const at = code.temp("i64");
  const offset = e.pushAddress(address, spaceOf(i), cell.bytes * values.length, i);
  code.set(at);
  const old = values.map(() => code.temp(cell.storage));
  values.forEach((value, index) => {
    const place = { at, offset: offset + BigInt(index * cell.bytes), old: old[index] ?? 0 };
    if (!isAtomic) return emitPlain(e, i, cell, place, value, swapped);
    const direct = DIRECT[operationOf(i)];
    if (operationOf(i) === "cas") emitCompare(e, i, cell, place, value, swapped);
    else if (direct !== undefined && !type.includes("f") && cell.bytes >= 4) {
      code.get(at);
      pushValue(e, type, value);
      code.memory(`${cell.storage}Atomic${direct}` as MemoryOpName, place.offset);
      code.set(place.old);
    } else emitLoop(e, i, cell, place, value);
  });
  // The registers of the results may be among those that were read.
  targets.forEach((target, index) => {
    if (target.kind === "sink") return;
    code.get(old[index] ?? 0);
    e.set(target, bitsType(type));
  });
  for (const local of old) code.release(cell.storage, local);
  code.release("i64", at);
}

interface Place {
  readonly at: number;
  readonly offset: bigint;
  /** The local that gets what was there. */
  readonly old: number;
}

/** Pushes an operand's bits, those above its width zero. */
function pushValue(e: Emitter, type: PtxType, value: PtxOperand): void {
  e.pushInt(value.kind === "float" ? asBits(value, type) : value, bitsType(type));
}

/** A floating-point constant as the bits that the type has; decimal ones are written as doubles. */
function asBits(operand: PtxOperand & { kind: "float" }, type: PtxType): PtxOperand {
  if (operand.width === 8 * bytesOf(type)) return { kind: "integer", value: operand.bits };
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, operand.bits);
  if (operand.width === 32) view.setFloat64(0, view.getFloat32(4));
  else view.setFloat32(4, view.getFloat64(0));
  return {
    kind: "integer",
    value: operand.width === 32 ? view.getBigUint64(0) : BigInt(view.getUint32(4)),
  };
}

function updateOf(
  e: Emitter,
  i: Instruction,
  cell: Cell,
  old: number,
  value: PtxOperand,
  swapped: PtxOperand | undefined,
): Update {
  const type = typeAt(i);
  return {
    storage: cell.storage,
    pushOld: () => e.code.get(old),
    pushValue: () => pushValue(e, type, value),
    pushSwapped: () => {
      if (swapped !== undefined) pushValue(e, type, swapped);
    },
  };
}

function emitPlain(
  e: Emitter,
  i: Instruction,
  cell: Cell,
  { at, offset, old }: Place,
  value: PtxOperand,
  swapped: PtxOperand | undefined,
): void {
  const { code } = e;
  code.get(at);
  code.memory(cell.load, offset);
  code.set(old);
  code.get(at);
  pushUpdated(e, i, updateOf(e, i, cell, old, value, swapped));
  code.memory(cell.store, offset);
}

function emitCompare(
  e: Emitter,
  i: Instruction,
  cell: Cell,
  { at, offset, old }: Place,
  value: PtxOperand,
  swapped: PtxOperand | undefined,
): void {
  const { code } = e;
  code.get(at);
  const { pushValue: pushExpected, pushSwapped } = updateOf(e, i, cell, old, value, swapped);
  pushExpected();
  pushSwapped();
  code.memory(cell.cmpxchg, offset);
  code.set(old);
}

/** What the engine has no instruction for: tried until no other worker came between. */
function emitLoop(
  e: Emitter,
  i: Instruction,
  cell: Cell,
  { at, offset, old }: Place,
  value: PtxOperand,
): void {
  const { code } = e;
  const seen = code.temp(cell.storage);
  code.get(at);
  code.memory(cell.atomicLoad, offset);
  code.set(old);
  const end = code.block();
  const again = code.loop();
  code.get(at);
  code.get(old);
  pushUpdated(e, i, updateOf(e, i, cell, old, value, undefined));
  code.memory(cell.cmpxchg, offset);
  code.tee(seen);
  code.get(old);
  code.op(`${cell.storage}Eq`);
  code.brIf(end);
  code.get(seen);
  code.set(old);
  code.br(again);
  code.end();
  code.end();
  code.release(cell.storage, seen);
}

export const ATOMIC_ROWS: readonly OpcodeRow[] = [
  {
    name: "atom",
    types: [ATOMIC_TYPES],
    modifiers: [...SPACES, ...ATOMIC_OPERATIONS, ...Object.keys(VECTORS)],
    ignored: IGNORED,
    operands: [3, 5],
    effect: "write",
    lattice: "varying",
    check: checkAtomic,
    scalar: emitAtomic,
  },
  {
    name: "red",
    types: [ATOMIC_TYPES],
    modifiers: [
      ...SPACES,
      ...ATOMIC_OPERATIONS.filter((name) => name !== "exch" && name !== "cas"),
      ...Object.keys(VECTORS),
    ],
    ignored: IGNORED,
    operands: [2, 3],
    results: 0,
    effect: "write",
    check: checkAtomic,
    scalar: emitAtomic,
  },
];
