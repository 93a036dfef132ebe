/**
 * References of convert.cu: conversions between number types.
 *
 * Owns rounding and saturation. NaN becomes zero if neither side has 64 bits, else the pattern with the highest
 * bit alone. Invariant: exact.
 */
import { F32, F64, fromInteger, roundIn, type Rounding, roundToInteger } from "./arithmetic.ts";
import { addElementwise } from "./elementwise.ts";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

const { fround } = Math;

/** To an integer of so many bits; `sourceBits` are those of the float. */
function toInteger(
  value: number,
  rounding: Rounding,
  bits: number,
  isSigned: boolean,
  sourceBits: number,
): bigint {
  if (Number.isNaN(value)) {
    if (bits === 32 && sourceBits === 32) return 0n;
    return isSigned ? -(1n << BigInt(bits - 1)) : 1n << BigInt(bits - 1);
  }
  const low = isSigned ? -(1n << BigInt(bits - 1)) : 0n;
  const high = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n;
  if (value === Infinity) return high;
  if (value === -Infinity) return low;
  const whole = BigInt(roundToInteger(rounding, value));
  return whole < low ? low : whole > high ? high : whole;
}

function floatToInt(x: number): bigint[] {
  return [
    ...(["rn", "rz", "ru", "rd"] as const).map((rounding) => toInteger(x, rounding, 32, true, 32)),
    ...(["rn", "rz", "ru", "rd"] as const).map((rounding) => toInteger(x, rounding, 32, false, 32)),
    toInteger(x, "rn", 64, true, 32),
    toInteger(x, "rd", 64, true, 32),
    toInteger(x, "rz", 64, false, 32),
    toInteger(x, "ru", 64, false, 32),
  ];
}

function doubleToInt(x: number): bigint[] {
  return [
    toInteger(x, "rn", 32, true, 64),
    toInteger(x, "rd", 32, true, 64),
    toInteger(x, "rz", 32, false, 64),
    toInteger(x, "ru", 32, false, 64),
    toInteger(x, "rn", 64, true, 64),
    toInteger(x, "ru", 64, true, 64),
    toInteger(x, "rz", 64, false, 64),
    toInteger(x, "rd", 64, false, 64),
  ];
}

function intToFloat(x: bigint): number[] {
  const all = ["rn", "rz", "ru", "rd"] as const;
  const [int, word, long] = [BigInt.asIntN(32, x), BigInt.asUintN(32, x), BigInt.asUintN(64, x)];
  return [
    ...all.map((rounding) => fromInteger(F32, rounding, int)),
    ...all.map((rounding) => fromInteger(F32, rounding, word)),
    fromInteger(F32, "rn", x),
    fromInteger(F32, "rd", x),
    fromInteger(F32, "rn", long),
    fromInteger(F32, "ru", long),
  ];
}

function intToDouble(x: bigint): number[] {
  const long = BigInt.asUintN(64, x);
  return [
    fromInteger(F64, "rn", BigInt.asIntN(32, x)),
    fromInteger(F64, "rn", BigInt.asUintN(32, x)),
    fromInteger(F64, "rn", x),
    fromInteger(F64, "rz", x),
    fromInteger(F64, "ru", long),
    fromInteger(F64, "rd", long),
  ];
}

/** Between 0 and 1, NaN as 0; never −0. */
function saturated(x: number): number {
  return Number.isNaN(x) || x <= 0 ? 0 : Math.min(x, 1);
}

function wholeFloats(x: number): number[] {
  return [
    roundToInteger("rn", x),
    Math.trunc(x),
    Math.floor(x),
    Math.ceil(x),
    saturated(x),
    Math.abs(x),
    -x,
    NaN,
  ];
}

