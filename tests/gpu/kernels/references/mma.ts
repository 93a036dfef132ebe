/**
 * References of mma.cu and wmma.cu: products of small matrices in every element type of the tensor cores.
 *
 * Owns plain triple loops in double precision or integers. Small whole numbers are exact whatever the order of
 * addition; for others the bound is some roundings of single (or half) precision, relative to the size of what
 * is added up. Invariant: layouts of fragments are not known here.
 */
import { bf16Bits, bf16Value, tf32 } from "./arithmetic.ts";
import {
  at,
  buffer,
  CaseTable,
  exactly,
  type Expected,
  f32,
  i32,
  type KernelCase,
  type NumericArray,
  withinAbsolute,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";

type Shape = readonly [m: number, n: number, k: number];
type Values = (index: number) => number;

/** Row-major A times B, whose element (k, n) is at `bAt`. */
function product([m, n, inner]: Shape, a: Values, b: (k: number, column: number) => number): number[] {
  return Array.from({ length: m * n }, (_, index) => {
    const [row, column] = [Math.floor(index / n), index % n];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a(row * inner + k) * b(k, column);
    return sum;
  });
}

const byColumns = (b: Values, inner: number) => (k: number, column: number): number => b(column * inner + k);
const byRows = (b: Values, n: number) => (k: number, column: number): number => b(k * n + column);

/** An element type: how matrices of it are made, whole and not, and read. */
interface Element {
  readonly whole: (random: Random, count: number) => NumericArray;
  readonly any: (random: Random, count: number) => NumericArray;
  readonly values: (data: NumericArray) => Values;
}

const plain = (data: NumericArray): Values => (i) => Number(at<number | bigint>(data, i));

const HALF: Element = {
  whole: (random, count) => random.f16s(count, -8, 8).map(Math.round),
  any: (random, count) => random.f16s(count, -2, 2),
  values: plain,
};
const BFLOAT: Element = {
  whole: (random, count) => Uint16Array.from(random.f32s(count, -8, 8).map(Math.round), bf16Bits),
  any: (random, count) => Uint16Array.from(random.f32s(count, -2, 2), bf16Bits),
  values: (data) => (i) => bf16Value(Number(at<number | bigint>(data, i))),
};
const TF32: Element = {
  whole: (random, count) => random.f32s(count, -100, 100).map(Math.round),
  any: (random, count) => random.f32s(count, -2, 2),
  values: (data) => (i) => tf32(Number(at<number | bigint>(data, i))),
};

/** Sums of up to 64 products below 4: some roundings of values below 256. */
const SINGLE_BOUND = 64 * 2 ** -17;
const HALF_BOUND = 0.75;

export function mmaCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const floats = (count: number): Float32Array<ArrayBuffer> => new Float32Array(count);
  for (
    const [kernel, element, k] of [
      ["mma_f16", HALF, 32],
      ["mma_f16_k8", HALF, 24],
      ["mma_bf16", BFLOAT, 48],
      ["mma_tf32", TF32, 16],
      ["mma_ldmatrix", HALF, 64],
    ] as const
  ) {
    for (const [m, n] of [[16, 8], [48, 24]] as const) {
      for (const isWhole of [true, false]) {
        table.add(kernel, `${m}x${n} over ${k}, ${isWhole ? "whole numbers" : "any numbers"}`, (random) => {
          const make = isWhole ? element.whole : element.any;
          const [a, b, c] = [make(random, m * k), make(random, n * k), floats(m * n).fill(7)];
          const values = (): Float32Array<ArrayBuffer> =>
            Float32Array.from(product([m, n, k], element.values(a), byColumns(element.values(b), k)));
          return {
            grid: [n / 8, m / 16],
            block: 32,
            args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
            expected: () => [isWhole ? exactly(c, values()) : withinAbsolute(c, values(), SINGLE_BOUND)],
          };
        });
      }
    }
  }
  for (const isWhole of [true, false]) {
    table.add("mma_f16_f16", isWhole ? "whole numbers" : "any numbers", (random) => {
      const make = isWhole ? HALF.whole : HALF.any;
      const [m, n, k] = [32, 16, 32];
      // Whole numbers below 4, so that sums stay below the 2048 up to which halves are exact.
      const scale = (data: NumericArray): Float16Array<ArrayBuffer> =>
        Float16Array.from(
          { length: data.length },
          (_, i) => Math.trunc(Number(at<number | bigint>(data, i)) / 2),
        );
      const [a, b] = [make(random, m * k), make(random, n * k)].map((data) => isWhole ? scale(data) : data);
      if (a === undefined || b === undefined) throw new RangeError("two matrices");
      const c = new Float16Array(m * n);
      const values = (): Float16Array<ArrayBuffer> =>
        Float16Array.from(product([m, n, k], plain(a), byColumns(plain(b), k)));
      return {
        grid: [n / 8, m / 16],
        block: 32,
        args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
        expected: () => [isWhole ? exactly(c, values()) : withinAbsolute(c, values(), HALF_BOUND)],
      };
    });
  }
  for (const [kernel, k] of [["mma_s8", 64], ["mma_u8_s8", 48]] as const) {
    table.add(kernel, `32x16 over ${k}`, (random) => {
      const [m, n] = [32, 16];
      const a = kernel === "mma_s8" ? random.i8s(m * k) : random.u8s(m * k);
      const [b, c] = [random.i8s(n * k), random.i32s(m * n)];
      const values = (): Int32Array<ArrayBuffer> =>
        Int32Array.from(product([m, n, k], plain(a), byColumns(plain(b), k)));
      return {
        grid: [n / 8, m / 16],
        block: 32,
        args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
        expected: () => [exactly(c, values())],
      };
    });
  }
  table.add("ldmatrix_transposed", "one matrix", (random) => {
    const [from, to] = [random.u16s(64), random.u32s(32)];
    const element = (lane: number, i: number): number =>
      at(from, (2 * (lane % 4) + i) * 8 + Math.floor(lane / 4));
    return {
      grid: 1,
      block: 32,
      args: [buffer(from), buffer(to)],
      expected: () => [exactly(to, to.map((_, lane) => element(lane, 0) + element(lane, 1) * 65536))],
    };
  });
  return table.cases;
}

