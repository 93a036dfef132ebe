/**
 * References of half.cu and bfloat.cu: arithmetic in 16 bits.
 *
 * Owns the order of the results, and what comparisons say of NaN. Invariant: arithmetic is exact and rounded
 * once to the format; functions (roots, exponentials) have bounds instead.
 */
import {
  addIn,
  BF16,
  bf16Bits,
  bf16Value,
  F16,
  F32,
  fmaf,
  fmaIn,
  mulIn,
  roundIn,
  type Rounding,
} from "./arithmetic.ts";
import { addElementwise } from "./elementwise.ts";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase } from "./kernel_case.ts";
import type { Random } from "./random.ts";
import { shuffleDownSum } from "./reduce.ts";

type Halves = Float16Array<ArrayBuffer>;
type Bits = Uint16Array<ArrayBuffer>;

function lesser(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y);
}

function greater(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y);
}

/** Halves of any bits, then such of like size. */
function anyHalves(random: Random, n: number): Halves {
  const values = new Float16Array(random.u16s(n).buffer);
  return values.map((value, i) => i % 2 === 0 ? value : random.between(-4, 4));
}

/** bfloats likewise, as bits. */
function anyBfloats(random: Random, n: number): Bits {
  return random.u16s(n).map((bits, i) => i % 2 === 0 ? bits : bf16Bits(random.between(-4, 4)));
}

const saturate = (x: number): number => Number.isNaN(x) || x <= 0 ? 0 : Math.min(x, 1);
const rectify = (x: number): number => Number.isNaN(x) ? NaN : x > 0 ? x : 0;

function halfOps(x: number, y: number, z: number): number[] {
  const fused = fmaIn(F16, "rn", x, y, z);
  return [
    addIn(F16, "rn", x, y),
    addIn(F16, "rn", x, -y),
    mulIn(F16, "rn", x, y),
    fused,
    -x,
    Math.abs(x),
    lesser(x, y),
    greater(x, y),
    rectify(fused),
    saturate(addIn(F16, "rn", x, y)),
  ];
}

function half2Ops(x: readonly number[], y: readonly number[], z: readonly number[]): number[] {
  const each = (of: (a: number, b: number, c: number) => number): number[] =>
    [0, 1].map((k) => of(at(x, k), at(y, k), at(z, k)));
  return [
    ...each((a, b) => addIn(F16, "rn", a, b)),
    ...each((a, b) => addIn(F16, "rn", a, -b)),
    ...each((a, b) => mulIn(F16, "rn", a, b)),
    ...each((a, b, c) => fmaIn(F16, "rn", a, b, c)),
    at(x, 1),
    at(x, 0),
    ...each((a, b) => greater(a, b)),
    at(x, 0),
    at(y, 1),
    ...each((a, b) => a >= b ? 1 : 0),
  ];
}

const ROUNDINGS: readonly Rounding[] = ["rn", "rz", "ru", "rd"];

function halfBits(value: number): number {
  return at(new Uint16Array(Float16Array.of(value).buffer), 0);
}

/** Floats for the conversions: around halves and their ties, all sizes, no NaN (whose bits are free). */
function floatsForHalves(random: Random, n: number): Float32Array<ArrayBuffer> {
  const values = random.f32s(n).map((x, i) => x * 2 ** (i % 40 - 22));
  const edges = [
    0,
    -0,
    Infinity,
    -Infinity,
    65504,
    65519,
    65520,
    -65520,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    2 ** -25,
    2 ** -24,
  ];
  for (const [i, edge] of edges.entries()) if (i < n) values[i] = edge;
  return values;
}

