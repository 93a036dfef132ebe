/**
 * References of softmax.cu: softmax and normalisations of rows, in double precision.
 *
 * Owns the formulas. Invariant: bounds are relative, and follow from the errors of expf (1 ulp), of the sums and
 * of the last operations; they are far below what a wrong term would make.
 */
import {
  at,
  blocksFor,
  buffer,
  CaseTable,
  f32,
  i32,
  type KernelCase,
  withinRelative,
} from "./kernel_case.ts";

type Floats = Float32Array<ArrayBuffer>;

function softmaxOf(row: Floats): number[] {
  const largest = Math.max(...row);
  const powers = Array.from(row, (value) => Math.exp(Math.fround(value - largest)));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Applies `each` to every row. */
export function byRows(values: Floats, columns: number, each: (row: Floats) => number[]): Floats {
  const out = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += columns) {
    out.set(each(values.subarray(start, start + columns)), start);
  }
  return out;
}

export function softmaxCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [rows, columns, block] of [[1, 1, 1], [3, 100, 64], [2, 1000, 1024], [4, 33, 128]] as const) {
    table.add("softmax_block", `${rows}x${columns} block=${block}`, (random) => {
      const [from, to] = [random.f32s(rows * columns, -10, 10), random.f32s(rows * columns)];
      return {
        grid: rows,
        block,
        sharedBytes: 4 * block,
        args: [buffer(from), buffer(to), i32(columns)],
        expected: () => [withinRelative(to, byRows(from, columns, softmaxOf), 4e-6, 1e-37)],
      };
    });
  }
  for (const [rows, columns, block] of [[1, 1, 32], [7, 40, 64], [5, 128, 256], [33, 31, 1024]] as const) {
    const grid = blocksFor(rows * 32, block);
    const shape = `${rows}x${columns} block=${block}`;
    table.add("softmax_warp", shape, (random) => {
      const [from, to] = [random.f32s(rows * columns, -50, 50), random.f32s(rows * columns)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(rows), i32(columns)],
        // Far below the largest, expf has an argument of up to −100, where results are subnormal.
        expected: () => [withinRelative(to, byRows(from, columns, softmaxOf), 4e-6, 1e-37)],
      };
    });
    table.add("layernorm", shape, (random) => {
      const [from, weight, bias] = [
        random.f32s(rows * columns, -3, 5),
        random.f32s(columns, 0.5, 2),
        random.f32s(columns),
      ];
      const [to, mean, scale] = [random.f32s(rows * columns), random.f32s(rows), random.f32s(rows)];
      const epsilon = Math.fround(1e-5);
      const means = mean.map((_, row) => sum(from.subarray(row * columns, (row + 1) * columns)) / columns);
      const scaleOf = (row: Floats): number => {
        const middle = sum(row) / columns;
        return 1 / Math.sqrt(sum(row.map((value) => (value - middle) ** 2)) / columns + epsilon);
      };
      const normalOf = (row: Floats): number[] => {
        const [middle, factor] = [sum(row) / columns, scaleOf(row)];
        return Array.from(row, (value, i) => (value - middle) * factor * at(weight, i) + at(bias, i));
      };
      // One column: all variance is rounding, and the scale magnifies it.
      const bound = columns === 1 ? 1e-3 : 2e-5;
      return {
        grid,
        block,
        args: [
          ...[from, weight, bias, to, mean, scale].map((data) => buffer(data)),
          i32(rows),
          i32(columns),
          f32(epsilon),
        ],
        expected: () => [
          withinRelative(to, byRows(from, columns, normalOf), bound, 1e-5),
          withinRelative(mean, means, 2e-6, 2e-6),
          withinRelative(
            scale,
            scale.map((_, row) => scaleOf(from.subarray(row * columns, (row + 1) * columns))),
            bound,
          ),
        ],
      };
    });
  }
  for (const [rows, columns, block] of [[1, 7, 32], [3, 500, 256]] as const) {
    table.add("rmsnorm", `${rows}x${columns} block=${block}`, (random) => {
      const [from, weight, to] = [
        random.f32s(rows * columns),
        random.f32s(columns),
        random.f32s(rows * columns),
      ];
      const epsilon = Math.fround(1e-6);
      const normalOf = (row: Floats): number[] => {
        const factor = 1 / Math.sqrt(sum(row.map((value) => value * value)) / columns + epsilon);
        return Array.from(row, (value, i) => value * factor * at(weight, i));
      };
      return {
        grid: rows,
        block,
        args: [buffer(from), buffer(weight), buffer(to), i32(columns), f32(epsilon)],
        expected: () => [withinRelative(to, byRows(from, columns, normalOf), 4e-6)],
      };
    });
  }
  return table.cases;
}

function sum(values: Floats): number {
  return values.reduce((total, value) => total + value, 0);
}
