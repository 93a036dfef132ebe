/**
 * References of atomics.cu: folds whose order does not matter.
 *
 * Owns the operation of each atomic. Invariant: where the order could matter, only what does not hang on it is
 * expected: sums, sets of old values.
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
  withinAbsolute,
} from "./kernel_case.ts";

type Ints = Int32Array<ArrayBuffer>;

const SHAPES = [[1, 1], [700, 256], [0, 32], [300, 33]] as const;
const unsigned = (value: number): number => value >>> 0;

function folded(before: Ints, values: Ints): Ints {
  const operations: readonly ((old: number, value: number) => number)[] = [
    (old, value) => old + value,
    (old, value) => old - value,
    Math.min,
    Math.max,
    (old, value) => old & (value | 0x0f0f0f0f),
    (old, value) => old | (value & 0x10101010),
    (old, value) => old ^ value,
    (old, value) => Math.min(unsigned(old), unsigned(value)),
    (old, value) => Math.max(unsigned(old), unsigned(value)),
    (old) => unsigned(old) >= 6 ? 0 : old + 1,
    (old) => old === 0 || unsigned(old) > 6 ? 6 : old - 1,
  ];
  return before.map((start, slot) => {
    const operation = operations[slot];
    return operation === undefined ? start : values.reduce((old, value) => operation(old, value) | 0, start);
  });
}

function folded64(
  before: BigInt64Array<ArrayBuffer>,
  values: BigInt64Array<ArrayBuffer>,
): BigInt64Array<ArrayBuffer> {
  const asUnsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
  const lesser = (a: bigint, b: bigint): bigint => a < b ? a : b;
  const greater = (a: bigint, b: bigint): bigint => a > b ? a : b;
  const operations: readonly ((old: bigint, value: bigint) => bigint)[] = [
    (old, value) => old + value,
    lesser,
    greater,
    (old, value) => lesser(asUnsigned(old), asUnsigned(value)),
    (old, value) => greater(asUnsigned(old), asUnsigned(value)),
    (old, value) => old & (value | 0xff00ff00ff00ff00n),
    (old, value) => old | (value & 0x1010101010101010n),
    (old, value) => old ^ value,
  ];
  return before.map((start, slot) =>
    values.reduce((old, value) => BigInt.asIntN(64, at(operations, slot)(old, value)), start)
  );
}

function sharedOutputs(values: Ints, start: number, block: number): number[] {
  const own = values.subarray(start, start + block);
  const sum = own.reduce((total, value) => (total + value) | 0, 0);
  const wide = own.reduce((total, value) => total + BigInt(value >>> 0), 0n);
  return [
    sum,
    own.reduce((least, value) => Math.min(least, value), 2 ** 31 - 1),
    own.reduce((bits, value) => bits | (value & 0xff), 0),
    own.length % 10,
    Number(BigInt.asIntN(32, wide)),
    Number(wide >> 32n),
    own.reduce((total, value) => total + (value & 15), 0),
    1,
  ];
}

export function atomicsCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of SHAPES) {
    const shape = `n=${n} block=${block}`;
    const grid = blocksFor(n, block);
    table.add("atomics_i32", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(11).fill(3, 9)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, folded(to, from))],
      };
    });
    table.add("atomics_i64", shape, (random) => {
      const [from, to] = [random.i64s(n), random.i64s(8)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, folded64(to, from))],
      };
    });
    table.add("atomics_float", shape, (random) => {
      const from = random.f32s(n, -3, 3).map(Math.round);
      const [single, dual, pair] = [Float32Array.of(1000), Float64Array.of(0.25), Float16Array.of(5, -6)];
      const sum = from.reduce((total, value) => total + value, 0);
      return {
        grid,
        block,
        args: [buffer(from), buffer(single), buffer(dual), buffer(pair), i32(n)],
        expected: () => [
          exactly(single, Float32Array.of(1000 + sum)),
          exactly(dual, Float64Array.of(0.25 + sum / 2)),
          exactly(pair, Float16Array.of(5 + sum, -6 - sum)),
        ],
      };
    });
    table.add("tickets", shape, (random) => {
      const [counter, wide] = [Int32Array.of(10), BigUint64Array.of(7n)];
      const [taken, takenWide] = [random.i32s(n), random.i32s(n)];
      return {
        grid,
        block,
        args: [buffer(counter), buffer(taken), buffer(wide), buffer(takenWide), i32(n)],
        expected: () => [
          exactly(counter, Int32Array.of(10 + n)),
          exactly(wide, BigUint64Array.of(BigInt(7 + 3 * n))),
          inAnyOrder(taken, taken.map((_, i) => 10 + i)),
          inAnyOrder(takenWide, takenWide.map((_, i) => 7 + 3 * i)),
        ],
      };
    });
    table.add("cas_loops", shape, (random) => {
      const [from, largest, product] = [random.f32s(n), Float32Array.of(-0.5), BigUint64Array.of(1n)];
      const values = Array.from({ length: n }, (_, i) => BigInt(2 * i + 3));
      return {
        grid,
        block,
        args: [buffer(from), buffer(largest), buffer(product), i32(n)],
        expected: () => [
          exactly(largest, Float32Array.of(Math.max(-0.5, ...from))),
          exactly(
            product,
            BigUint64Array.of(values.reduce((total, value) => BigInt.asUintN(64, total * value), 1n)),
          ),
        ],
      };
    });
    table.add("cas_short", shape, (random) => {
      const slots = random.u16s(4);
      return {
        grid,
        block,
        args: [buffer(slots), i32(n)],
        expected: () => [exactly(
          slots,
          slots.map((old, k) => k < 3 ? old + 5 * Math.ceil((n - k) / 3) : old),
        )],
      };
    });
    table.add("exchanges", shape, (random) => {
      // The slot is the last element, so that old values and what is left in it are one set.
      const [from, out] = [random.i32s(n), random.i32s(n + 1)];
      const values = new Int32Array(n + 1);
      values.set(from);
      values[n] = at(out, n);
      return {
        grid,
        block,
        args: [buffer(from), buffer(out, 4 * n), buffer(out), i32(n)],
        expected: () => [inAnyOrder(out, values)],
      };
    });
    table.add("atomics_shared", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(8 * grid)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [
          exactly(
            to,
            Int32Array.from(
              Array.from({ length: grid }, (_, b) => sharedOutputs(from, b * block, block)).flat(),
            ),
          ),
        ],
      };
    });
    table.add("scoped", shape, (random) => {
      const [from, to] = [random.i32s(n), random.i32s(6)];
      const sum = from.reduce((total, value) => (total + value) | 0, 0);
      const values = to.map((old, slot) =>
        slot < 3
          ? old + sum
          : slot === 3
          ? from.reduce((a, b) => Math.max(a, b), old)
          : slot === 4
          ? from.reduce((a, b) => a ^ b, old)
          : old
      );
      return {
        grid,
        block,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, values)],
      };
    });
  }
  table.add("atomics_float", "fractions, n=300", (random) => {
    const from = random.f32s(300);
    const [single, dual, pair] = [Float32Array.of(0), Float64Array.of(0), Float16Array.of(0, 0)];
    const sum = from.reduce((total, value) => total + value, 0);
    return {
      grid: 5,
      block: 64,
      args: [buffer(from), buffer(single), buffer(dual), buffer(pair), i32(300)],
      // 300 roundings of sums below 32.
      expected: () => [
        withinAbsolute(single, Float32Array.of(sum), 300 * 2 ** -20),
        withinAbsolute(dual, Float64Array.of(sum / 2), 1e-12),
        withinAbsolute(pair, Float16Array.of(sum, -sum), 300 * 2 ** -7),
      ],
    };
  });
  for (const grid of [1, 37]) {
    table.add("locked", `${grid} blocks`, () => {
      const [lock, counter, history] = [new Int32Array(1), new Int32Array(1), new Int32Array(grid)];
      return {
        grid,
        block: 32,
        args: [buffer(lock), buffer(counter), buffer(history)],
        expected: () => [exactly(counter, Int32Array.of(grid)), exactly(history, history.map(() => 1))],
      };
    });
  }
  return table.cases;
}