export function wmmaCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [m, n, k] of [[16, 16, 16], [32, 48, 64]] as const) {
    for (const isWhole of [true, false]) {
      const shape = `${m}x${n} over ${k}, ${isWhole ? "whole numbers" : "any numbers"}`;
      const close = (c: NumericArray, values: NumericArray, bound: number): Expected =>
        isWhole ? exactly(c, values) : withinAbsolute(c, values, bound);
      table.add("wmma_f16", shape, (random) => {
        const make = isWhole ? HALF.whole : HALF.any;
        const [a, b, c] = [
          make(random, m * k),
          make(random, k * n),
          random.f32s(m * n, -9, 9).map(Math.round),
        ];
        const values = (): Float32Array<ArrayBuffer> =>
          Float32Array.from(product([m, n, k], plain(a), byRows(plain(b), n)), (sum, i) => sum + at(c, i));
        return {
          grid: [n / 16, m / 16],
          block: 32,
          args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
          expected: () => [close(c, values(), SINGLE_BOUND)],
        };
      });
      table.add("wmma_bf16", shape, (random) => {
        const make = isWhole ? BFLOAT.whole : BFLOAT.any;
        const [a, b, c] = [make(random, m * k), make(random, k * n), random.f32s(m * n)];
        const values = (): Float32Array<ArrayBuffer> =>
          Float32Array.from(product([m, n, k], BFLOAT.values(a), byRows(BFLOAT.values(b), n)));
        return {
          grid: [n / 16, m / 16],
          block: 32,
          args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
          expected: () => [close(c, values(), SINGLE_BOUND)],
        };
      });
      table.add("wmma_f16_columns", shape, (random) => {
        const make = (count: number): Float16Array<ArrayBuffer> =>
          isWhole ? random.f16s(count, -3, 3).map(Math.round) : random.f16s(count, -1, 1);
        const [a, b, c] = [make(m * k), make(k * n), random.f16s(m * n)];
        const scale = 0.5;
        const values = (): Float16Array<ArrayBuffer> => {
          const rows = product([m, n, k], plain(a), byColumns(plain(b), k));
          return c.map((_, i) => at(rows, (i % m) * n + Math.floor(i / m)) * scale);
        };
        return {
          grid: [n / 16, m / 16],
          block: 32,
          args: [buffer(a), buffer(b), buffer(c), i32(m), i32(k), f32(scale)],
          expected: () => [close(c, values(), HALF_BOUND / 4)],
        };
      });
    }
    table.add("wmma_s8", `${m}x${n} over ${k}`, (random) => {
      const [a, b, c] = [random.i8s(m * k), random.i8s(k * n), random.i32s(m * n)];
      return {
        grid: [n / 16, m / 16],
        block: 32,
        args: [buffer(a), buffer(b), buffer(c), i32(n), i32(k)],
        expected: () => [exactly(c, Int32Array.from(product([m, n, k], plain(a), byRows(plain(b), n))))],
      };
    });
  }
  for (const [kernel, m, n] of [["wmma_m32n8k16", 32, 8], ["wmma_m8n32k16", 8, 32]] as const) {
    table.add(kernel, "whole numbers", (random) => {
      const [a, b, c] = [HALF.whole(random, m * 16), HALF.whole(random, 16 * n), random.f32s(m * n)];
      return {
        grid: 1,
        block: 32,
        args: [buffer(a), buffer(b), buffer(c)],
        expected: () => [exactly(c, Float32Array.from(product([m, n, 16], plain(a), byRows(plain(b), n))))],
      };
    });
  }
  table.add("wmma_tf32", "any numbers", (random) => {
    const [a, b, c] = [TF32.any(random, 128), TF32.any(random, 128), random.f32s(256)];
    const values = (): Float32Array<ArrayBuffer> =>
      Float32Array.from(product([16, 16, 8], TF32.values(a), byRows(TF32.values(b), 16)));
    return {
      grid: 1,
      block: 32,
      args: [buffer(a), buffer(b), buffer(c)],
      expected: () => [withinAbsolute(c, values(), SINGLE_BOUND)],
    };
  });
  return table.cases;
}
