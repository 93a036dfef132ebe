/**
 * The kernels of the GPU bench: which PTX, which shape, how much work.
 *
 * Owns the table; it must say the same as gpu_native.c, whose names it shares. Invariant: `work` is in thousand
 * millions of bytes or operations of one launch.
 */
import type { Dim3 } from "../../gpu/device.ts";

/** A kernel of the bench. Buffers a, b and c hold 16 Mi floats each; the result is in c. */
export interface BenchKernel {
  readonly name: string;
  /** The loop of gpu_native.c that does the same; that of the same name unless said. */
  readonly loop?: string;
  readonly unit: "GB/s" | "GFLOP/s";
  readonly file: string;
  readonly entry: string;
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly sharedBytes: number;
  /** The parameter block, of the addresses of a, b and c. */
  readonly params: (pointers: readonly bigint[]) => Uint8Array<ArrayBuffer>;
  /** Absent where only a run can count it. */
  readonly work?: number;
  readonly resultBytes: number;
  /** Whether results are whole numbers that may differ in the last place of an iteration. */
  readonly isCount?: boolean;
  readonly tolerance?: number;
}

const LARGE = 16 * 1024 * 1024;
const SMALL = 64 * 1024;

/** Bytes of a buffer. */
export const LARGE_BYTES = 4 * LARGE;

type Param = "a" | "b" | "c" | { readonly i32: number } | { readonly f32: number };

/** Lays parameters out: each at its natural alignment. */
function pack(...params: readonly Param[]): BenchKernel["params"] {
  return (pointers) => {
    const view = new DataView(new ArrayBuffer(8 * params.length));
    let end = 0;
    for (const param of params) {
      if (typeof param === "string") {
        end = Math.ceil(end / 8) * 8;
        view.setBigUint64(end, pointers["abc".indexOf(param)] ?? 0n, true);
        end += 8;
      } else {
        if ("i32" in param) view.setInt32(end, param.i32, true);
        else view.setFloat32(end, param.f32, true);
        end += 4;
      }
    }
    return new Uint8Array(view.buffer, 0, end);
  };
}

const i32 = (value: number): Param => ({ i32: value });
const f32 = (value: number): Param => ({ f32: value });
const dim = (x: number, y = 1): Dim3 => ({ x, y, z: 1 });

function linear(
  name: string,
  [file, entry]: readonly [string, string],
  [n, grid]: readonly [number, number],
  params: BenchKernel["params"],
  bytes: number,
): BenchKernel {
  const work = (bytes * n) / 1e9;
  return {
    name,
    unit: "GB/s",
    file,
    entry,
    grid: dim(grid),
    block: dim(256),
    sharedBytes: 0,
    params,
    work,
    resultBytes: entry === "block_reduce" ? 4 * grid : 4 * n,
  };
}

const MATRIX = {
  unit: "GFLOP/s",
  file: "matmul.ptx",
  grid: dim(32, 32),
  block: dim(16, 16),
  sharedBytes: 0,
} as const;

export const BENCH_KERNELS: readonly BenchKernel[] = [
  linear(
    "vector_add 64K",
    ["vector.ptx", "vector_add"],
    [SMALL, SMALL / 256],
    pack("a", "b", "c", i32(SMALL)),
    12,
  ),
  linear(
    "vector_add 16M",
    ["vector.ptx", "vector_add"],
    [LARGE, LARGE / 256],
    pack("a", "b", "c", i32(LARGE)),
    12,
  ),
  linear("saxpy 16M", ["vector.ptx", "saxpy"], [LARGE, 16384], pack(f32(0.5), "a", "c", i32(LARGE)), 12),
  {
    // Few blocks: each thread strides over the grid 64 times, a page or more at once.
    ...linear(
      "saxpy 16M, 1024 blocks",
      ["vector.ptx", "saxpy"],
      [LARGE, 1024],
      pack(f32(0.5), "a", "c", i32(LARGE)),
      12,
    ),
    loop: "saxpy 16M",
  },
  {
    ...MATRIX,
    name: "matmul naive 512",
    entry: "matmul_naive",
    params: pack("a", "b", "c", i32(512)),
    work: (2 * 512 ** 3) / 1e9,
    resultBytes: 4 * 512 * 512,
  },
  {
    ...MATRIX,
    name: "matmul tiled 512",
    entry: "matmul_tiled",
    params: pack("a", "b", "c", i32(512)),
    work: (2 * 512 ** 3) / 1e9,
    resultBytes: 4 * 512 * 512,
  },
  {
    name: "mandelbrot 1024x768",
    unit: "GFLOP/s",
    file: "mandelbrot.ptx",
    entry: "mandelbrot",
    grid: dim(64, 48),
    block: dim(16, 16),
    sharedBytes: 0,
    params: pack("c", i32(1024), i32(768), f32(-2), f32(-1.2), f32(0.003), i32(256)),
    resultBytes: 4 * 1024 * 768,
    isCount: true,
  },
  linear("stencil1d 16M", ["stencil.ptx", "stencil1d"], [LARGE, LARGE / 256], pack("a", "c", i32(LARGE)), 8),
  {
    name: "transpose 4096",
    unit: "GB/s",
    file: "transpose.ptx",
    entry: "transpose_tiled",
    grid: dim(128, 128),
    block: dim(32, 8),
    sharedBytes: 0,
    params: pack("a", "c", i32(4096), i32(4096)),
    work: (8 * 4096 ** 2) / 1e9,
    resultBytes: LARGE_BYTES,
  },
  {
    name: "nbody 8192",
    unit: "GFLOP/s",
    file: "nbody.ptx",
    entry: "nbody_naive",
    grid: dim(64),
    block: dim(128),
    sharedBytes: 0,
    params: pack("a", "c", i32(8192)),
    work: (20 * 8192 ** 2) / 1e9,
    resultBytes: 16 * 8192,
    // Forces of thousands of bodies that cancel each other, added up in single precision.
    tolerance: 0.02,
  },
  linear(
    "block_reduce 16M",
    ["reduce.ptx", "block_reduce"],
    [LARGE, LARGE / 256],
    pack("a", "c", i32(LARGE)),
    4,
  ),
];
