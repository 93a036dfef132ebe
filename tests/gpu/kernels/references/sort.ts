/**
 * References of sort.cu: sorted keys.
 *
 * Owns what "sorted" means for each kernel: runs that alternate, one step of a network, or stable by a digit.
 * Invariant: keys are compared as unsigned numbers, except the shorts.
 */
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

type Keys = Uint32Array<ArrayBuffer>;

function bitonicStep(keys: Keys, size: number, stride: number): Keys {
  const out = keys.slice();
  for (let i = 0; i < keys.length; i++) {
    const other = i ^ stride;
    if (other <= i) continue;
    const [low, high] = [Math.min(at(keys, i), at(keys, other)), Math.max(at(keys, i), at(keys, other))];
    const isAscending = (i & size) === 0;
    out[i] = isAscending ? low : high;
    out[other] = isAscending ? high : low;
  }
  return out;
}

export function sortCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [grid, block] of [[1, 1], [3, 64], [2, 512], [1, 1024]] as const) {
    table.add("bitonic_block", `grid=${grid} block=${block}`, (random) => {
      const keys = random.u32s(grid * 2 * block);
      const values = keys.slice();
      for (let b = 0; b < grid; b++) values.subarray(b * 2 * block, (b + 1) * 2 * block).sort();
      return {
        grid,
        block,
        sharedBytes: 8 * block,
        args: [buffer(keys)],
        expected: () => [exactly(keys, values)],
      };
    });
  }
  for (const [size, stride] of [[2, 1], [64, 32], [1024, 4]] as const) {
    table.add("bitonic_step", `n=1024 size=${size} stride=${stride}`, (random) => {
      const keys = random.u32s(1024, 500);
      return {
        grid: 4,
        block: 256,
        args: [buffer(keys), i32(1024), i32(size), i32(stride)],
        expected: () => [exactly(keys, bitonicStep(keys, size, stride))],
      };
    });
  }
  for (const [n, shift] of [[1, 0], [1000, 4], [0, 0], [4096, 28], [100, 12]] as const) {
    table.add("radix_pass", `n=${n} shift=${shift}`, (random) => {
      const [from, to] = [random.u32s(n), random.u32s(n)];
      const digit = (key: number): number => (key >>> shift) & 15;
      const values = Uint32Array.from(Array.from(from).toSorted((a, b) => digit(a) - digit(b)));
      return {
        grid: 1,
        block: 128,
        args: [buffer(from), buffer(to), i32(n), i32(shift)],
        expected: () => [exactly(to, values)],
      };
    });
  }
  for (const [n, block] of [[1, 32], [101, 64], [0, 32], [200, 16]] as const) {
    table.add("odd_even_sort", `n=${n} block=${block}`, (random) => {
      const keys = random.i16s(n);
      return {
        grid: blocksFor(1, 1),
        block,
        args: [buffer(keys), i32(n)],
        expected: () => [exactly(keys, keys.toSorted())],
      };
    });
  }
  return table.cases;
}
