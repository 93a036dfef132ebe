/**
 * References of grid.cu and structs.cu: places of threads, and parameters of all shapes.
 *
 * Owns the order of threads and blocks (x fastest) and the layout of structures as C has it. Invariant: exact.
 */
import type { Dim3 } from "../../../../gpu/device.ts";
import { fmaf } from "./arithmetic.ts";
import { at, blocksFor, buffer, CaseTable, exactly, f32, f64, i32, type KernelCase } from "./kernel_case.ts";
import type { KernelArg, StructField } from "./kernel_case.ts";

function* placesOf({ x, y, z }: Dim3): Generator<Dim3> {
  for (let k = 0; k < z; k++) {
    for (let j = 0; j < y; j++) for (let i = 0; i < x; i++) yield { x: i, y: j, z: k };
  }
}

const dim = ([x = 1, y = 1, z = 1]: readonly number[]): Dim3 => ({ x, y, z });

/** Every thread in order: blocks of the grid, threads of each. */
function everyThread<T>(
  grid: readonly number[],
  block: readonly number[],
  of: (b: Dim3, t: Dim3, thread: number) => T,
): T[] {
  return [...placesOf(dim(grid))].flatMap((b) =>
    [...placesOf(dim(block))].map((t, thread) => of(b, t, thread))
  );
}

export function gridCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (
    const [grid, block] of [
      [[1], [1]],
      [[3], [1024]],
      [[2, 3, 4], [5, 6, 7]],
      [[1, 1, 9], [1, 1, 64]],
      [[4, 1, 2], [32, 2, 1]],
      [[300, 2], [1]],
    ]
  ) {
    if (grid === undefined || block === undefined) continue;
    const shape = `grid=${grid.join("x")} block=${block.join("x")}`;
    const threads = [...grid, ...block].reduce((product, extent) => product * extent, 1);
    table.add("linear_ids", shape, (random) => {
      const to = random.u32s(threads);
      const values = everyThread(
        grid,
        block,
        (b, t) => Math.imul((b.x * 31 + b.y) * 31 + b.z, 1000003) + (t.x * 37 + t.y) * 37 + t.z,
      );
      return { grid, block, args: [buffer(to)], expected: () => [exactly(to, Uint32Array.from(values))] };
    });
    table.add("special_registers", shape, (random) => {
      const to = random.u32s(12 * threads);
      const [g, s] = [dim(grid), dim(block)];
      const values = everyThread(grid, block, (_b, _t, thread) => [
        ...[thread % 32, Math.floor(thread / 32), g.x, g.y, g.z, s.x, s.y, s.z, 32],
        ...[1, 1, 1],
      ]);
      return {
        grid,
        block,
        args: [buffer(to)],
        expected: () => [exactly(to, Uint32Array.from(values.flat()))],
      };
    });
  }
  for (
    const [size, grid, block] of [[[7, 5, 3], [2, 1, 2], [2, 2, 1]], [[20, 1, 9], [1, 2, 1], [
      8,
      1,
      8,
    ]]] as const
  ) {
    table.add(
      "fill_volume",
      `${size.join("x")} grid=${grid.join("x")} block=${block.join("x")}`,
      (random) => {
        const [nx, ny, nz] = size;
        const to = random.i32s(nx * ny * nz);
        const of = (i: number): number =>
          i % nx + 100 * (Math.floor(i / nx) % ny) + 10000 * Math.floor(i / (nx * ny));
        return {
          grid,
          block,
          args: [buffer(to), i32(nx), i32(ny), i32(nz)],
          expected: () => [exactly(to, to.map((old, i) => old + of(i)))],
        };
      },
    );
  }
  return table.cases;
}

function field(offset: number, value: KernelArg): StructField {
  return { offset, value };
}

interface Picture {
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly pitch: number;
}

/** struct Image: a pointer, two ints, a short; 24 bytes. */
function imageFields(offset: number, { pixels, width, height, pitch }: Picture): StructField[] {
  return [
    field(offset, buffer(pixels)),
    field(offset + 8, i32(width)),
    field(offset + 12, i32(height)),
    field(offset + 16, { type: "i16", value: pitch }),
  ];
}

