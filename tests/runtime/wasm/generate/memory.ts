/**
 * Rules for memories: loads and stores of every width, growing, and the bulk instructions.
 *
 * Owns the memory opcodes, scalar and vector, for any of the module's memories with 32 or 64-bit addresses.
 * Most addresses are in bounds and a few are not. Bulk sizes lie around the 64 KiB where copies may be cut.
 * Invariant: value rules leave one value, statement rules nothing.
 */
import type { Body, Rule } from "./body.ts";
import { whileWorkLasts } from "./work.ts";
import type { Type } from "./value_type.ts";

/** [opcode, log2 of the width]. */
const LOADS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  i32: [[0x28, 2], [0x2c, 0], [0x2d, 0], [0x2e, 1], [0x2f, 1]],
  i64: [[0x29, 3], [0x30, 0], [0x31, 0], [0x32, 1], [0x33, 1], [0x34, 2], [0x35, 2]],
  f32: [[0x2a, 2]],
  f64: [[0x2b, 3]],
};
const STORES: readonly (readonly [Type, number, number])[] = [
  ["i32", 0x36, 2],
  ["i64", 0x37, 3],
  ["f32", 0x38, 2],
  ["f64", 0x39, 3],
  ["i32", 0x3a, 0],
  ["i32", 0x3b, 1],
  ["i64", 0x3c, 0],
  ["i64", 0x3d, 1],
  ["i64", 0x3e, 2],
];
const VECTOR_LOADS: readonly (readonly [number, number])[] = [
  [0, 4],
  ...[1, 2, 3, 4, 5, 6].map((opcode) => [opcode, 3] as const),
  [7, 0],
  [8, 1],
  [9, 2],
  [10, 3],
  [92, 2],
  [93, 3],
];
/** Lane loads; the stores are 4 further. */
const LANE_LOADS: readonly (readonly [number, number])[] = [[84, 0], [85, 1], [86, 2], [87, 3]];

const BULK_SIZES = [
  0,
  1,
  100,
  65_535,
  65_536,
  65_537,
  200_000,
  262_143,
  262_144,
  262_145,
  300_000,
  524_288,
  524_289,
];

function addressType(body: Body, memory: number): Type {
  return body.plan.memories[memory]?.is64 ? "i64" : "i32";
}

function anyMemory(body: Body): number {
  return body.choices.below(body.plan.memories.length);
}

/** A constant of the address type of a memory, or of a table: one value. */
export function addressConstant(body: Body, is64: boolean, value: number): void {
  if (is64) body.i64(BigInt(value));
  else body.i32(value);
}

/** A computed number below 16 Ki, as an address; seldom any number at all. */
function address(body: Body, memory: number, depth: number): void {
  const type = addressType(body, memory);
  body.value(type, depth);
  if (body.choices.oneIn(60)) return;
  addressConstant(body, type === "i64", 0x3fff);
  body.op(type === "i64" ? 0x83 : 0x71);
}

function memoryArgument(body: Body, memory: number, widthLog2: number): void {
  const align = body.choices.between(0, widthLog2);
  const isExplicit = memory > 0 || body.choices.oneIn(20);
  body.u(isExplicit ? align | 0x40 : align);
  if (isExplicit) body.u(memory);
  body.u(body.choices.oneIn(100) ? 0x7fff_fff0 : body.choices.below(2000));
}

/** The rules that leave a number from a memory. */
export function loadRules(type: Type): Rule[] {
  const loads = LOADS[type] ?? [];
  const load: Rule = (body, depth) => {
    const memory = anyMemory(body);
    const [opcode, widthLog2] = body.choices.pick(loads);
    address(body, memory, depth);
    body.op(opcode);
    memoryArgument(body, memory, widthLog2);
  };
  return type === "i32" || type === "i64" ? [load, (body) => sizeOrGrow(body, type)] : [load];
}

function sizeOrGrow(body: Body, type: Type): void {
  const memory = body.plan.memories.findIndex((plan) => plan.is64 === (type === "i64"));
  if (memory < 0) {
    if (type === "i64") body.i64(1n);
    else body.i32(1);
    return;
  }
  const grows = body.choices.oneIn(3);
  if (grows) {
    addressConstant(body, type === "i64", body.choices.pick([0, 1, 1, type === "i64" ? 2 ** 40 : 70_000]));
  }
  body.op(grows ? 0x40 : 0x3f);
  body.u(memory);
}

