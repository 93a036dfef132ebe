/**
 * References of reduce.cu: sums and extremes of which every step and its order is known.
 *
 * Owns the trees of additions that the kernels' comments describe. Invariant: each sum of floats is rounded to
 * single precision after every addition.
 */
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

/** The sum of 32 lanes when each adds the lane `offset` above it: what lane 0 ends with. */
export function shuffleDownSum(values: ArrayLike<number>): number {
  const lanes = Float32Array.from({ length: 32 }, (_, lane) => values[lane] ?? 0);
  for (let offset = 16; offset > 0; offset >>= 1) {
    for (let lane = 0; lane < offset; lane++) lanes[lane] = at(lanes, lane) + at(lanes, lane + offset);
  }
  return at(lanes, 0);
}

/** The sum of a power of two of values by halving: what element 0 ends with. */
export function halvingSum(values: ArrayLike<number>): number {
  const sums = Float32Array.from(values);
  for (let half = sums.length / 2; half >= 1; half /= 2) {
    for (let i = 0; i < half; i++) sums[i] = at(sums, i) + at(sums, i + half);
  }
  return at(sums, 0);
}

/** `count` values from `start` on, zeros where there are none. */
export function padded(
  values: Float32Array<ArrayBuffer>,
  start: number,
  count: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => values[start + i] ?? 0);
}

export function reduceCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 32], [1000, 256], [0, 64], [2048, 1024], [300, 96]] as const) {
    const grid = blocksFor(n, block);
    const shape = `n=${n} block=${block}`;
    table.add("warp_sum", shape, (random) => {
      const [from, to] = [random.f32s(n), random.f32s(grid * block / 32)];
      const values = (): Float32Array<ArrayBuffer> =>
        to.map((_, warp) => shuffleDownSum(padded(from, 32 * warp, 32)));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("warp_max_xor", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const values = (): Int32Array<ArrayBuffer> =>
        to.map((_, i) => Math.max(...from.subarray(i - i % 32, i - i % 32 + 32)));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("block_reduce_shuffle", shape, (random) => {
      const [from, to] = [random.f32s(n), random.f32s(grid)];
      const values = (): Float32Array<ArrayBuffer> =>
        to.map((_, b) =>
          shuffleDownSum(
            Array.from(
              { length: block / 32 },
              (_, w) => shuffleDownSum(padded(from, b * block + 32 * w, 32)),
            ),
          )
        );
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("sum_atomic", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(1)];
      const values = (): Int32Array<ArrayBuffer> =>
        to.map((old) => from.reduce((sum, value) => (sum + value) | 0, old));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("arg_min", `n=${n} block=${block}, ties`, (random) => {
      const [from, value, index] = [
        random.f32s(n).map((x) => Math.round(x * 20)),
        random.f32s(1),
        random.i32s(1),
      ];
      const least = Math.min(...from);
      const where = n === 0 ? 2 ** 31 - 1 : from.indexOf(least);
      return {
        grid: 1,
        block,
        args: [buffer(from), buffer(value), buffer(index), i32(n)],
        expected: () => [exactly(value, Float32Array.of(least)), exactly(index, Int32Array.of(where))],
      };
    });
  }
  for (const [n, block] of [[1, 1], [1000, 256], [0, 64], [511, 128], [256, 2]] as const) {
    const grid = blocksFor(n, block);
    table.add("block_reduce", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.f32s(n), random.f32s(grid)];
      const values = (): Float32Array<ArrayBuffer> =>
        to.map((_, b) => halvingSum(padded(from, b * block, block)));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
  }
  for (const [n, grid, block] of [[1, 1, 1], [5000, 3, 512], [0, 2, 32], [4096, 1, 1024]] as const) {
    table.add("block_reduce_dynamic", `n=${n} grid=${grid} block=${block}`, (random) => {
      const [from, to] = [random.f32s(n), random.f32s(grid)];
      const threads = grid * block;
      const sumOf = (thread: number): number => {
        let sum = 0;
        for (let i = thread; i < n; i += threads) sum = Math.fround(sum + at(from, i));
        return sum;
      };
      const values = (): Float32Array<ArrayBuffer> =>
        to.map((_, b) => halvingSum(Array.from({ length: block }, (_, thread) => sumOf(b * block + thread))));
      return {
        grid,
        block,
        sharedBytes: 4 * block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
  }
  for (const [n, grid] of [[1, 1], [10000, 7], [0, 3]] as const) {
    table.add("sum_last_block", `n=${n} grid=${grid}, twice`, (random) => {
      const [from, partial, to] = [random.i32s(n), random.i64s(grid), random.i64s(1)];
      const sum = (start: number): bigint => {
        let total = 0n;
        for (let i = start * 128; i < n; i += grid * 128) {
          for (const value of from.subarray(i, i + 128)) total += BigInt(value);
        }
        return total;
      };
      const sums = BigInt64Array.from({ length: grid }, (_, b) => sum(b));
      return {
        grid,
        block: 128,
        launches: 2,
        args: [buffer(from), buffer(partial), buffer(to), i32(n)],
        expected: () => [
          exactly(partial, sums),
          exactly(to, BigInt64Array.of(sums.reduce((total, value) => total + value, 0n))),
        ],
      };
    });
  }
  table.add("reduce_volatile", "5 blocks", (random) => {
    const [from, to] = [random.i32s(320), random.i32s(5)];
    const sum = (b: number): number =>
      from.subarray(64 * b, 64 * b + 64).reduce((total, value) => (total + value) | 0, 0);
    return {
      grid: 5,
      block: 64,
      args: [buffer(from), buffer(to)],
      expected: () => [exactly(to, to.map((_, b) => sum(b)))],
    };
  });
  return table.cases;
}
