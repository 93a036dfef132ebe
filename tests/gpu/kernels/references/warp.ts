/**
 * References of warp.cu and tiles.cu: what lanes do together.
 *
 * Owns the rules of shuffles: which lane is read, and that a lane without a source keeps its own. Invariant:
 * inputs are whole warps, and all lanes of a warp take part where a mask does not say otherwise.
 */
import { at, buffer, CaseTable, exactly, i32, type KernelCase, type NumericArray } from "./kernel_case.ts";

type Ints = Int32Array<ArrayBuffer>;

/** The 32 elements of the warp of element i. */
function warpOf<T extends NumericArray>(values: T, i: number): T {
  return values.subarray(i - i % 32, i - i % 32 + 32) as T;
}

/** The bits of the lanes of which a condition holds. */
function ballot(holds: (lane: number) => boolean): number {
  let bits = 0;
  for (let lane = 0; lane < 32; lane++) if (holds(lane)) bits |= 1 << lane;
  return bits >>> 0;
}

type Source = (lane: number) => number;

/** Lanes that shuffles read, by segments of `width`; out of the segment: the lane itself. */
const up = (delta: number, width: number): Source => (lane) => lane % width >= delta ? lane - delta : lane;
const down = (delta: number, width: number): Source => (lane) =>
  lane % width + delta < width ? lane + delta : lane;
const indexed = (index: number, width: number): Source => (lane) => lane - lane % width + index % width;
/** Earlier segments may be read, later ones not. */
const crossed = (mask: number, width: number): Source => (lane) => {
  const source = lane ^ mask;
  return source < lane - lane % width + width ? source : lane;
};

function shuffles(values: Ints, i: number): number[] {
  const [warp, lane] = [warpOf(values, i), i % 32];
  const sources = [
    indexed(5, 32),
    () => at(values, i) & 31,
    up(3, 32),
    down(7, 16),
    crossed(9, 8),
    up(1, 4),
    indexed(11, 8),
    crossed(31, 32),
  ];
  return sources.map((source) => at(warp, source(lane)));
}

function reductions(values: Ints, i: number): number[] {
  const warp = Array.from(warpOf(values, i));
  const words = warp.map((value) => value >>> 0);
  return [
    warp.reduce((a, b) => (a + b) | 0),
    Math.min(...warp),
    Math.max(...warp),
    Math.min(...words) | 0,
    Math.max(...words) | 0,
    warp.map((value) => value | 0xf0f0).reduce((a, b) => a & b),
    warp.map((value) => value & 0x1111).reduce((a, b) => a | b),
    warp.reduce((a, b) => a ^ b),
  ];
}

function popcount(bits: number): number {
  return bits.toString(2).replaceAll("0", "").length;
}

function flat(count: number, of: (i: number) => readonly number[]): number[] {
  return Array.from({ length: count }, (_, i) => of(i)).flat();
}

