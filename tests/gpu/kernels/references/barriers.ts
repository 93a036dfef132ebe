/**
 * References of barriers.cu: what is in shared memory after each meeting.
 *
 * Owns the values at each barrier. Invariant: threads that have left count for no barrier, but those whose input
 * is absent and that stay do.
 */
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

type Ints = Int32Array<ArrayBuffer>;

function barrierLoop(count: number): number[] {
  let values = Array.from({ length: 64 }, (_, thread) => thread);
  if (count <= 2) return values.map((value) => -value);
  for (let round = 0; round < count; round++) {
    values = values.map((_, thread) => at(values, (thread + round + 1) % 64) + round);
  }
  return values;
}

export function barriersCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 1], [500, 128], [0, 32], [1000, 1024], [90, 45]] as const) {
    table.add("barrier_reduce", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.i32s(n, -40, 1040).map((x) => x < 0 && x > -35 ? 0 : x), random.i32s(n)];
      const of = (i: number): number => {
        const start = i - i % block;
        const values = Array.from({ length: block }, (_, thread) => from[start + thread] ?? 1);
        const positive = values.filter((value) => value > 0).length;
        return positive * 4 + (values.every((value) => value < 1000) ? 2 : 0) + (values.includes(0) ? 1 : 0);
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
  }
  for (const rounds of [1, 2, 9]) {
    table.add("producer_consumer", `${rounds} rounds`, (random) => {
      const [from, to] = [random.i32s(32 * rounds), random.i32s(32 * rounds)];
      const of = (i: number): number => {
        const round = Math.floor(i / 32);
        return Math.imul(at(from, round * 32 + 31 - i % 32), 3) + round;
      };
      return {
        grid: 1,
        block: 64,
        args: [buffer(from), buffer(to), i32(rounds)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
  }
  table.add("split_barriers", "3 blocks", (random) => {
    const [from, to] = [random.i32s(384, -1000, 1000), random.i32s(384)];
    // After steps of 1, 2, … 32 every thread has the sum of its half.
    const halfSum = (i: number): number =>
      from.subarray(i - i % 64, i - i % 64 + 64).reduce((a, b) => a + b, 0);
    const other = (i: number): number => i - i % 128 + 127 - i % 128;
    return {
      grid: 3,
      block: 128,
      args: [buffer(from), buffer(to)],
      expected: () => [exactly(to, to.map((_, i) => halfSum(i) - halfSum(other(i))))],
    };
  });
  for (const [n, block] of [[1, 64], [101, 256], [300, 256], [33, 32], [0, 64]] as const) {
    table.add("early_exit", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const next = (i: number): number => i % block + 1 < block && i + 1 < n ? at(from, i + 1) : 0;
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => next(i) * 2 + at(from, i)))],
      };
    });
  }
  table.add("barrier_loop", "rounds 0 to 7", (random) => {
    const [rounds, to] = [Int32Array.from({ length: 8 }, (_, b) => b), random.i32s(512)];
    const all = Array.from(rounds, (count) => barrierLoop(count).reverse()).flat();
    return {
      grid: 8,
      block: 64,
      args: [buffer(rounds), buffer(to)],
      expected: () => [exactly(to, Int32Array.from(all))],
    };
  });
  for (const tiles of [1, 2, 5]) {
    table.add("async_stages", `${tiles} tiles`, (random) => {
      const [from, to] = [random.f32s(128 * tiles), random.f32s(128 * tiles)];
      return {
        grid: 1,
        block: 128,
        args: [buffer(from), buffer(to), i32(tiles)],
        expected: () => [exactly(to, to.map((_, i) => at(from, i - i % 128 + 127 - i % 128) * 2))],
      };
    });
  }
  for (const valid of [0, 13, 32]) {
    table.add("async_sizes", `${valid} valid`, (random) => {
      const [from, to] = [random.i32s(96), random.i32s(96)];
      const staged = from.map((value, i) => i < 64 || i - 64 < valid ? value : 0);
      return {
        grid: 1,
        block: 32,
        args: [buffer(from), buffer(to), i32(valid)],
        expected: () => [exactly(to, staged.toReversed() as Ints)],
      };
    });
  }
  table.add("counted_arrivals", "2 blocks", (random) => {
    const [from, to] = [random.i32s(128), random.i32s(256)];
    const of = (i: number): number => {
      const [block, phase, thread] = [Math.floor(i / 128), Math.floor(i / 64) % 2, i % 64];
      return at(from, block * 64 + (thread + 9) % 64) + phase;
    };
    return {
      grid: 2,
      block: 64,
      args: [buffer(from), buffer(to)],
      expected: () => [exactly(to, to.map((_, i) => of(i)))],
    };
  });
  return table.cases;
}