export function convertCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  addElementwise(table, "float_to_int", {
    inputs: (random, n) =>
      [random.anyF32s(n).map((x, i) => i % 2 === 1 && i > 40 ? fround(x % 2 ** (i % 70)) : x)] as const,
    output: (length) => new BigInt64Array(length),
    width: 12,
    of: ([values]) => (i) => floatToInt(at(values, i)),
  });
  addElementwise(table, "double_to_int", {
    inputs: (random, n) =>
      [random.anyF64s(n).map((x, i) => i % 2 === 1 && i > 40 ? x % 2 ** (i % 70) : x)] as const,
    output: (length) => new BigInt64Array(length),
    width: 8,
    of: ([values]) => (i) => doubleToInt(at(values, i)),
  });
  addElementwise(table, "int_to_float", {
    inputs: (random, n) => [random.anyI64s(n).map((x, i) => x >> BigInt(i % 50))] as const,
    output: (length) => new Float32Array(length),
    width: 12,
    of: ([values]) => (i) => intToFloat(at(values, i)),
  });
  addElementwise(table, "int_to_double", {
    inputs: (random, n) => [random.anyI64s(n).map((x, i) => x >> BigInt(i % 20))] as const,
    output: (length) => new Float64Array(length),
    width: 6,
    of: ([values]) => (i) => intToDouble(at(values, i)),
  });
  addElementwise(table, "double_to_float", {
    inputs: (random, n) =>
      [random.anyF64s(n).map((x, i) => i % 2 === 1 && i > 40 ? random.between(-2, 2) : x)] as const,
    output: (length) => new Float32Array(length),
    width: 4,
    of: ([values]) => (i) => (["rn", "rz", "ru", "rd"] as const).map((r) => roundIn(F32, r, at(values, i))),
  });
  addElementwise(table, "whole_floats", {
    inputs: (random, n) =>
      [random.anyF32s(n).map((x, i) => i % 2 === 1 && i > 40 ? random.between(-9, 9) : x)] as const,
    output: (length) => new Float32Array(length),
    width: 8,
    of: ([values]) => {
      const bits = new Uint32Array(values.buffer);
      return (i) => wholeFloats(at(values, i)).with(7, at(bits, i) >= 2 ** 31 ? -1.5 : 1.5);
    },
  });
  addElementwise(table, "whole_doubles", {
    inputs: (random, n) =>
      [random.anyF64s(n).map((x, i) => i % 2 === 1 && i > 40 ? random.between(-9, 9) : x)] as const,
    output: (length) => new Float64Array(length),
    width: 6,
    of: ([values]) => (i) => {
      const x = at(values, i);
      return [roundToInteger("rn", x), Math.trunc(x), Math.floor(x), Math.ceil(x), Math.abs(x), fround(x)];
    },
  });
  for (const [n, block] of [[1, 1], [777, 256]] as const) {
    table.add("float_bytes", `n=${n} block=${block}`, (random) => {
      const [bytes, scale] = [random.u8s(n), random.f32s(n, -3, 300)];
      const [narrow, wide] = [random.i8s(n), random.u16s(n)];
      const value = (i: number): number => fround(at(bytes, i) * at(scale, i));
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(bytes), buffer(scale), buffer(narrow), buffer(wide), i32(n)],
        expected: () => [
          exactly(narrow, narrow.map((_, i) => Math.trunc(Math.min(Math.max(value(i), -128), 127)))),
          exactly(wide, wide.map((_, i) => Math.min(Math.max(roundToInteger("rn", value(i)), 0), 65535))),
        ],
      };
    });
  }
  addElementwise(table, "reinterpret", {
    inputs: (random, n) => [random.anyF32s(n), random.anyF64s(n)] as const,
    output: (length) => new Int32Array(length),
    width: 4,
    of: ([floats, doubles]) => {
      const [bits, halves] = [new Int32Array(floats.buffer), new Int32Array(doubles.buffer)];
      return (i) => {
        const high = at(halves, 2 * i + 1);
        return [at(bits, i) + 1, at(bits, i) ^ 0x80000000, high, high];
      };
    },
  });
  return table.cases;
}