export function warpCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, grid, block] of [[20, 1, 32], [250, 2, 128], [0, 1, 32], [1024, 1, 1024]] as const) {
    table.add("votes", `n=${n} grid=${grid} block=${block}`, (random) => {
      const threads = grid * block;
      const [from, to] = [random.i32s(n, -10, 1900), random.u32s(6 * threads)];
      const valueOf = (i: number): number => i < n ? at(from, i) : 0;
      const of = (i: number): number[] => {
        const start = i - i % 32;
        const lanes = Array.from({ length: 32 }, (_, lane) => valueOf(start + lane));
        const positive = lanes.filter((value) => value > 0).length;
        return [
          ballot((lane) => (at(lanes, lane) & 1) === 1),
          lanes.some((value) => value > 1000) ? 1 : 0,
          lanes.every((value) => value < 2000) ? 1 : 0,
          ballot((lane) => start + lane < n && at(lanes, lane) % 3 === 0),
          positive === 0 || positive === 32 ? 1 : 0,
          0xffffffff,
        ];
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, Uint32Array.from(flat(threads, of)))],
      };
    });
  }
  for (const [grid, block] of [[1, 32], [2, 128]] as const) {
    const n = grid * block;
    const shape = `grid=${grid} block=${block}`;
    table.add("matches", shape, (random) => {
      const from = random.i32s(n, 0, 5).map((value, i) => i % 64 < 32 ? value : value * 1000);
      const [wide, to] = [
        BigInt64Array.from(random.i32s(n, 0, 3), (x) => BigInt(x) << 40n),
        random.u32s(4 * n),
      ];
      const of = (i: number): number[] => {
        const [warp, warpWide] = [warpOf(from, i), warpOf(wide, i)];
        const isSame = warp.every((value) => value >> 8 === at(warp, 0) >> 8);
        return [
          ballot((lane) => at(warp, lane) === at(from, i)),
          ballot((lane) => at(warpWide, lane) === at(wide, i)),
          isSame ? 0xffffffff : 0,
          isSame ? 1 : 0,
        ];
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(wide), buffer(to)],
        expected: () => [exactly(to, Uint32Array.from(flat(n, of)))],
      };
    });
    for (const [kernel, width, of] of [["reductions", 8, reductions], ["shuffles", 8, shuffles]] as const) {
      table.add(kernel, shape, (random) => {
        const [from, to] = [random.i32s(n), random.i32s(width * n)];
        return {
          grid,
          block,
          args: [buffer(from), buffer(to)],
          expected: () => [exactly(to, Int32Array.from(flat(n, (i) => of(from, i))))],
        };
      });
    }
    table.add("shuffles_wide", shape, (random) => {
      const [from, to, single, singleTo] = [
        random.f64s(n),
        random.f64s(n),
        random.anyF32s(n),
        random.f32s(n),
      ];
      const sum = (i: number): number => {
        const warp = warpOf(from, i);
        return at(warp, (i % 32) ^ 16) + at(warp, Math.min(i % 32 + 1, 31));
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), buffer(single), buffer(singleTo)],
        expected: () => [
          exactly(to, to.map((_, i) => sum(i))),
          exactly(singleTo, singleTo.map((_, i) => at(warpOf(single, i), ((i % block) * 7 + 3) % 32))),
        ],
      };
    });
    table.add("halves", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const of = (i: number): number => {
        const half = from.subarray(i - i % 16, i - i % 16 + 16);
        const positive = half.filter((value) => value > 0).length;
        const [lane, isLow] = [i % 16, i % 32 < 16];
        return isLow ? at(half, lane ^ 1) + positive : at(half, down(2, 16)(lane)) - positive;
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
    table.add("reconverge", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const steps = (value: number): number => popcount(value & 31);
      const sum = (i: number): number => warpOf(from, i).reduce((total, value) => total + steps(value), 0);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => sum(i) * 100 + steps(at(from, i))))],
      };
    });
    table.add("warp_exchange", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const of = (i: number): number => at(warpOf(from, i), ((i + 5) % 32) ^ 1) * 2 + 1;
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
  }
  for (const [grid, block] of [[1, 1], [2, 70]] as const) {
    table.add("lanes", `grid=${grid} block=${block}`, (random) => {
      const to = random.u32s(7 * grid * block);
      const of = (i: number): number[] => {
        const lane = i % block % 32;
        return [
          lane,
          ballot((other) => other === lane),
          ballot((other) => other < lane),
          ballot((other) => other <= lane),
          ballot((other) => other > lane),
          ballot((other) => other >= lane),
          32,
        ];
      };
      return {
        grid,
        block,
        args: [buffer(to)],
        expected: () => [exactly(to, Uint32Array.from(flat(grid * block, of)))],
      };
    });
  }
  return table.cases;
}

export function tilesCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [grid, block] of [[1, 32], [2, 128]] as const) {
    const n = grid * block;
    const shape = `grid=${grid} block=${block}`;
    const tileOf = (values: Ints, i: number, size: number): Ints =>
      values.subarray(i - i % size, i - i % size + size);
    const sum = (values: Ints): number => values.reduce((total, value) => (total + value) | 0, 0);
    table.add("tile_sums", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const of = (i: number): number =>
        Math.imul(sum(tileOf(from, i, 16)), 100) + i % 16 + 1000 * Math.floor(i % block / 16);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
    table.add("tile_reduce", shape, (random) => {
      const [from, to, weights, largest] = [
        random.i32s(n),
        random.i32s(3 * n),
        random.f32s(n),
        random.f32s(n),
      ];
      const of = (i: number): number[] => [
        sum(tileOf(from, i, 32)),
        Math.min(...tileOf(from, i, 8)),
        sum(from.subarray(i - i % 8, i + 1)),
      ];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), buffer(weights), buffer(largest)],
        expected: () => [
          exactly(to, Int32Array.from(flat(n, of))),
          exactly(largest, largest.map((_, i) => Math.max(...weights.subarray(i - i % 8, i - i % 8 + 8)))),
        ],
      };
    });
    table.add("count_coalesced", shape, (random) => {
      const [from, counter, ranks] = [random.i32s(n, -5, 9), Int32Array.of(100), random.i32s(n)];
      const rankOf = (i: number): number =>
        at(from, i) > 0 ? from.subarray(i - i % 32, i).filter((value) => value > 0).length : -1;
      return {
        grid,
        block,
        args: [buffer(from), buffer(counter), buffer(ranks)],
        expected: () => [
          exactly(counter, Int32Array.of(100 + from.filter((value) => value > 0).length)),
          exactly(ranks, ranks.map((_, i) => rankOf(i))),
        ],
      };
    });
    table.add("block_sync", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(n)];
      const of = (i: number): number => at(from, i - i % block + block - 1 - i % block);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
    table.add("tile_votes", shape, (random) => {
      const [from, to] = [random.i32s(n, 0, 60), random.i32s(n)];
      const of = (i: number): number => {
        const tile = tileOf(from, i, 4);
        const bits = tile.reduce((joined, value, lane) => joined | ((value & 1) << lane), 0);
        const isAny = tile.some((value) => value > 50);
        return bits * 4 + (isAny ? 2 : 0) + (tile.every((value) => value > 5) ? 1 : 0);
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(to)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
  }
  return table.cases;
}
