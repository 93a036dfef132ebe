/**
 * Rows that move data: mov, ld, st, cvta and what concerns addresses (PTX ISA 9.7.9).
 *
 * Owns loads and stores of every width, vector and state space, and moves with packing. Addresses are checked
 * by the emitter. Invariant: a load of n elements is checked as one access of all their bytes.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { storageOf } from "../kernel/ir.ts";
import type { Instruction } from "../kernel/ir.ts";
import { isWide } from "../emit/specials.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";
import { isPointer, operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

export const SPACES = [
  ...["const", "global", "local", "param", "shared", "shared::cta", "param::entry", "param::func"],
] as const;
/** Orders and scopes: ordinary accesses of a CPU are at least as strong, see `isOrdered`. */
const ORDERS = ["weak", "relaxed", "acquire", "release", "volatile", "mmio"] as const;
const IGNORED = [
  ...["cta", "cluster", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "unified"],
  ...["evict_first", "evict_last", "evict_normal", "evict_unchanged", "no_allocate"],
];
const VECTORS = ["v2", "v4", "v8"] as const;
const ACCESSED: readonly PtxType[] = [
  ...["b8", "u8", "s8"] as const,
  ...TYPES.bits,
  ...TYPES.int,
  ...TYPES.float,
  ...["f16", "bf16", "f16x2", "bf16x2"] as const,
];

/** The state space that an instruction names, or undefined for a generic address. */
export function spaceOf(i: Instruction): string | undefined {
  const space = i.modifiers.find((word) => (SPACES as readonly string[]).includes(word));
  return space?.split("::")[0];
}

function countOf(i: Instruction): number {
  const vector = i.modifiers.find((word) => (VECTORS as readonly string[]).includes(word));
  return vector === undefined ? 1 : Number(vector.slice(1));
}

const LOADS: Readonly<Record<string, MemoryOpName>> = {
  s8: "i32Load8S",
  u8: "i32Load8U",
  b8: "i32Load8U",
  s16: "i32Load16S",
  u16: "i32Load16U",
  b16: "i32Load16U",
  f16: "i32Load16U",
  bf16: "i32Load16U",
  f32: "f32Load",
  f64: "f64Load",
};
const STORES: Readonly<Record<number, MemoryOpName>> = { 1: "i32Store8", 2: "i32Store16" };

/** The load of one element; the value on the stack is of the type's WebAssembly type. */
function loadOp(type: PtxType): MemoryOpName {
  return LOADS[type] ?? (storageOf(type) === "i64" ? "i64Load" : "i32Load");
}

function storeOp(type: PtxType): MemoryOpName {
  return STORES[bytesOf(type)] ?? (`${storageOf(type)}Store` as MemoryOpName);
}

/** Loads and stores that other threads' order must not pass. */
function isOrdered(e: Emitter, i: Instruction): boolean {
  return e.parts.isShared &&
    i.modifiers.some((word) => /^(relaxed|acquire|release|volatile|mmio)$/.test(word));
}

function elementsOf(operand: PtxOperand, count: number, i: Instruction): readonly PtxOperand[] {
  const elements = operand.kind === "vector" ? operand.elements : [operand];
  if (elements.length !== count) throw unsupported(i, `expected ${count} elements, got ${elements.length}`);
  return elements;
}

function checkAccess(i: Instruction, valueIndex: number): void {
  elementsOf(operandAt(i, valueIndex), countOf(i), i);
  if (countOf(i) * bytesOf(typeAt(i)) > 32) throw unsupported(i, "more than 32 bytes");
}

function emitLoad(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const bytes = bytesOf(type);
  const elements = elementsOf(operandAt(i, 0), countOf(i), i);
  const offset = e.pushAddress(operandAt(i, 1), spaceOf(i), bytes * elements.length, i);
  if (elements.length === 1) {
    emitLoadOne(e, i, type, offset);
    // Sub-word loads fill the whole register, sign or zero.
    return setLoaded(e, elements[0], type);
  }
  const address = code.temp("i64");
  code.set(address);
  elements.forEach((element, index) => {
    code.get(address);
    emitLoadOne(e, i, type, offset + BigInt(index * bytes));
    setLoaded(e, element, type);
  });
  code.release("i64", address);
}

function emitLoadOne(e: Emitter, i: Instruction, type: PtxType, offset: bigint): void {
  if (!isOrdered(e, i)) return e.code.memory(loadOp(type), offset);
  const bytes = bytesOf(type);
  if (bytes === 8) e.code.memory("i64AtomicLoad", offset);
  else {e.code.memory(
      bytes === 4 ? "i32AtomicLoad" : bytes === 2 ? "i32AtomicLoad16U" : "i32AtomicLoad8U",
      offset,
    );}
  if (type === "f32") e.code.op("f32ReinterpretI32");
  else if (type === "f64") e.code.op("f64ReinterpretI64");
  else if (bytes < 4) e.extend(type, true);
}

function setLoaded(e: Emitter, target: PtxOperand | undefined, type: PtxType): void {
  e.set(target, type);
}

function emitStore(e: Emitter, i: Instruction): void {
  const { code } = e;
  const type = typeAt(i);
  const bytes = bytesOf(type);
  const elements = elementsOf(operandAt(i, 1), countOf(i), i);
  const offset = e.pushAddress(operandAt(i, 0), spaceOf(i), bytes * elements.length, i);
  const address = elements.length === 1 ? undefined : code.temp("i64");
  if (address !== undefined) code.set(address);
  elements.forEach((element, index) => {
    if (address !== undefined) code.get(address);
    e.push(element, type);
    emitStoreOne(e, i, type, offset + BigInt(index * bytes));
  });
  if (address !== undefined) code.release("i64", address);
}

