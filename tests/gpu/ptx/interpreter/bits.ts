/**
 * Bit instructions: lop3, shf, prmt, bfe, bfi, bfind, clz, popc, brev, fns, bmsk, szext.
 *
 * Owns their semantics, written bit by bit where that is the plainest reading of the manual. Invariant: amounts
 * and positions beyond the width clamp as the manual says; none of them is undefined here.
 */
import { bytesOf } from "../../../../gpu/ptx/ast.ts";
import { isSigned } from "./integer.ts";
import { largeStep, smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

/** All sources as 64 bits, the type's width of them; the result is stored as that many. */
function wideFunction(
  site: Site,
  fn: (a: bigint, b: bigint, c: bigint) => bigint,
  sourceTypes: readonly ("b32" | "b64")[],
): Step {
  const { u64, u32 } = site.registers;
  const d = site.target();
  const slots = sourceTypes.map((type, index) => site.source(index + 1, type));
  const [a = 0, b = 0, c = 0] = slots;
  const isWide = sourceTypes.map((type) => type === "b64");
  const read = (base: number, slot: number, index: number): bigint =>
    isWide[index] === true ? (u64[base + slot] as bigint) : BigInt(u32[(base + slot) << 1] as number);
  return (t) => void (u64[t.base + d] = fn(read(t.base, a, 0), read(t.base, b, 1), read(t.base, c, 2)));
}

/** Applies the truth table to each bit: bit `4a + 2b + c` of the table is the result. */
export function lop3(a: number, b: number, c: number, table: number): number {
  let result = 0;
  for (let index = 0; index < 8; index++) {
    if (((table >> index) & 1) === 0) continue;
    result |= ((index & 4) !== 0 ? a : ~a) & ((index & 2) !== 0 ? b : ~b) & ((index & 1) !== 0 ? c : ~c);
  }
  return result;
}

function immediate(site: Site, index: number): number {
  const operand = site.operand(index);
  if (operand.kind !== "integer") throw site.unknown(`needs a constant as operand ${index}`);
  return Number(operand.value);
}

/** `lop3.b32 d, a, b, c, table`, or `lop3.or.b32 d|p, a, b, c, table, q`. */
export function lop3Step(site: Site): Step {
  const combine = site.oneOf(["or", "and"]);
  const first = site.operand(0);
  const d = first.kind === "pair" ? site.write(first.first) : site.target();
  const table = immediate(site, 4);
  const step = smallStep(
    site.registers.i32,
    1,
    [d, site.source(1), site.source(2), site.source(3)],
    (a: number, b: number, c: number) => lop3(a, b, c, table),
  );
  if (first.kind !== "pair" || combine === undefined) return step;
  const { u32 } = site.registers;
  const [p, q] = [site.write(first.second), site.source(5, "pred")];
  return (t) => {
    step(t);
    const isSet = u32[(t.base + d) << 1] !== 0;
    const other = u32[(t.base + q) << 1] !== 0;
    u32[(t.base + p) << 1] = (combine === "or" ? isSet || other : isSet && other) ? 1 : 0;
  };
}

/** Funnel shifts of the 64 bits `b:a`. */
export function funnelStep(site: Site): Step {
  const isLeft = site.has("l");
  const isWrapped = site.has("wrap");
  const apply = (a: bigint, b: bigint, c: bigint): bigint => {
    const amount = isWrapped ? c & 31n : c > 32n ? 32n : c;
    const both = (b << 32n) | a;
    return BigInt.asUintN(32, isLeft ? (both << amount) >> 32n : both >> amount);
  };
  return wideFunction(site, apply, ["b32", "b32", "b32"]);
}

/** Selectors of the byte permutation for its named modes, by the low two bits of the control. */
const PERMUTE_MODES: Readonly<Record<string, readonly number[]>> = {
  f4e: [0x3210, 0x4321, 0x5432, 0x6543],
  b4e: [0x5670, 0x6701, 0x7012, 0x0123],
  rc8: [0x0000, 0x1111, 0x2222, 0x3333],
  ecl: [0x3210, 0x3211, 0x3222, 0x3333],
  ecr: [0x0000, 0x1110, 0x2210, 0x3210],
  rc16: [0x1010, 0x3232, 0x1010, 0x3232],
};

/** `prmt`: picks four of the eight bytes of `b:a`; bit 3 of a selector replicates the sign bit instead. */
export function permuteStep(site: Site): Step {
  const mode = site.oneOf(Object.keys(PERMUTE_MODES));
  const table = mode === undefined ? undefined : PERMUTE_MODES[mode];
  const apply = (a: bigint, b: bigint, c: bigint): bigint => {
    const both = (b << 32n) | a;
    const control = table === undefined ? Number(c) : table[Number(c) & 3] as number;
    let result = 0n;
    for (let byte = 0; byte < 4; byte++) {
      const selector = (control >> (4 * byte)) & 15;
      let picked = (both >> BigInt(8 * (selector & 7))) & 0xffn;
      if (table === undefined && (selector & 8) !== 0) picked = (picked & 0x80n) === 0n ? 0n : 0xffn;
      result |= picked << BigInt(8 * byte);
    }
    return result;
  };
  return wideFunction(site, apply, ["b32", "b32", "b32"]);
}

/** `bfe`: bits from `b` on, `c` of them; what lies beyond the width is the sign of the field. */
export function extractStep(site: Site): Step {
  const { type } = site;
  const width = BigInt(8 * bytesOf(type));
  const signed = isSigned(type);
  const apply = (a: bigint, b: bigint, c: bigint): bigint => {
    const position = b & 0xffn;
    const length = c & 0xffn;
    const last = position + length - 1n < width - 1n ? position + length - 1n : width - 1n;
    const sign = signed && length > 0n ? (a >> last) & 1n : 0n;
    let result = 0n;
    for (let bit = 0n; bit < width; bit++) {
      const isInside = bit < length && position + bit < width;
      result |= (isInside ? (a >> (position + bit)) & 1n : sign) << bit;
    }
    return result;
  };
  const word = width === 64n ? "b64" : "b32";
  return wideFunction(site, apply, [word, "b32", "b32"]);
}

/** `bfi d, a, b, c, e`: puts the low `e` bits of `a` into `b` at position `c`. */
export function insertStep(site: Site): Step {
  const isWide = bytesOf(site.type) === 8;
  const width = isWide ? 64n : 32n;
  const { u64, u32 } = site.registers;
  const [d, a, b] = [site.target(), site.source(1), site.source(2)];
  const [c, e] = [site.source(3, "b32"), site.source(4, "b32")];
  return (t) => {
    const position = BigInt((u32[(t.base + c) << 1] as number) & 0xff);
    const length = BigInt((u32[(t.base + e) << 1] as number) & 0xff);
    const field = ((1n << length) - 1n) << position;
    const value = (u64[t.base + a] as bigint) << position;
    const into = u64[t.base + b] as bigint;
    const result = (value & field) | (into & ~field);
    u64[t.base + d] = BigInt.asUintN(Number(width), result);
  };
}

/** `bfind`: position of the highest bit that differs from the sign; all ones if there is none. */
export function findStep(site: Site): Step {
  const { type } = site;
  const width = 8 * bytesOf(type);
  const signed = isSigned(type);
  const isAmount = site.has("shiftamt");
  const apply = (a: bigint): bigint => {
    const value = signed && (a >> BigInt(width - 1)) === 1n ? BigInt.asUintN(width, ~a) : a;
    if (value === 0n) return 0xffff_ffffn;
    const position = value.toString(2).length - 1;
    return BigInt(isAmount ? width - 1 - position : position);
  };
  return wideFunction(site, apply, [width === 64 ? "b64" : "b32"]);
}

/** `clz` and `popc`: their result is 32 bits wide for every type. */
export function countStep(site: Site): Step {
  const width = 8 * bytesOf(site.type);
  const apply = (a: bigint): bigint => {
    const text = a.toString(2);
    if (site.ins.opcode === "popc") return BigInt(text.replaceAll("0", "").length);
    return BigInt(a === 0n ? width : width - text.length);
  };
  return wideFunction(site, apply, [width === 64 ? "b64" : "b32"]);
}

function reverse32(value: number): number {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result |= ((value >>> bit) & 1) << (31 - bit);
  return result;
}

export function reverseStep(site: Site): Step {
  const slots = [site.target(), site.source(1)];
  if (bytesOf(site.type) === 4) return smallStep(site.registers.i32, 1, slots, reverse32);
  return largeStep(site.registers.u64, slots, (a: bigint) => {
    const low = BigInt(reverse32(Number(a >> 32n)) >>> 0);
    const high = BigInt(reverse32(Number(a & 0xffff_ffffn)) >>> 0);
    return (high << 32n) | low;
  });
}
