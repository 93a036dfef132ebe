/**
 * References of memory.cu: what is read from, and left in, each kind of memory.
 *
 * Owns the initial values of the module's variables, and the layout of the structures. Invariant: everything is
 * exact; sums of doubles are of whole numbers or quarters.
 */
import { fmaf } from "./arithmetic.ts";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";

type Floats = Float32Array<ArrayBuffer>;

const PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53];
const BYTES = [1, 2, 3, 4, 255];

function convolved(from: Floats, width: number, height: number, weights: Floats): Floats {
  return from.map((_, i) => {
    let sum = 0;
    for (let tap = 0; tap < 9; tap++) {
      const x = Math.min(Math.max(i % width + tap % 3 - 1, 0), width - 1);
      const y = Math.min(Math.max(Math.floor(i / width) + Math.floor(tap / 3) - 1, 0), height - 1);
      sum = fmaf(at(weights, tap), at(from, y * width + x), sum);
    }
    return sum;
  });
}

/** The most frequent of the lowest four bits, the first of them, and how often it occurs. */
function mostFrequent(values: Uint8Array): number {
  const counts = new Int32Array(16);
  for (const value of values) counts[value & 15] = at(counts, value & 15) + 1;
  const most = Math.max(...counts);
  return counts.indexOf(most) * 1000 + most;
}

function byteSum(sorted: Int32Array<ArrayBuffer>): number {
  const bytes = new Uint8Array(sorted.buffer);
  const stride = (at(sorted, 0) & 3) + 1;
  let sum = 0;
  for (let i = 0; i < 32; i++) sum = (Math.imul(sum, 31) + at(bytes, (i * stride) & 31)) >>> 0;
  return sum;
}

const RECORD_BYTES = 24;
const PACKED_BYTES = 7;

