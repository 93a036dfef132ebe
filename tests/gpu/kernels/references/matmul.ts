/**
 * References of matmul.cu: products of matrices, each sum over the inner index upwards.
 *
 * Owns the plain triple loop in each element type. Invariant: a step of a sum is one fused multiply-add.
 */
import { fma, fmaf } from "./arithmetic.ts";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

/** Sum over `inner` of `step(left, right, sum)` for every element. */
export function product<T extends number | bigint>(
  [m, n, inner]: readonly [number, number, number],
  a: ArrayLike<T>,
  b: ArrayLike<T>,
  zero: T,
  step: (left: T, right: T, sum: T) => T,
): T[] {
  return Array.from({ length: m * n }, (_, index) => {
    const row = Math.floor(index / n);
    let sum = zero;
    for (let k = 0; k < inner; k++) sum = step(at(a, row * inner + k), at(b, k * n + index % n), sum);
    return sum;
  });
}

export function matmulCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (
    const [n, block] of [[1, [1, 1]], [33, [16, 16]], [61, [8, 32]], [20, [32, 1]], [0, [16, 16]]] as const
  ) {
    const shape = `n=${n} block=${block.join("x")}`;
    const grid = [blocksFor(n, block[0]), blocksFor(n, block[1])];
    table.add("matmul_naive", shape, (random) => {
      const [a, b, c] = [random.f32s(n * n), random.f32s(n * n), random.f32s(n * n)];
      const values = (): Float32Array<ArrayBuffer> => Float32Array.from(product([n, n, n], a, b, 0, fmaf));
      return {
        grid,
        block,
        args: [buffer(a), buffer(b), buffer(c), i32(n)],
        expected: () => [exactly(c, values())],
      };
    });
    table.add("matmul_i32", shape, (random) => {
      const [a, b, c] = [random.i32s(n * n), random.i32s(n * n), random.i32s(n * n)];
      const step = (x: number, y: number, sum: number): number => (Math.imul(x, y) + sum) | 0;
      const values = (): Int32Array<ArrayBuffer> => Int32Array.from(product([n, n, n], a, b, 0, step));
      return {
        grid,
        block,
        args: [buffer(a), buffer(b), buffer(c), i32(n)],
        expected: () => [exactly(c, values())],
      };
    });
  }
  table.add("matmul_f64", "n=19", (random) => {
    const [n, a, b, c] = [19, random.f64s(361), random.f64s(361), random.f64s(361)];
    const values = (): Float64Array<ArrayBuffer> => Float64Array.from(product([n, n, n], a, b, 0, fma));
    return {
      grid: [2, 2],
      block: [16, 16],
      args: [buffer(a), buffer(b), buffer(c), i32(n)],
      expected: () => [exactly(c, values())],
    };
  });
  for (const n of [16, 64]) {
    table.add("matmul_tiled", `n=${n}`, (random) => {
      const [a, b, c] = [random.f32s(n * n), random.f32s(n * n), random.f32s(n * n)];
      const values = (): Float32Array<ArrayBuffer> => Float32Array.from(product([n, n, n], a, b, 0, fmaf));
      return {
        grid: [n / 16, n / 16],
        block: [16, 16],
        args: [buffer(a), buffer(b), buffer(c), i32(n)],
        expected: () => [exactly(c, values())],
      };
    });
  }
  for (const [m, n, inner] of [[1, 1, 1], [17, 40, 23], [31, 16, 0], [5, 70, 48]] as const) {
    table.add("matmul_ragged", `${m}x${n} over ${inner}`, (random) => {
      const [a, b, c] = [random.f32s(m * inner), random.f32s(inner * n), random.f32s(m * n)];
      // Steps beyond the inner size add 0 · 0, which changes nothing: no sum here is −0.
      const values = (): Float32Array<ArrayBuffer> =>
        Float32Array.from(product([m, n, inner], a, b, 0, fmaf));
      return {
        grid: [blocksFor(n, 16), blocksFor(m, 16)],
        block: [16, 16],
        args: [buffer(a), buffer(b), buffer(c), i32(m), i32(n), i32(inner)],
        expected: () => [exactly(c, values())],
      };
    });
  }
  table.add("matmul_blocked", "n=64", (random) => {
    const [n, a, b, c] = [64, random.f32s(4096), random.f32s(4096), random.f32s(4096)];
    const values = (): Float32Array<ArrayBuffer> => Float32Array.from(product([n, n, n], a, b, 0, fmaf));
    return {
      grid: [1, 1],
      block: [16, 16],
      args: [buffer(a), buffer(b), buffer(c), i32(n)],
      expected: () => [exactly(c, values())],
    };
  });
  return table.cases;
}