/** The rules that leave a vector from a memory. */
export const VECTOR_LOAD_RULES: readonly Rule[] = [
  (body, depth) => {
    const memory = anyMemory(body);
    const [opcode, widthLog2] = body.choices.pick(VECTOR_LOADS);
    address(body, memory, depth);
    body.op(0xfd);
    body.u(opcode);
    memoryArgument(body, memory, widthLog2);
  },
  (body, depth) => {
    const memory = anyMemory(body);
    const [opcode, widthLog2] = body.choices.pick(LANE_LOADS);
    address(body, memory, depth);
    body.value("v128", depth);
    body.op(0xfd);
    body.u(opcode);
    memoryArgument(body, memory, widthLog2);
    body.op(body.choices.below(16 >> widthLog2));
  },
];

const store: Rule = (body, depth) => {
  const memory = anyMemory(body);
  const [type, opcode, widthLog2] = body.choices.pick(STORES);
  address(body, memory, depth);
  body.value(type, depth);
  body.op(opcode);
  memoryArgument(body, memory, widthLog2);
};

const storeVector: Rule = (body, depth) => {
  const memory = anyMemory(body);
  const isLane = body.choices.oneIn(2);
  const [opcode, widthLog2] = isLane ? body.choices.pick(LANE_LOADS) : [11, 4];
  address(body, memory, depth);
  body.value("v128", depth);
  body.op(0xfd);
  body.u(isLane ? opcode + 4 : opcode);
  memoryArgument(body, memory, widthLog2);
  if (isLane) body.op(body.choices.below(16 >> widthLog2));
};

function bulkSize(body: Body, is64: boolean): void {
  const size = body.choices.pick(BULK_SIZES);
  addressConstant(body, is64, size);
  if (!body.choices.oneIn(4)) return;
  body.value(is64 ? "i64" : "i32", 1);
  addressConstant(body, is64, 0xff);
  body.op(is64 ? 0x83 : 0x71, is64 ? 0x7c : 0x6a);
}

/** An address that leaves a bulk instruction in bounds often enough. */
function bulkAddress(body: Body, memory: number): void {
  const is64 = addressType(body, memory) === "i64";
  const end = (body.plan.memories[memory]?.pagesMin ?? 0) * 65_536;
  const near = body.choices.oneIn(6) ? [end, end - 1, end - 65_536, end + 1] : [0, 1, 100, 4096, 65_535];
  addressConstant(body, is64, body.choices.pick(near));
}

const fill: Rule = (body, depth) => {
  const memory = anyMemory(body);
  whileWorkLasts(body, 20, () => {
    bulkAddress(body, memory);
    body.value("i32", depth);
    bulkSize(body, addressType(body, memory) === "i64");
    body.op(0xfc);
    body.u(11);
    body.u(memory);
  });
};

const copy: Rule = (body) => {
  const [to, from] = [anyMemory(body), anyMemory(body)];
  whileWorkLasts(body, 20, () => {
    bulkAddress(body, to);
    bulkAddress(body, from);
    // The size has the narrower of both address types.
    bulkSize(body, addressType(body, to) === "i64" && addressType(body, from) === "i64");
    body.op(0xfc);
    body.u(10);
    body.u(to);
    body.u(from);
  });
};

const init: Rule = (body) => {
  const memory = anyMemory(body);
  const segment = body.choices.below(body.plan.dataBytes.length);
  const bytes = body.plan.dataBytes[segment] ?? 0;
  whileWorkLasts(body, 5, () => {
    bulkAddress(body, memory);
    body.i32(body.choices.pick([0, 1, 100]));
    body.i32(body.choices.pick([0, 1, 100, bytes - 100, bytes - 1]));
    body.op(0xfc);
    body.u(8);
    body.u(segment);
    body.u(memory);
  });
};

const drop: Rule = (body) => {
  body.op(0xfc);
  body.u(9);
  body.u(body.choices.below(body.plan.dataBytes.length));
};

/** The bulk instructions that may be cut. */
export const BULK_STATEMENTS: readonly Rule[] = [fill, copy];

/** The rules of statements on memories. */
export const MEMORY_STATEMENTS: readonly Rule[] = [
  store,
  store,
  store,
  storeVector,
  ...BULK_STATEMENTS,
  init,
  drop,
];
