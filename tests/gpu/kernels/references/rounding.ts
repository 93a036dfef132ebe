/**
 * References of rounding.cu: arithmetic with a stated rounding, comparisons, subnormals.
 *
 * Owns the order of the results. Invariant: every result is the exact one, rounded once.
 */
import {
  addIn,
  divIn,
  F32,
  F64,
  type FloatFormat,
  fmaf,
  fmaIn,
  mulIn,
  type Rounding,
  sqrtIn,
} from "./arithmetic.ts";
import { addElementwise } from "./elementwise.ts";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

const ROUNDINGS: readonly Rounding[] = ["rn", "rz", "ru", "rd"];
const TINIEST_NORMAL = 2 ** -126;

function rounded(format: FloatFormat, x: number, y: number, z: number): number[] {
  const each = (of: (rounding: Rounding) => number): number[] => ROUNDINGS.map(of);
  return [
    ...each((r) => addIn(format, r, x, y)),
    ...each((r) => addIn(format, r, x, -y)),
    ...each((r) => mulIn(format, r, x, y)),
    ...each((r) => fmaIn(format, r, x, y, z)),
    ...each((r) => divIn(format, r, x, y)),
    ...each((r) => sqrtIn(format, r, x)),
    ...each((r) => divIn(format, r, 1, x)),
  ];
}

/** The smaller of two numbers; a number if one of them is NaN; −0 is below +0. */
function lesser(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y);
}

function greater(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y);
}

function comparisons(x: number, y: number): boolean[] {
  return [x < y, x <= y, x > y, x >= y, x === y, x !== y];
}

function joined(bits: readonly boolean[]): number {
  return bits.reduce((sum, bit, i) => sum + (bit ? 2 ** i : 0), 0);
}

/** Subnormals as zeros of the same sign. */
function flush(x: number): number {
  return Math.abs(x) < TINIEST_NORMAL ? x * 0 : x;
}

function saturate(x: number): number {
  return Number.isNaN(x) || x <= 0 ? 0 : Math.min(x, 1);
}

function flushed(x: number, y: number): number[] {
  const [a, b] = [flush(x), flush(y)];
  return [
    x + y,
    flush(Math.fround(a + b)),
    x * y,
    flush(Math.fround(a * b)),
    flush(fmaf(a, b, a)),
    saturate(Math.fround(x * y)),
  ];
}

export function roundingCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  // Values of like size, so that rounding matters, after those of any bits.
  addElementwise(table, "rounded_f32", {
    inputs: (random, n) =>
      [0, 1, 2].map((k) => {
        const values = random.anyF32s(n).map((x, i) => i >= 200 ? random.between(-3, 3) : x);
        return k === 0 ? values : values.map((_, i) => at(values, (i * (2 * k + 3)) % n));
      }) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>],
    output: (length) => new Float32Array(length),
    width: 28,
    of: ([a, b, c]) => (i) => rounded(F32, at(a, i), at(b, i), at(c, i)),
    shapes: [[1, 1], [800, 128], [0, 32]],
  });
  addElementwise(table, "rounded_f64", {
    inputs: (random, n) =>
      [0, 1, 2].map((k) => {
        const values = random.anyF64s(n).map((x, i) => i >= 200 ? random.between(-3, 3) / 3 : x);
        return k === 0 ? values : values.map((_, i) => at(values, (i * (2 * k + 3)) % n));
      }) as [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>],
    output: (length) => new Float64Array(length),
    width: 28,
    of: ([a, b, c]) => (i) => rounded(F64, at(a, i), at(b, i), at(c, i)),
    shapes: [[1, 1], [400, 128]],
  });
  addElementwise(table, "flushed", {
    inputs: (random, n) => {
      const a = random.anyF32s(n).map((x, i) => i >= 50 ? random.between(-4, 4) * 2 ** -126 : x);
      return [a, a.map((_, i) => i % 2 === 0 ? at(a, n - 1 - i) : random.between(-2, 2))] as const;
    },
    output: (length) => new Float32Array(length),
    width: 6,
    of: ([a, b]) => (i) => flushed(at(a, i), at(b, i)),
  });
  for (const [n, block] of [[1, 1], [1024, 256]] as const) {
    table.add("compare_f32", `n=${n} block=${block}`, (random) => {
      const a = random.anyF32s(n);
      const b = a.map((x, i) => i % 3 === 0 ? x : at(a, (7 * i + 5) % n));
      const [bits, ends] = [new Uint32Array(n), new Float32Array(2 * n)];
      const isNegative = new Int32Array(a.buffer);
      const bitsOf = (x: number, i: number): number => {
        const y = at(b, i);
        return joined([
          ...comparisons(x, y),
          !(x < y),
          Number.isNaN(x) || Number.isNaN(y),
          Number.isNaN(x),
          Math.abs(x) === Infinity,
          Number.isFinite(x),
          at(isNegative, i) < 0,
          x < y || x > y,
        ]);
      };
      const endOf = (i: number): number => {
        const [x, y] = [at(a, i >> 1), at(b, i >> 1)];
        return i % 2 === 0 ? lesser(x, y) : greater(x, y);
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(a), buffer(b), buffer(bits), buffer(ends), i32(n)],
        expected: () => [
          exactly(bits, Uint32Array.from(a, bitsOf)),
          exactly(ends, ends.map((_, i) => endOf(i))),
        ],
      };
    });
    table.add("compare_f64", `n=${n} block=${block}`, (random) => {
      const a = random.anyF64s(n);
      const b = a.map((x, i) => i % 3 === 0 ? x : at(a, (7 * i + 5) % n));
      const [bits, ends] = [new Uint32Array(n), new Float64Array(2 * n)];
      const bitsOf = (x: number, i: number): number =>
        joined([...comparisons(x, at(b, i)), Number.isNaN(x) || Number.isNaN(at(b, i))]);
      const endOf = (i: number): number => {
        const [x, y] = [at(a, i >> 1), at(b, i >> 1)];
        return i % 2 === 0 ? lesser(x, y) : greater(x, y);
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(a), buffer(b), buffer(bits), buffer(ends), i32(n)],
        expected: () => [
          exactly(bits, Uint32Array.from(a, bitsOf)),
          exactly(ends, ends.map((_, i) => endOf(i))),
        ],
      };
    });
  }
  return table.cases;
}
