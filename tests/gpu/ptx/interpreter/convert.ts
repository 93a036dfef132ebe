/**
 * Conversions: cvt between integers and floating-point formats of every width.
 *
 * Owns roundings to integers and to formats, saturation, and the packed forms. Every value goes through its
 * exact form, so that no pair of types is special. Invariant: the result fills the destination register,
 * extended by its own sign.
 */
import { bytesOf, isPtxType, type PtxType } from "../../../../gpu/ptx/ast.ts";
import { isSigned } from "./integer.ts";
import type { Site } from "./site.ts";
import {
  BF16,
  decode,
  type Exact,
  F16,
  F32,
  F64,
  type Finite,
  finite,
  type FloatFormat,
  fromInteger,
  round,
  type RoundingMode,
  roundShift,
  TF32,
  zero,
} from "./softfloat.ts";
import type { Step } from "./thread.ts";

const FORMATS: Readonly<Partial<Record<PtxType, FloatFormat>>> = { f16: F16, bf16: BF16, f32: F32, f64: F64 };
const INTEGER_ROUNDINGS: Readonly<Record<string, RoundingMode>> = {
  rni: "rn",
  rzi: "rz",
  rmi: "rm",
  rpi: "rp",
};

/** Subnormals of single precision become zeros. */
function flush(value: Exact, format: FloatFormat): Exact {
  if (value.kind !== "finite" || format !== F32) return value;
  return value.significand < 1n << 23n ? zero(value.isNegative) : value;
}

/** Rounds to an integer, still exact and with its sign. */
function toIntegral(value: Finite, mode: RoundingMode): Finite {
  if (value.exponent >= 0) return value;
  return finite(value.isNegative, roundShift(value.significand, -value.exponent, mode, value.isNegative), 0);
}

/** The integer of the type nearest to the value; what is beyond the range is its end, NaN as the manual says. */
function toInteger(value: Exact, mode: RoundingMode, type: PtxType, source: PtxType): bigint {
  const bits = BigInt(8 * bytesOf(type));
  const signed = isSigned(type);
  const lowest = signed ? -(1n << (bits - 1n)) : 0n;
  const highest = signed ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  if (value.kind === "nan") {
    const isWide = source === "f64" || bits === 64n;
    return isWide ? 1n << (bits - 1n) : 0n;
  }
  if (value.kind === "infinite") return value.isNegative ? lowest : highest;
  const { significand, exponent, isNegative } = toIntegral(value, mode);
  const magnitude = significand << BigInt(Math.max(exponent, 0));
  const exact = isNegative ? -magnitude : magnitude;
  return exact < lowest ? lowest : exact > highest ? highest : exact;
}

/** `.sat` of a floating-point result: 0 to 1, NaN is 0. */
function saturate(value: Exact): Exact {
  if (value.kind === "nan" || value.isNegative) return zero(false);
  if (value.kind === "infinite") return fromInteger(1n);
  const isAboveOne = value.exponent >= 0
    ? value.significand > 0n
    : value.significand >> BigInt(-value.exponent) >= 1n;
  return isAboveOne ? fromInteger(1n) : value;
}

interface Shape {
  readonly mode: RoundingMode;
  readonly integerMode: RoundingMode | undefined;
  readonly isFlushing: boolean;
  readonly isSaturating: boolean;
  readonly isRectifying: boolean;
  readonly isFinite: boolean;
}

function shapeOf(site: Site): Shape {
  const words = site.ins.modifiers;
  const integerWord = words.find((word) => Object.hasOwn(INTEGER_ROUNDINGS, word));
  return {
    mode: site.oneOf(["rn", "rz", "rm", "rp", "rna"]) ?? "rn",
    integerMode: integerWord === undefined ? undefined : INTEGER_ROUNDINGS[integerWord],
    isFlushing: site.has("ftz"),
    isSaturating: site.has("sat"),
    isRectifying: site.has("relu"),
    isFinite: site.has("satfinite"),
  };
}

