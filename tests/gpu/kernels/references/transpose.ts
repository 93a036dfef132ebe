/**
 * References of transpose.cu: rows become columns.
 *
 * Owns the one formula. Invariant: elements move, and keep every bit.
 */
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

export function transposeCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [width, height] of [[1, 1], [75, 90], [32, 64], [3, 100], [128, 1]] as const) {
    const count = width * height;
    const source = (i: number): number => (i % height) * width + Math.floor(i / height);
    for (
      const [kernel, tile, block] of [["transpose_naive", 16, [16, 16]], ["transpose_tiled", 32, [
        32,
        8,
      ]]] as const
    ) {
      table.add(kernel, `${width}x${height}`, (random) => {
        const [from, to] = [random.anyF32s(count), random.f32s(count)];
        return {
          grid: [blocksFor(width, tile), blocksFor(height, tile)],
          block,
          args: [buffer(from), buffer(to), i32(width), i32(height)],
          expected: () => [exactly(to, to.map((_, i) => at(from, source(i))))],
        };
      });
    }
    table.add("transpose_bytes", `${width}x${height}`, (random) => {
      const [from, to] = [random.u8s(count), random.u8s(count)];
      return {
        grid: [blocksFor(width, 16), blocksFor(height, 16)],
        block: [16, 16],
        args: [buffer(from), buffer(to), i32(width), i32(height)],
        expected: () => [exactly(to, to.map((_, i) => at(from, source(i))))],
      };
    });
  }
  return table.cases;
}