export function halfCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const newHalves = (length: number): Halves => new Float16Array(length);
  addElementwise(table, "half_ops", {
    inputs: (random, n) => [anyHalves(random, n), anyHalves(random, n), anyHalves(random, n)] as const,
    output: newHalves,
    width: 10,
    of: ([a, b, c]) => (i) => halfOps(at(a, i), at(b, i), at(c, i)),
  });
  addElementwise(table, "half2_ops", {
    inputs: (random, n) =>
      [anyHalves(random, 2 * n), anyHalves(random, 2 * n), anyHalves(random, 2 * n)] as const,
    output: newHalves,
    width: 16,
    of: (inputs) => (i) => {
      const [x, y, z] = inputs.map((data) => [at(data, 2 * i), at(data, 2 * i + 1)]);
      return half2Ops(x ?? [], y ?? [], z ?? []);
    },
  });
  addElementwise(table, "half_conversions", {
    inputs: (random, n) => [floatsForHalves(random, n)] as const,
    output: (length) => new Uint16Array(length),
    width: 4,
    of: ([values]) => (i) => ROUNDINGS.map((rounding) => halfBits(roundIn(F16, rounding, at(values, i)))),
  });
  for (const [n, block] of [[1, 1], [300, 128]] as const) {
    const grid = blocksFor(n, block);
    table.add("half_integers", `n=${n} block=${block}`, (random) => {
      const [from, numbers] = [
        random.f16s(n, -3000, 3000).map((x, i) => x / 2 ** (i % 9)),
        random.i32s(n, -70000, 70000),
      ];
      const [to, halves] = [random.i32s(3 * n), random.f16s(2 * n)];
      const toInts = (x: number): number[] => {
        const even = Math.round(x / 2) * 2;
        const nearest = Math.abs(x % 1) === 0.5 ? even : Math.round(x);
        return [nearest, Math.trunc(x), Math.max(Math.floor(x), 0)];
      };
      return {
        grid,
        block,
        args: [buffer(from), buffer(numbers), buffer(to), buffer(halves), i32(n)],
        expected: () => [
          exactly(to, Int32Array.from(Array.from(from).flatMap(toInts))),
          exactly(halves, Float16Array.from(Array.from(numbers).flatMap((x) => [x, (x << 16) >> 16]))),
        ],
      };
    });
    table.add("half_axpy", `n=${n} block=${block}`, (random) => {
      const [x, y] = [random.f16s(2 * n), random.f16s(2 * n)];
      return {
        grid,
        block,
        args: [{ type: "u16", value: halfBits(1.75) }, buffer(x), buffer(y), i32(n)],
        expected: () => [exactly(y, y.map((value, i) => fmaIn(F16, "rn", 1.75, at(x, i), value)))],
      };
    });
  }
  addElementwise(table, "half_compare", {
    inputs: (random, n) => {
      const a = anyHalves(random, n).map((x, i) => i % 10 === 4 ? NaN : x);
      return [a, a.map((x, i) => i % 3 === 0 ? x : at(a, (5 * i + 1) % n))] as const;
    },
    output: (length) => new Int32Array(length),
    width: 1,
    of: ([a, b]) => (i) => {
      const [x, y] = [at(a, i), at(b, i)];
      const isUnordered = Number.isNaN(x) || Number.isNaN(y);
      // NaN is not equal to anything, and for the ordered form of != not unequal either.
      const bits = [
        x < y,
        x <= y,
        x > y,
        x === y,
        x !== y && !isUnordered,
        Number.isNaN(x),
        x < y || isUnordered,
      ];
      return [bits.reduce((sum, bit, k) => sum + (bit ? 2 ** k : 0), 0)];
    },
  });
  for (const [grid, n] of [[1, 1], [3, 50]] as const) {
    table.add("half_dot", `${grid} dots of ${n} pairs`, (random) => {
      const [a, b, to] = [random.f16s(2 * n * grid), random.f16s(2 * n * grid), random.f32s(grid)];
      const laneSum = (row: number, lane: number): number => {
        let sum = 0;
        for (let i = row * n + lane; i < row * n + n; i += 32) {
          sum = fmaf(at(a, 2 * i), at(b, 2 * i), fmaf(at(a, 2 * i + 1), at(b, 2 * i + 1), sum));
        }
        return sum;
      };
      const of = (row: number): number =>
        shuffleDownSum(Array.from({ length: 32 }, (_, lane) => laneSum(row, lane)));
      return {
        grid,
        block: 32,
        args: [buffer(a), buffer(b), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, row) => of(row)))],
      };
    });
  }
  addElementwise(table, "half_functions", {
    inputs: (random, n) => [random.f16s(n, 0.05, 8)] as const,
    output: newHalves,
    width: 6,
    of: ([values]) => (i) => {
      const x = at(values, i);
      return [Math.sqrt(x), 1 / x, Math.exp(x), Math.log(x), x / 3, Math.floor(x)];
    },
    tolerance: { kind: "relative", bound: 2 * 2 ** -10, floor: 2 ** -10 },
  });
  return table.cases;
}

