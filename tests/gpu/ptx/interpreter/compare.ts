/**
 * Comparison and selection: set, setp, selp, slct.
 *
 * Owns the comparison operators, ordered and unordered, and how their result joins another predicate.
 * Invariant: an ordered comparison with a NaN is false, also `ne`; an unordered one (`…u`) is true.
 */
import { bytesOf, type PtxType } from "../../../../gpu/ptx/ast.ts";
import { flushed } from "./float.ts";
import { numberOf } from "./float_bits.ts";
import { flushedBits, halfFormat, isHalfType } from "./half.ts";
import { isSigned } from "./integer.ts";
import type { Site } from "./site.ts";
import type { Step, Thread } from "./thread.ts";

type Value = number | bigint;
type Compare = (a: Value, b: Value) => boolean;

const isNan = (value: Value): boolean => typeof value === "number" && Number.isNaN(value);

/** JavaScript's own operators are the ordered ones; all but `!==` are false for NaN. */
const ORDERED: Readonly<Record<string, Compare>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b && !isNan(a) && !isNan(b),
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  lo: (a, b) => a < b,
  ls: (a, b) => a <= b,
  hi: (a, b) => a > b,
  hs: (a, b) => a >= b,
  num: (a, b) => !isNan(a) && !isNan(b),
  nan: (a, b) => isNan(a) || isNan(b),
};

function compareOf(site: Site): Compare {
  for (const word of site.ins.modifiers) {
    const ordered = ORDERED[word];
    if (ordered !== undefined) return ordered;
    const unordered = word.endsWith("u") ? ORDERED[word.slice(0, -1)] : undefined;
    if (unordered !== undefined) return (a, b) => isNan(a) || isNan(b) || unordered(a, b);
  }
  throw site.unknown("has no comparison");
}

/** What bits of a half mean to the instruction; `.ftz` makes subnormals zeros. */
function halfReader(site: Site, type: PtxType): (bits: number) => number {
  const format = halfFormat(type);
  if (!site.has("ftz")) return (bits) => numberOf(format, bits);
  return (bits) => numberOf(format, flushedBits(format, bits));
}

type Reader = (thread: Thread, slot: number) => Value;

/** How a value of the type is read from a slot as what it means. */
export function readerOf(site: Site, type: PtxType): Reader {
  const { i16, u16, i32, u32, i64, u64, f32, f64 } = site.registers;
  if (type === "f32") {
    if (!site.has("ftz")) return (t, slot) => f32[(t.base + slot) << 1] as number;
    return (t, slot) => flushed(f32[(t.base + slot) << 1] as number);
  }
  if (type === "f64") return (t, slot) => f64[t.base + slot] as number;
  if (isHalfType(type)) {
    const number = halfReader(site, type);
    return (t, slot) => number(u16[(t.base + slot) << 2] as number);
  }
  const signed = isSigned(type);
  switch (bytesOf(type)) {
    case 2: {
      const view = signed ? i16 : u16;
      return (t, slot) => view[(t.base + slot) << 2] as number;
    }
    case 4: {
      const view = signed ? i32 : u32;
      return (t, slot) => view[(t.base + slot) << 1] as number;
    }
    case 8: {
      const view = signed ? i64 : u64;
      return (t, slot) => view[t.base + slot] as bigint;
    }
    default:
      throw site.unknown(`cannot compare ${type}`);
  }
}

type Combine = (result: boolean, other: boolean) => boolean;

function combineOf(site: Site): Combine {
  switch (site.oneOf(["and", "or", "xor"])) {
    case "and":
      return (result, other) => result && other;
    case "or":
      return (result, other) => result || other;
    case "xor":
      return (result, other) => result !== other;
    default:
      return (result) => result;
  }
}

