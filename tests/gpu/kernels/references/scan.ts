/**
 * References of scan.cu: prefix sums by block, and what is left of a compaction.
 *
 * Owns the running sum. Invariant: integers wrap at 32 bits.
 */
import {
  at,
  blocksFor,
  buffer,
  CaseTable,
  exactly,
  i32,
  inAnyOrder,
  type KernelCase,
} from "./kernel_case.ts";

type Ints = Int32Array<ArrayBuffer>;

/** The running sum that starts anew every `size`; without the element itself if exclusive. */
function scanned(values: Ints, size: number, isInclusive: boolean): Ints {
  let sum = 0;
  return values.map((value, i) => {
    if (i % size === 0) sum = 0;
    const before = sum;
    sum = (sum + value) | 0;
    return isInclusive ? sum : before;
  });
}

export function scanCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 1], [1000, 256], [0, 64], [2048, 1024], [300, 50]] as const) {
    table.add("scan_hillis_steele", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      return {
        grid: blocksFor(n, block),
        block,
        sharedBytes: 8 * block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, scanned(from, block, true))],
      };
    });
  }
  for (const [n, block] of [[1, 1], [1000, 128], [0, 64], [2048, 1024], [77, 32]] as const) {
    table.add("scan_blelloch", `n=${n} block=${block}`, (random) => {
      const grid = blocksFor(n, 2 * block);
      const [from, to, totals] = [random.i32s(n), random.i32s(n), random.i32s(grid)];
      const sum = (b: number): number =>
        from.subarray(b * 2 * block, (b + 1) * 2 * block).reduce((total, value) => (total + value) | 0, 0);
      return {
        grid,
        block,
        sharedBytes: 8 * block,
        args: [buffer(from), buffer(to), buffer(totals), i32(n)],
        expected: () => [
          exactly(to, scanned(from, 2 * block, false)),
          exactly(totals, totals.map((_, b) => sum(b))),
        ],
      };
    });
  }
  for (const [n, block] of [[1, 32], [1000, 256], [0, 64], [2048, 1024], [777, 96]] as const) {
    const grid = blocksFor(n, block);
    table.add("scan_shuffle", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, scanned(from, block, true))],
      };
    });
    table.add("compact_positive", `n=${n} block=${block}`, (random) => {
      const [from, to, count] = [random.i32s(n), new Int32Array(n), Int32Array.of(0)];
      const kept = from.filter((value) => value > 0);
      const values = new Int32Array(n);
      values.set(kept);
      // Blocks may come in any order; one block alone keeps the order.
      const expectedOrder = grid === 1 ? exactly : inAnyOrder;
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), buffer(count), i32(n)],
        expected: () => [expectedOrder(to, values), exactly(count, Int32Array.of(kept.length))],
      };
    });
    table.add("scan_add_totals", `n=${n} block=${block}`, (random) => {
      const [to, totals] = [random.i32s(n), random.i32s(grid)];
      return {
        grid,
        block: 32,
        args: [buffer(to), buffer(totals), i32(n), i32(block)],
        expected: () => [exactly(to, to.map((value, i) => value + at(totals, Math.floor(i / block))))],
      };
    });
  }
  return table.cases;
}