/** An exact value as bits of the format, with all that the instruction asks for. */
export function encode(value: Exact, format: FloatFormat, shape: Shape): bigint {
  let exact = value;
  if (shape.integerMode !== undefined && exact.kind === "finite") {
    exact = toIntegral(exact, shape.integerMode);
  }
  if (shape.isSaturating) exact = saturate(exact);
  if (shape.isRectifying && exact.kind !== "nan" && exact.isNegative) exact = zero(false);
  let bits = round(format, shape.mode, exact);
  if (shape.isFlushing && format === F32 && decode(F32, bits).kind === "finite") {
    bits = round(F32, "rn", flush(decode(F32, bits), F32));
  }
  if (shape.isFinite && decode(format, bits).kind === "infinite") {
    bits = round(format, "rz", finite(exact.kind !== "nan" && exact.isNegative, 1n, 4096));
  }
  return bits;
}

/** Converts bits of one type to bits of another, the result sign-extended to 64 bits where it is signed. */
function converter(site: Site, to: PtxType, from: PtxType): (bits: bigint) => bigint {
  const shape = shapeOf(site);
  const [toFormat, fromFormat] = [FORMATS[to], FORMATS[from]];
  const fromBits = 8 * bytesOf(from);
  const toBits = 8 * bytesOf(to);
  const integerOf = (bits: bigint): bigint =>
    isSigned(from) ? BigInt.asIntN(fromBits, bits) : BigInt.asUintN(fromBits, bits);
  const wrap = (value: bigint): bigint =>
    isSigned(to) ? BigInt.asIntN(toBits, value) : BigInt.asUintN(toBits, value);
  if (fromFormat === undefined) {
    if (toFormat !== undefined) return (bits) => encode(fromInteger(integerOf(bits)), toFormat, shape);
    if (!shape.isSaturating) return (bits) => wrap(integerOf(bits));
    return (bits) => toInteger(fromInteger(integerOf(bits)), "rz", to, from);
  }
  const decoded = (bits: bigint): Exact => {
    const value = decode(fromFormat, BigInt.asUintN(fromBits, bits));
    return shape.isFlushing ? flush(value, fromFormat) : value;
  };
  if (toFormat === undefined) {
    const mode = shape.integerMode ?? "rz";
    return (bits) => wrap(toInteger(decoded(bits), mode, to, from));
  }
  return (bits) => encode(decoded(bits), toFormat, shape);
}

/** Bits of single precision to tf32, kept in the upper bits of a word. */
export function toTf32(bits: bigint, mode: RoundingMode): bigint {
  const value = decode(F32, bits);
  if (value.kind === "nan") return F32.nan;
  return round(TF32, mode, value) << 13n;
}

export function cvtStep(site: Site): Step {
  const { u64, u32 } = site.registers;
  const words = site.ins.modifiers;
  const types = words.slice(-2);
  const [to, from] = types;
  if (to === "f16x2" || to === "bf16x2") return packedStep(site, to);
  if (to === undefined || from === undefined || !isPtxType(to) || !isPtxType(from)) throw site.unknown();
  const [d, a] = [site.target(), site.source(1, from)];
  if (to === "tf32") {
    const { mode, isRectifying } = shapeOf(site);
    return (t) => {
      const bits = BigInt(u32[(t.base + a) << 1] as number);
      const rectified = isRectifying && bits >> 31n === 1n && decode(F32, bits).kind !== "nan" ? 0n : bits;
      u64[t.base + d] = toTf32(rectified, mode);
    };
  }
  const convert = converter(site, to, from);
  return (t) => void (u64[t.base + d] = BigInt.asUintN(64, convert(u64[t.base + a] as bigint)));
}

/** `cvt.rn.f16x2.f32 d, a, b`: a in the upper half. */
function packedStep(site: Site, to: "f16x2" | "bf16x2"): Step {
  const { u64, u32 } = site.registers;
  if (site.types.at(-1) !== "f32" || site.count !== 3) throw site.unknown();
  const format = to === "f16x2" ? F16 : BF16;
  const shape = shapeOf(site);
  const [d, a, b] = [site.target(), site.source(1, "f32"), site.source(2, "f32")];
  const half = (bits: number): bigint => encode(decode(F32, BigInt(bits)), format, shape);
  return (t) => {
    const high = half(u32[(t.base + a) << 1] as number);
    u64[t.base + d] = (high << 16n) | half(u32[(t.base + b) << 1] as number);
  };
}