/** `setp.cmp{.bool}.type p{|q}, a, b{, c}`: q gets the same with the comparison inverted. */
export function setpStep(site: Site): Step {
  const { u32 } = site.registers;
  const first = site.operand(0);
  const isPair = first.kind === "pair";
  const p = site.write(isPair ? first.first : first);
  const q = isPair ? site.write(first.second) : site.scope.scratch();
  const compare = compareOf(site);
  const combine = combineOf(site);
  const c = site.count > 3 ? site.source(3, "pred") : site.scope.constant(1n);
  const other = (t: Thread): boolean => u32[(t.base + c) << 1] !== 0;
  if (site.type === "f16x2" || site.type === "bf16x2") {
    const [a, b] = [site.source(1, "b32"), site.source(2, "b32")];
    const number = halfReader(site, site.type);
    return (t) => {
      const [x, y] = [u32[(t.base + a) << 1] as number, u32[(t.base + b) << 1] as number];
      const joined = other(t);
      u32[(t.base + p) << 1] = combine(compare(number(x & 0xffff), number(y & 0xffff)), joined) ? 1 : 0;
      u32[(t.base + q) << 1] = combine(compare(number(x >>> 16), number(y >>> 16)), joined) ? 1 : 0;
    };
  }
  const [a, b] = [site.source(1), site.source(2)];
  const read = readerOf(site, site.type);
  return (t) => {
    const result = compare(read(t, a), read(t, b));
    const joined = other(t);
    u32[(t.base + p) << 1] = combine(result, joined) ? 1 : 0;
    if (isPair) u32[(t.base + q) << 1] = combine(!result, joined) ? 1 : 0;
  };
}

/** What `set` writes for true, by destination type; false is zero. */
const TRUTHS: Readonly<Partial<Record<PtxType, number>>> = {
  u16: 0xffff,
  s16: 0xffff,
  u32: 0xffff_ffff,
  s32: 0xffff_ffff,
  f16: 0x3c00,
  bf16: 0x3f80,
  f32: 0x3f80_0000,
};

/** `set.cmp{.bool}.dtype.stype d, a, b{, c}`. */
export function setStep(site: Site): Step {
  const { u32 } = site.registers;
  const [dtype, stype] = site.types;
  if (dtype === undefined || stype === undefined) throw site.unknown("needs two types");
  const compare = compareOf(site);
  const combine = combineOf(site);
  const c = site.count > 3 ? site.source(3, "pred") : site.scope.constant(1n);
  const d = site.target();
  if (stype === "f16x2" || stype === "bf16x2") return packedSetStep(site, dtype, stype, compare, combine, c);
  const truth = TRUTHS[dtype];
  if (truth === undefined) throw site.unknown(`cannot write ${dtype}`);
  const [a, b] = [site.source(1, stype), site.source(2, stype)];
  const read = readerOf(site, stype);
  return (t) => {
    const result = combine(compare(read(t, a), read(t, b)), u32[(t.base + c) << 1] !== 0);
    u32[(t.base + d) << 1] = result ? truth : 0;
  };
}

function packedSetStep(
  site: Site,
  dtype: PtxType,
  stype: PtxType,
  compare: Compare,
  combine: Combine,
  c: number,
): Step {
  const { u32 } = site.registers;
  const number = halfReader(site, stype);
  const truth = dtype === "f16x2" ? 0x3c00 : dtype === "bf16x2" ? 0x3f80 : 0xffff;
  const [d, a, b] = [site.target(), site.source(1, "b32"), site.source(2, "b32")];
  return (t) => {
    const [x, y] = [u32[(t.base + a) << 1] as number, u32[(t.base + b) << 1] as number];
    const joined = u32[(t.base + c) << 1] !== 0;
    const low = combine(compare(number(x & 0xffff), number(y & 0xffff)), joined) ? truth : 0;
    const high = combine(compare(number(x >>> 16), number(y >>> 16)), joined) ? truth : 0;
    u32[(t.base + d) << 1] = low | (high << 16);
  };
}

/** `selp d, a, b, p`, of any type: whole slots move. */
export function selpStep(site: Site): Step {
  const { u32, i32 } = site.registers;
  const [d, a, b, p] = [site.target(), site.source(1), site.source(2), site.source(3, "pred")];
  return (t) => {
    const from = (t.base + (u32[(t.base + p) << 1] !== 0 ? a : b)) << 1;
    const to = (t.base + d) << 1;
    const high = i32[from + 1] as number;
    i32[to] = i32[from] as number;
    i32[to + 1] = high;
  };
}

/** `slct.dtype.ctype d, a, b, c`: a if c is not negative (nor NaN), else b. */
export function slctStep(site: Site): Step {
  const { i32 } = site.registers;
  const [dtype, ctype] = site.types;
  if (dtype === undefined || ctype === undefined) throw site.unknown("needs two types");
  const [d, a, b] = [site.target(), site.source(1, dtype), site.source(2, dtype)];
  const c = site.source(3, ctype);
  const read = readerOf(site, ctype);
  return (t) => {
    const from = (t.base + (read(t, c) >= 0 ? a : b)) << 1;
    const to = (t.base + d) << 1;
    const high = i32[from + 1] as number;
    i32[to] = i32[from] as number;
    i32[to + 1] = high;
  };
}