export function memoryCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 1], [200, 64], [0, 32]] as const) {
    const [grid, shape] = [blocksFor(n, block), `n=${n} block=${block}`];
    table.add("constants", shape, (random) => {
      const [from, to] = [random.i32s(n, 0, 1000), random.f64s(n)];
      const of = (x: number): number => at(PRIMES, x & 15) * 2.5 - 7 + at(BYTES, x % 5);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => of(at(from, i))))],
      };
    });
    table.add("load_kinds", shape, (random) => {
      const [bytes, shorts, pairs] = [random.u8s(n), random.i16s(4 * n), random.i32s(2 * n, -1e6, 1e6)];
      const [doubles, flags, to] = [
        random.f64s(2 * n, -999, 999).map(Math.round),
        random.i32s(n, 0, 99),
        random.f64s(n),
      ];
      const longs = random.i64s(2 * n).map((value) => value >> 24n);
      const of = (i: number): number =>
        2 * at(bytes, i) + at(shorts, 4 * i) + (at(shorts, 4 * i + 1) & 0xffff) +
        (at(shorts, 4 * i + 3) & 0xffff) +
        2 * at(pairs, 2 * i) - at(pairs, 2 * i + 1) + at(doubles, 2 * i) * at(doubles, 2 * i + 1) +
        Number(at(longs, 2 * i) ^ at(longs, 2 * i + 1)) + at(flags, i);
      return {
        grid,
        block,
        args: [...[bytes, shorts, pairs, doubles, longs, flags, to].map((data) => buffer(data)), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => of(i))), exactly(flags, flags.map((flag) => flag + 1))],
      };
    });
    table.add("copy_records", shape, (random) => {
      const [from, packed] = [new Uint8Array(RECORD_BYTES * n), random.u8s(PACKED_BYTES * n)];
      const [to, sums] = [new Uint8Array(RECORD_BYTES * n), random.i32s(n)];
      const view = new DataView(from.buffer);
      for (let i = 0; i < n; i++) {
        view.setInt32(i * RECORD_BYTES, random.u32() >> 4, true);
        for (let k = 0; k < 7; k++) view.setUint8(i * RECORD_BYTES + 4 + k, random.below(256));
        view.setFloat64(i * RECORD_BYTES + 16, random.between(-9, 9), true);
      }
      const records = (): Uint8Array<ArrayBuffer> => {
        const out = new Uint8Array(to.length);
        const result = new DataView(out.buffer);
        for (let i = 0; i < n; i++) {
          const [source, target] = [(n - 1 - i) * RECORD_BYTES, i * RECORD_BYTES];
          out.set(from.subarray(source, source + RECORD_BYTES), target);
          const key = view.getInt32(source, true) + at(packed, i * PACKED_BYTES);
          result.setInt32(target, key, true);
          result.setUint8(target + 4 + (key & 3), "x".charCodeAt(0));
          result.setFloat64(target + 16, view.getFloat64(source + 16, true) * 2, true);
        }
        return out;
      };
      const fields = new DataView(packed.buffer);
      const sum = (i: number): number =>
        fields.getUint16(i * PACKED_BYTES + 1, true) + fields.getInt32(i * PACKED_BYTES + 3, true);
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), buffer(packed), buffer(sums), i32(n)],
        expected: () => [exactly(to, records()), exactly(sums, sums.map((_, i) => sum(i)))],
      };
    });
  }
  for (const [width, height] of [[1, 1], [37, 20]] as const) {
    table.add("convolve3", `${width}x${height}`, (random) => {
      const [weights, from, to] = [random.f32s(9), random.f32s(width * height), random.f32s(width * height)];
      return {
        grid: [blocksFor(width, 16), blocksFor(height, 8)],
        block: [16, 8],
        variables: [["weights", weights]],
        args: [buffer(from), buffer(to), i32(width), i32(height)],
        expected: () => [exactly(to, convolved(from, width, height, weights))],
      };
    });
  }
  table.add("globals", "once", (random) => {
    const [to, text] = [random.i32s(6), random.u8s(12)];
    const fraction = new Int32Array(Float32Array.of(0.1).buffer);
    const letters = new TextEncoder().encode("TensorWasm\0");
    return {
      grid: 1,
      block: 32,
      args: [buffer(to), buffer(text)],
      expected: () => [
        exactly(to, Int32Array.of(5, 30 + 20 * 100 + 40 * 10000, 5, 10, 0x123456, at(fraction, 0))),
        exactly(text, text.map((old, i) => letters[i] ?? old)),
        exactly("counter", Int32Array.of(8)),
        exactly("table", Int32Array.of(10, 20, 30, 40, 50, 68)),
        exactly("totals", Float64Array.of(0, 1.5, 0)),
      ],
    };
  });
  for (const [grid, block, perThread] of [[1, 1, 5], [3, 50, 40]] as const) {
    table.add("local_array", `grid=${grid} block=${block} ${perThread} each`, (random) => {
      const [from, to] = [random.u8s(grid * block * perThread), random.i32s(grid * block)];
      const of = (i: number): number => mostFrequent(from.subarray(i * perThread, (i + 1) * perThread));
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(perThread)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
    table.add("local_sort", `grid=${grid} block=${block}`, (random) => {
      const count = grid * block;
      const [from, to, sums] = [random.i32s(8 * count), random.i32s(8 * count), random.u32s(count)];
      const sorted = (i: number): Int32Array<ArrayBuffer> => from.slice(8 * i, 8 * i + 8).sort();
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), buffer(sums)],
        expected: () => [
          exactly(to, to.map((_, i) => at(sorted(Math.floor(i / 8)), i % 8))),
          exactly(sums, sums.map((_, i) => byteSum(sorted(i)))),
        ],
      };
    });
  }
  table.add("generic_pointers", "3 blocks", (random) => {
    const [from, which, to] = [random.i32s(192), random.i32s(192, 0, 100), random.i32s(192)];
    const of = (i: number): number => {
      const way = at(which, i);
      if (way % 3 === 0) return at(from, i - i % 64 + 63 - i % 64) * 2;
      return at(from, i) + (way % 3 === 1 ? 0 : way & 3);
    };
    return {
      grid: 3,
      block: 64,
      args: [buffer(from), buffer(which), buffer(to)],
      expected: () => [exactly(to, to.map((_, i) => of(i)))],
    };
  });
  for (const n of [1, 50, 64]) {
    table.add("carved", `n=${n}`, (random) => {
      const [from, to] = [random.f64s(2 * n, -4e5, 4e5).map((x) => Math.round(x) / 4), random.f64s(2 * n)];
      const of = (i: number): number => {
        const value = at(from, i - i % n + n - 1 - i % n);
        return value + Math.trunc(value) * 1000 + (Math.trunc(value) & 0x7f) * 1e6;
      };
      return {
        grid: 2,
        block: 64,
        sharedBytes: 13 * n,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => of(i)))],
      };
    });
  }
  table.add("through_pointers", "5 rows", (random) => {
    const rows = Array.from({ length: 5 }, () => random.f32s(20));
    const to = random.f32s(100);
    return {
      grid: 5,
      block: 32,
      args: [{ type: "pointers", buffers: rows }, buffer(to), i32(20)],
      expected: () => [exactly(to, to.map((_, i) => at(at(rows, Math.floor(i / 20)), i % 20) * 2))],
    };
  });
  return table.cases;
}