function emitStoreOne(e: Emitter, i: Instruction, type: PtxType, offset: bigint): void {
  const { code } = e;
  if (!isOrdered(e, i)) return code.memory(storeOp(type), offset);
  const bytes = bytesOf(type);
  if (type === "f32") code.op("i32ReinterpretF32");
  else if (type === "f64") code.op("i64ReinterpretF64");
  if (bytes === 8) code.memory("i64AtomicStore", offset);
  else {code.memory(
      bytes === 4 ? "i32AtomicStore" : bytes === 2 ? "i32AtomicStore16" : "i32AtomicStore8",
      offset,
    );}
}

/** mov, with the packing of a vector into a wider register and back. */
function emitMov(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  const [target, source] = [operandAt(i, 0), operandAt(i, 1)];
  if (source.kind === "vector") return emitPack(e, i, target, source.elements);
  if (target.kind === "vector") return emitUnpack(e, i, target.elements, source);
  const isRelative = storageOf(type) === "i64" && isPointer(e, target) && isPointer(e, source);
  if (isRelative && target.kind === "register" && source.kind === "register") {
    e.pushRelative(source.register);
    return e.setRelative(target.register);
  }
  if (source.kind === "special" && isWide(source.name)) {
    e.push(source, "b64");
    return e.set(target, "b64");
  }
  e.push(source, type);
  e.set(target, type);
}

function emitPack(e: Emitter, i: Instruction, target: PtxOperand, elements: readonly PtxOperand[]): void {
  const { code } = e;
  const type = typeAt(i);
  const isLong = bytesOf(type) === 8;
  const bits = 8 * bytesOf(type) / elements.length;
  elements.forEach((element, index) => {
    e.push(element, "b32");
    if (bits < 32) {
      code.i32(2 ** bits - 1);
      code.op("i32And");
    }
    if (isLong) code.op("i64ExtendI32U");
    if (index === 0) return;
    if (isLong) {
      code.i64(BigInt(index * bits));
      code.op("i64Shl", "i64Or");
    } else {
      code.i32(index * bits);
      code.op("i32Shl", "i32Or");
    }
  });
  e.set(target, isLong ? "b64" : "b32");
}

function emitUnpack(e: Emitter, i: Instruction, elements: readonly PtxOperand[], source: PtxOperand): void {
  const { code } = e;
  const type = typeAt(i);
  const isLong = bytesOf(type) === 8;
  const bits = 8 * bytesOf(type) / elements.length;
  const value = code.temp(isLong ? "i64" : "i32");
  e.push(source, isLong ? "b64" : "b32");
  code.set(value);
  elements.forEach((element, index) => {
    if (element.kind === "sink") return;
    code.get(value);
    if (isLong) {
      code.i64(BigInt(index * bits));
      code.op("i64ShrU", "i32WrapI64");
    } else {
      code.i32(index * bits);
      code.op("i32ShrU");
    }
    if (bits < 32) {
      code.i32(2 ** bits - 1);
      code.op("i32And");
    }
    e.set(element, "b32");
  });
  code.release(isLong ? "i64" : "i32", value);
}

function checkMov(i: Instruction): void {
  for (const operand of i.operands) {
    if (operand.kind !== "vector") continue;
    const bits = 8 * bytesOf(typeAt(i)) / operand.elements.length;
    if (bits !== 8 && bits !== 16 && bits !== 32) {
      throw unsupported(i, `a vector of ${operand.elements.length}`);
    }
  }
}

/** A register that stands for a parameter of an inlined call. */
function emitGet(e: Emitter, i: Instruction): void {
  const type = typeAt(i);
  e.push(operandAt(i, 1), type);
  e.extend(type);
  e.set(operandAt(i, 0), type);
}

export const MEMORY_ROWS: readonly OpcodeRow[] = [
  {
    name: "mov",
    types: [[...TYPES.bitsAndPred, ...TYPES.int, ...TYPES.float, "f16", "bf16", "f16x2", "bf16x2"]],
    operands: [2, 2],
    effect: "pure",
    lattice: "copy",
    check: checkMov,
    scalar: emitMov,
  },
  {
    name: "ld",
    types: [ACCESSED],
    modifiers: [...SPACES, ...ORDERS, ...VECTORS],
    ignored: IGNORED,
    operands: [2, 3],
    effect: "read",
    check: (i) => checkAccess(i, 0),
    scalar: emitLoad,
  },
  {
    name: "ldu",
    types: [ACCESSED],
    modifiers: [...SPACES, ...VECTORS],
    operands: [2, 2],
    effect: "read",
    check: (i) => checkAccess(i, 0),
    scalar: emitLoad,
  },
  {
    name: "st",
    types: [ACCESSED],
    modifiers: [...SPACES, ...ORDERS, ...VECTORS],
    ignored: IGNORED,
    operands: [2, 3],
    results: 0,
    effect: "write",
    check: (i) => checkAccess(i, 1),
    scalar: emitStore,
  },
  { name: "$get", types: [ACCESSED], operands: [2, 2], effect: "pure", lattice: "copy", scalar: emitGet },
  { name: "$set", types: [ACCESSED], operands: [2, 2], effect: "pure", lattice: "copy", scalar: emitGet },
];
