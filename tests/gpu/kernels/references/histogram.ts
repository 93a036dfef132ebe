/**
 * References of histogram.cu: counts.
 *
 * Owns the bin of a value. Invariant: what a buffer held before is added to, not replaced.
 */
import { at, blocksFor, buffer, CaseTable, exactly, f32, type KernelCase, u32 } from "./kernel_case.ts";

type Counts = Uint32Array<ArrayBuffer>;

function counted(before: Counts, bins: Iterable<number>): Counts {
  const counts = before.slice();
  for (const bin of bins) counts[bin] = at(counts, bin) + 1;
  return counts;
}

function binOf(value: number, low: number, high: number, bins: number): number {
  if (value < low) return bins;
  if (value >= high) return bins + 1;
  const scaled = Math.fround(Math.fround(value - low) * bins);
  return Math.min(Math.trunc(Math.fround(scaled / Math.fround(high - low))), bins - 1);
}

export function histogramCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (
    const [n, block, values] of [[1, 1, 256], [5000, 256, 256], [0, 32, 256], [3000, 1024, 3], [
      999,
      64,
      40,
    ]] as const
  ) {
    const shape = `n=${n} block=${block} values=${values}`;
    for (const kernel of ["histogram_shared", "histogram_global"]) {
      table.add(kernel, shape, (random) => {
        const [from, counts] = [random.u8s(n, values), random.u32s(256, 10)];
        // The first strides over the grid, so it may be smaller than the input.
        const grid = kernel === "histogram_shared" ? Math.min(3, blocksFor(n, block)) : blocksFor(n, block);
        return {
          grid,
          block,
          args: [buffer(from), buffer(counts), u32(n)],
          expected: () => [exactly(counts, counted(counts, from))],
        };
      });
    }
    if (block % 32 !== 0) continue;
    table.add("histogram_match", shape, (random) => {
      const [from, counts] = [random.u8s(n, values), random.u32s(256, 10)];
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(counts), u32(n)],
        expected: () => [exactly(counts, counted(counts, from))],
      };
    });
    table.add("histogram_float", shape, (random) => {
      const [from, counts] = [random.f32s(n, -1.5, 1.5), random.u32s(12, 10)];
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(counts), u32(n), f32(-1), f32(1), u32(10)],
        expected: () => [exactly(
          counts,
          counted(counts, Array.from(from, (value) => binOf(value, -1, 1, 10))),
        )],
      };
    });
  }
  return table.cases;
}
