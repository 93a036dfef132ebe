/**
 * Atomics: atom and red, in global, shared and generic memory.
 *
 * Owns their operations on one element. One thread runs at a time, so reading and writing in one step is
 * atomic. Invariant: the old value reaches the register only after the new one is in memory.
 */
import { bytesOf, type PtxType } from "../../../../gpu/ptx/ast.ts";
import { accessSpace, addressOf } from "./address.ts";
import { addBits } from "./exact_arithmetic.ts";
import { bitsOfDouble, bitsOfSingle, doubleOfBits, singleOfBits } from "./float_bits.ts";
import { packedExtremum } from "./half.ts";
import { isSigned } from "./integer.ts";
import type { Site } from "./site.ts";
import { BF16, F16, type FloatFormat } from "./softfloat.ts";
import type { Step } from "./thread.ts";

const OPERATIONS = ["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"] as const;

/** New memory from old memory and operands, all as unsigned bits. */
type Update = (old: bigint, b: bigint, c: bigint) => bigint;

function packedAdd(format: FloatFormat, halves: number): Update {
  return (old, b) => {
    let result = 0n;
    for (let half = 0n; half < halves; half++) {
      const shift = 16n * half;
      result |= addBits(format, "rn", (old >> shift) & 0xffffn, (b >> shift) & 0xffffn) << shift;
    }
    return result;
  };
}

function floatAdd(site: Site, type: PtxType): Update {
  switch (type) {
    case "f32":
      return (old, b) => {
        const sum = Math.fround(singleOfBits(Number(old)) + singleOfBits(Number(b)));
        return Number.isNaN(sum) ? 0x7fff_ffffn : BigInt(bitsOfSingle(sum));
      };
    case "f64":
      return (old, b) => bitsOfDouble(doubleOfBits(old) + doubleOfBits(b));
    case "f16":
      return packedAdd(F16, 1);
    case "f16x2":
      return packedAdd(F16, 2);
    case "bf16":
      return packedAdd(BF16, 1);
    case "bf16x2":
      return packedAdd(BF16, 2);
    default:
      throw site.unknown();
  }
}

function updateOf(site: Site, type: PtxType): Update {
  const operation = site.oneOf(OPERATIONS);
  const bits = 8 * bytesOf(type);
  const exact = (value: bigint): bigint => isSigned(type) ? BigInt.asIntN(bits, value) : value;
  const isFloat = type.includes("f");
  switch (operation) {
    case "add":
      return isFloat ? floatAdd(site, type) : (old, b) => BigInt.asUintN(bits, old + b);
    case "min":
    case "max": {
      if (isFloat) return packedExtremum(type, operation);
      const isMin = operation === "min";
      return (old, b) => (exact(old) < exact(b)) === isMin ? old : b;
    }
    case "and":
      return (old, b) => old & b;
    case "or":
      return (old, b) => old | b;
    case "xor":
      return (old, b) => old ^ b;
    case "exch":
      return (_old, b) => b;
    case "cas":
      return (old, b, c) => (old === b ? c : old);
    case "inc":
      return (old, b) => (old >= b ? 0n : old + 1n);
    case "dec":
      return (old, b) => (old === 0n || old > b ? b : old - 1n);
    default:
      throw site.unknown();
  }
}

/** `atom.op.type d, [a], b{, c}` and `red.op.type [a], b`; vectors apply the operation to each element. */
export function atomicStep(site: Site): Step {
  const { machine, type, line } = site;
  const space = accessSpace(site);
  const isReduction = site.ins.opcode === "red";
  const operands = isReduction ? site.ins.operands : site.ins.operands.slice(1);
  const [place, b, c] = operands;
  if (place === undefined || b === undefined) throw site.unknown("has too few operands");
  const address = addressOf(site, place);
  const update = updateOf(site, type);
  const size = bytesOf(type);
  const sources = b.kind === "vector" ? b.elements : [b];
  const values = sources.map((each) => site.read(each, type));
  // A cache policy may follow; only cas has a third value.
  const third = c !== undefined && site.has("cas") ? site.read(c, type) : site.scope.constant(0n);
  const targets = isReduction ? [] : resultSlots(site);
  const { u64 } = site.registers;
  const wide = (t: { base: number }, slot: number): bigint => {
    const low = u64[t.base + slot] as bigint;
    if (size === 16) return low | ((u64[t.base + slot + 1] as bigint) << 64n);
    return BigInt.asUintN(8 * size, low);
  };
  return (t) => {
    const memory = machine.locate(t, space, address(t), size * sources.length, line);
    const { index } = machine;
    for (const [each, slot] of values.entries()) {
      const at = index + each * size;
      let old = 0n;
      for (let byte = size - 1; byte >= 0; byte--) old = (old << 8n) | BigInt(memory.u8[at + byte] as number);
      const target = targets[each];
      let next = update(old, wide(t, slot), wide(t, third));
      for (let byte = 0; byte < size; byte++) {
        memory.u8[at + byte] = Number(next & 0xffn);
        next >>= 8n;
      }
      if (target === undefined) continue;
      u64[t.base + target] = BigInt.asUintN(64, old);
      if (size === 16) u64[t.base + target + 1] = old >> 64n;
    }
  };
}

function resultSlots(site: Site): readonly number[] {
  const first = site.operand(0);
  return (first.kind === "vector" ? first.elements : [first]).map((each) => site.write(each));
}