function transformed(
  source: Picture,
  target: Picture,
  matrix: readonly number[],
  flags: readonly number[],
  gain: number,
): Float32Array<ArrayBuffer> {
  return target.pixels.map((old, i) => {
    const [x, y] = [i % target.pitch, Math.floor(i / target.pitch)];
    if (x >= target.width) return old;
    const place = (row: number): number =>
      Math.trunc(fmaf(at(matrix, row), x, fmaf(at(matrix, row + 1), y, at(matrix, row + 2))));
    const [sx, sy] = [place(0), place(3)];
    const isInside = sx >= 0 && sx < source.width && sy >= 0 && sy < source.height;
    const value = isInside ? at(source.pixels, sy * source.pitch + sx) : 0;
    return at(flags, (x + y) % 3) === 0 ? value : value * gain;
  });
}

export function structsCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  table.add("transform", "30x20 from 17x23", (random) => {
    const source: Picture = { pixels: random.f32s(20 * 23), width: 17, height: 23, pitch: 20 };
    const target: Picture = { pixels: random.f32s(33 * 20), width: 30, height: 20, pitch: 33 };
    const [matrix, flags, gain] = [[0.7, 0.2, -1.5, -0.1, 1.3, 0.4].map(Math.fround), [0, 1, 200], 1.375];
    const fields = [
      ...imageFields(0, source),
      ...imageFields(24, target),
      ...matrix.map((value, i) => field(48 + 4 * i, f32(value))),
      ...flags.map((value, i) => field(72 + i, { type: "u8", value })),
      field(80, f64(gain)),
    ];
    return {
      grid: [4, 3],
      block: [8, 8],
      args: [{ type: "struct", byteLength: 88, fields }],
      expected: () => [exactly(target.pixels, transformed(source, target, matrix, flags, gain))],
    };
  });
  table.add("many_params", "one of each", () => {
    const to = new Float64Array(15);
    const args: KernelArg[] = [
      { type: "i8", value: -100 },
      { type: "u8", value: 200 },
      { type: "i16", value: -30000 },
      { type: "u16", value: 60000 },
      i32(-2000000000),
      { type: "u32", value: 4000000000 },
      { type: "i64", value: -(2n ** 40n) },
      { type: "u64", value: 2n ** 63n },
      f32(0.5),
      f64(-0.1),
      { type: "u8", value: 1 },
      { type: "struct", byteLength: 12, fields: [1, 2, 3].map((value, i) => field(4 * i, i32(value))) },
      { type: "struct", byteLength: 8, fields: [field(0, f32(8.25)), field(4, f32(3))] },
      { type: "i8", value: 77 },
      { type: "struct", byteLength: 32, fields: [1, 2, 4, 8].map((value, i) => field(8 * i, f64(value))) },
      buffer(to),
    ];
    const values = [
      -100,
      200,
      -30000,
      60000,
      -2000000000,
      4000000000,
      -(2 ** 40),
      2 ** 63,
      0.5,
      -0.1,
      1,
      123,
      5.25,
      77,
      15,
    ];
    return { grid: 1, block: 1, args, expected: () => [exactly(to, Float64Array.from(values))] };
  });
  for (const [n, block] of [[1, 1], [100, 32]] as const) {
    table.add("look_up", `n=${n} block=${block}`, (random) => {
      const [entries, index, to] = [random.i32s(10), random.i32s(n, 0, 10), random.i32s(n)];
      return {
        grid: blocksFor(n, block),
        block,
        args: [
          {
            type: "struct",
            byteLength: 40,
            fields: Array.from(entries, (value, i) => field(4 * i, i32(value))),
          },
          buffer(index),
          buffer(to),
          i32(n),
        ],
        expected: () => [exactly(to, to.map((_, i) => at(entries, at(index, i))))],
      };
    });
    table.add("returned", `n=${n} block=${block}`, (random) => {
      const [from, to] = [random.f32s(2 * n), random.f32s(2 * n)];
      const [rotated, weights] = [random.i32s(6 * n), random.f64s(n)];
      const { fround } = Math;
      const powerOf = (i: number): number[] => {
        const [re, im] = [at(from, 2 * i), at(from, 2 * i + 1)];
        let [x, y] = [re, im];
        for (let k = 0; k < 3; k++) {
          [x, y] = [fround(fround(x * re) - fround(y * im)), fround(fround(x * im) + fround(y * re))];
        }
        return [x, y];
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(to), buffer(rotated), buffer(weights), i32(n)],
        expected: () => [
          exactly(to, Float32Array.from(Array.from({ length: n }, (_, i) => powerOf(i)).flat())),
          exactly(rotated, rotated.map((_, k) => Math.floor(k / 6) + (k % 6 + Math.floor(k / 6) % 6) % 6)),
          exactly(weights, weights.map((_, i) => i + i % 6)),
        ],
      };
    });
  }
  return table.cases;
}