export function bfloatCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const newBits = (length: number): Bits => new Uint16Array(length);
  // NaN have free bits as results, so inputs have none, and sums of infinities are avoided.
  const finite = (bits: Bits): Bits => bits.map((each) => (each & 0x7f80) === 0x7f80 ? each & 0xbfff : each);
  const inputs = (random: Random, n: number): Bits => finite(anyBfloats(random, n));
  addElementwise(table, "bfloat_ops", {
    inputs: (random, n) => [inputs(random, n), inputs(random, n), inputs(random, n)] as const,
    output: newBits,
    width: 8,
    of: ([a, b, c]) => (i) => {
      const [x, y, z] = [bf16Value(at(a, i)), bf16Value(at(b, i)), bf16Value(at(c, i))];
      return [
        addIn(BF16, "rn", x, y),
        addIn(BF16, "rn", x, -y),
        mulIn(BF16, "rn", x, y),
        fmaIn(BF16, "rn", x, y, z),
        -x,
        Math.abs(x),
        lesser(x, y),
        greater(x, y),
      ].map(bf16Bits);
    },
  });
  addElementwise(table, "bfloat2_ops", {
    inputs: (random, n) => [inputs(random, 2 * n), inputs(random, 2 * n)] as const,
    output: newBits,
    width: 6,
    of: ([a, b]) => (i) => {
      const pair = [0, 1].map((k) => [bf16Value(at(a, 2 * i + k)), bf16Value(at(b, 2 * i + k))] as const);
      return [
        ...pair.map(([x, y]) => addIn(BF16, "rn", x, y)),
        ...pair.map(([x, y]) => mulIn(BF16, "rn", x, y)),
        ...pair.map(([x, y]) => fmaIn(BF16, "rn", x, y, x)),
      ].map(bf16Bits);
    },
  });
  for (const [n, block] of [[1, 1], [300, 128]] as const) {
    table.add("bfloat_conversions", `n=${n} block=${block}`, (random) => {
      const [from, narrow] = [
        random.anyF32s(n).map((x) => Number.isNaN(x) ? 1.00390625 : x),
        inputs(random, n),
      ];
      const [to, floats] = [random.u16s(3 * n), random.f32s(n)];
      const of = (x: number): number[] => [bf16Bits(x), bf16Bits(roundIn(BF16, "rz", x)), bf16Bits(-x)];
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(narrow), buffer(to), buffer(floats), i32(n)],
        expected: () => [
          exactly(to, Uint16Array.from(Array.from(from).flatMap(of))),
          exactly(floats, floats.map((_, i) => bf16Value(at(narrow, i)))),
        ],
      };
    });
  }
  for (const [rows, columns] of [[1, 1], [3, 100]] as const) {
    table.add("bfloat_rmsnorm", `${rows}x${columns}`, (random) => {
      const from = Uint16Array.from(random.f32s(rows * columns), bf16Bits);
      const to = random.u16s(rows * columns);
      const { fround } = Math;
      const scaleOf = (row: number): number => {
        let lanes = Array.from({ length: 32 }, (_, lane) => {
          let sum = 0;
          for (let i = lane; i < columns; i += 32) {
            const x = bf16Value(at(from, row * columns + i));
            sum = fmaf(x, x, sum);
          }
          return sum;
        });
        for (const mask of [16, 8, 4, 2, 1]) {
          lanes = lanes.map((sum, lane) => fround(sum + at(lanes, lane ^ mask)));
        }
        const mean = fround(at(lanes, 0) / columns);
        return fround(1 / fround(Math.sqrt(fround(mean + fround(1e-6)))));
      };
      return {
        grid: rows,
        block: 32,
        args: [buffer(from), buffer(to), i32(columns)],
        expected: () => [
          exactly(
            to,
            from.map((bits, i) =>
              bf16Bits(mulIn(F32, "rn", bf16Value(bits), scaleOf(Math.floor(i / columns))))
            ),
          ),
        ],
      };
    });
  }
  return table.cases;
}
