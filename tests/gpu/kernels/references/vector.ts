/**
 * References of vector.cu: element-wise kernels.
 *
 * Owns what each kernel means, reckoned one element after the other. Invariant: nothing is read but the inputs.
 */
import { fma, fmaf } from "./arithmetic.ts";
import {
  at,
  blocksFor,
  buffer,
  type CaseSpec,
  CaseTable,
  exactly,
  f32,
  f64,
  i32,
  type KernelCase,
  u32,
  u64,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";

/** Elements and threads of a block: one, ragged, none, the largest block, blocks that are no whole warps. */
const SHAPES = [[1, 1], [1, 256], [1000, 256], [0, 64], [4096, 1024], [777, 33], [64, 64]] as const;

export function vectorCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of SHAPES) {
    const shape = `n=${n} block=${block}`;
    const grid = blocksFor(n, block);
    table.add("vector_add", shape, (random) => {
      const [a, b, c] = [random.f32s(n, -1e3, 1e3), random.f32s(n), random.f32s(n)];
      const values = (): Float32Array<ArrayBuffer> => a.map((value, i) => value + at(b, i));
      return {
        grid,
        block,
        args: [buffer(a), buffer(b), buffer(c), i32(n)],
        expected: () => [exactly(c, values())],
      };
    });
    table.add("add_i32", shape, (random) => {
      const [a, b, c] = [random.anyI32s(n), random.anyI32s(n), random.i32s(n)];
      const values = (): Int32Array<ArrayBuffer> => a.map((value, i) => value + at(b, n - 1 - i));
      const reversed = b.slice().reverse();
      return {
        grid,
        block,
        args: [buffer(a), buffer(reversed), buffer(c), u32(n)],
        expected: () => [exactly(c, values())],
      };
    });
    table.add("wrap_index", shape, (random) => {
      const [from, to] = [random.u32s(n), random.u32s(n)];
      // One thread a block and no more: the last element has no thread to its right if the grid is full.
      const reached = Math.min(n, grid * block - 1);
      const values = (): Uint32Array<ArrayBuffer> => to.map((old, i) => i < reached ? at(from, i) * 3 : old);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), u32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("reverse", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, from.slice().reverse())],
      };
    });
    table.add("gather", shape, (random) => {
      const [from, to, index] = [random.anyF32s(n), random.f32s(n), random.permutation(n)];
      const values = (): Float32Array<ArrayBuffer> => to.map((_, i) => at(from, at(index, i)));
      return {
        grid,
        block,
        args: [buffer(from), buffer(index), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("add_float4", shape, (random) => addFloat4(random, n, grid, block));
    table.add("swizzle_uchar4", shape, (random) => {
      const [from, to] = [random.u8s(4 * n), random.u8s(4 * n)];
      const values = (): Uint8Array<ArrayBuffer> =>
        from.map((value, i) => i % 4 === 3 ? 255 - value : at(from, i - i % 4 + 2 - i % 4));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values())],
      };
    });
    table.add("fill_bytes", shape, (random) => {
      const [to, value] = [random.u8s(n), random.below(256)];
      return {
        grid,
        block,
        args: [buffer(to), { type: "u8", value }, u32(n)],
        expected: () => [exactly(to, to.map((_, i) => value + i))],
      };
    });
    table.add("scatter_strided", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(3 * n)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n), i32(3)],
        expected: () => [exactly(to, to.map((old, i) => i % 3 === 0 ? at(from, i / 3) : old))],
      };
    });
  }
  for (
    const [n, grid, block] of [[1, 1, 1], [1000, 2, 96], [0, 3, 32], [5000, 4, 256], [100, 7, 1024]] as const
  ) {
    const shape = `n=${n} grid=${grid} block=${block}`;
    table.add("saxpy", shape, (random) => {
      const [x, y, alpha] = [random.f32s(n), random.f32s(n), Math.fround(random.between(-3, 3))];
      const values = (): Float32Array<ArrayBuffer> => y.map((value, i) => fmaf(alpha, at(x, i), value));
      return {
        grid,
        block,
        args: [f32(alpha), buffer(x), buffer(y), i32(n)],
        expected: () => [exactly(y, values())],
      };
    });
    table.add("daxpy", shape, (random) => {
      const [x, y, alpha] = [random.f64s(n), random.f64s(n), random.between(-3, 3)];
      const values = (): Float64Array<ArrayBuffer> => y.map((value, i) => fma(alpha, at(x, i), value));
      return {
        grid,
        block,
        args: [f64(alpha), buffer(x), buffer(y), u64(n)],
        expected: () => [exactly(y, values())],
      };
    });
  }
  table.add("vector_add", "any bits, n=2048", (random) => {
    const [a, b, c] = [random.anyF32s(2048), random.anyF32s(2048).reverse(), random.f32s(2048)];
    return {
      grid: 8,
      block: 256,
      args: [buffer(a), buffer(b), buffer(c), i32(2048)],
      expected: () => [exactly(c, a.map((value, i) => value + at(b, i)))],
    };
  });
  table.add("vector_add", "unaligned to 16: from the third element", (random) => {
    const [a, b, c] = [random.f32s(515), random.f32s(515), random.f32s(515)];
    return {
      grid: 4,
      block: 128,
      args: [buffer(a, 12), buffer(b, 4), buffer(c, 8), i32(512)],
      expected: () => [exactly(c, c.map((old, i) => i < 2 || i >= 514 ? old : at(a, i + 1) + at(b, i - 1)))],
    };
  });
  table.add("saxpy", "any bits", (random) => {
    const [x, y] = [random.anyF32s(1024), random.anyF32s(1024).reverse()];
    return {
      grid: 2,
      block: 256,
      args: [f32(-1.5), buffer(x), buffer(y), i32(1024)],
      expected: () => [exactly(y, y.map((value, i) => fmaf(-1.5, at(x, i), value)))],
    };
  });
  table.add("nothing", "a large grid", () => ({ grid: [40, 30, 20], block: [8, 8, 8], args: [] }));
  return table.cases;
}

function addFloat4(random: Random, n: number, grid: number, block: number): CaseSpec {
  const [a, b, c] = [random.f32s(4 * n), random.f32s(4 * n), random.f32s(4 * n)];
  const combine = [
    (x: number, y: number): number => x + y,
    (x: number, y: number): number => x - y,
    (x: number, y: number): number => x * y,
    (x: number, y: number): number => fmaf(x, y, 1),
  ];
  const values = (): Float32Array<ArrayBuffer> => a.map((x, i) => at(combine, i % 4)(x, at(b, i)));
  return {
    grid,
    block,
    args: [buffer(a), buffer(b), buffer(c), i32(n)],
    expected: () => [exactly(c, values())],
  };
}
