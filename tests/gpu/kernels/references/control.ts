/**
 * References of control.cu: the same programs in TypeScript.
 *
 * Owns them, written apart from the kernels where their form allows it. Invariant: whole numbers wrap at 32 bits.
 */
import { fmaf } from "./arithmetic.ts";
import {
  at,
  blocksFor,
  buffer,
  type CaseSpec,
  CaseTable,
  exactly,
  i32,
  type KernelCase,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";

type Ints = Int32Array<ArrayBuffer>;

const DENSE: readonly ((x: number) => number)[] = [
  (x) => x * 3,
  (x) => x ^ 0x55,
  (x) => x - 7,
  (x) => x - 7,
  (x) => x << 2,
  (x) => x >> 3,
  (x) => ~x,
  (x) => x * x,
  (x) => Math.trunc(x / 5),
  (x) => x % 11,
  (x) => -x,
  (x) => x & 0xff00,
  () => 42,
];

function sparseSwitch(x: number, old: number): number {
  const results = new Map([[-1000, 1], [7, 4], [99, 26], [100, (old + 10) * 2], [123456, 5]]);
  return results.get(x) ?? -2;
}

function jumpTable(x: number): number {
  const ways = [x + 100, Math.imul(x, x), -x, 7, Math.imul(x, x)];
  return at(ways, (x >>> 0) % 5) + 1;
}

function collatzSteps(start: number): number {
  let [x, steps] = [BigInt(start), 0];
  while (x > 1n && steps < 500) {
    x = x % 2n === 1n ? 3n * x + 1n : x / 2n;
    steps++;
  }
  return steps;
}

function nestedLoops(limit: number): number {
  let sum = 0;
  for (let a = 2; a < limit; a++) {
    if (a % 3 === 0) continue;
    let isPrime = true;
    for (let b = 2; b * b <= a; b++) {
      if (a % b === 0) {
        isPrime = false;
        break;
      }
      if (sum > 5000) return sum;
    }
    sum += isPrime ? a : -1;
  }
  return sum;
}

function twoEntries(start: number): number {
  let [x, count] = [start, 0];
  let skips = (x & 1) === 1;
  do {
    if (!skips) {
      x += 3;
      count++;
    }
    skips = false;
    x ^= count;
    count += 2;
  } while (count < 40 && x % 7 !== 0);
  return x * 100 + count;
}

function conditions(x: number, y: number, z: number): number {
  let result = (x > 0 && y > 0) || (z < 0 && x !== y) ? 1 : 0;
  if (x > y ? z > x : z > y && x > -50) result += 2;
  if (x <= 10 && y <= 10 && z <= 10) result += 4;
  if (x === 0) return result;
  if (Math.trunc(y / x) > 3) return result + 8;
  return result + (z % x === 1 ? 16 : 32);
}

/** The stack machine of the kernel: operations by number. */
function runMachine(program: Ints, input: number): number {
  const stack: number[] = [];
  const pop = (): number => stack.pop() ?? 0;
  let pc = 0;
  for (let fuel = 1000; fuel > 0; fuel--) {
    const operation = at(program, pc++);
    if (operation === 0) break;
    if (operation === 1) stack.push(at(program, pc++));
    else if (operation === 8) stack.push(input);
    else if (operation === 4) stack.push(stack.at(-1) ?? 0);
    else if (operation === 7) {
      const target = at(program, pc++);
      if (pop() !== 0) pc = target;
    } else {
      const [right, left] = [pop(), pop()];
      if (operation === 2) stack.push((left + right) | 0);
      else if (operation === 3) stack.push(Math.imul(left, right));
      else if (operation === 6) stack.push((left - right) | 0);
      else stack.push(right, left);
    }
  }
  return stack.at(-1) ?? -1;
}

/** Takes 3 off the input until nothing is left; what is no multiple of 3 runs out of steps. Then adds 5 · 4. */
const PROGRAM = [8, 1, 3, 6, 4, 1, 7, 3, 7, 1, 1, 5, 1, 4, 3, 2, 1, 9, 5, 6, 0];

function fibonacci(n: number): number {
  let [a, b] = [0, 1];
  for (let i = 0; i < n; i++) [a, b] = [b, a + b];
  return a;
}

function simple(
  table: CaseTable,
  kernel: string,
  inputs: (random: Random, n: number) => readonly Ints[],
  of: (values: readonly number[], old: number) => number,
  more: Partial<CaseSpec> = {},
): void {
  for (const [n, block] of [[1, 1], [300, 128], [0, 32], [64, 64]] as const) {
    table.add(kernel, `n=${n} block=${block}`, (random) => {
      const [from, to] = [inputs(random, n), random.i32s(n, -1000, 1000)];
      const valuesAt = (i: number): number[] => from.map((data) => at(data, i));
      return {
        grid: blocksFor(n, block),
        block,
        args: [...from.map((data) => buffer(data)), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((old, i) => of(valuesAt(i), old)))],
        ...more,
      };
    });
  }
}

export function controlCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const small = (random: Random, n: number): Ints[] => [random.i32s(n, -10000, 10000)];
  simple(table, "dense_switch", small, ([x = 0]) => (DENSE[x & 15] ?? (() => 1))(x));
  const chosen = [-1000, 7, 99, 100, 123456, 5, 0];
  simple(
    table,
    "sparse_switch",
    (random, n) => [random.i32s(n, 0, 7).map((k) => at(chosen, k))],
    ([x = 0], old) => sparseSwitch(x, old),
  );
  simple(table, "jump_table", small, ([x = 0]) => jumpTable(x));
  simple(table, "collatz", (random, n) => [random.i32s(n, 0, 100000)], ([x = 0]) => collatzSteps(x));
  simple(table, "nested_loops", (random, n) => [random.i32s(n, 0, 300)], ([x = 0]) => nestedLoops(x));
  simple(table, "two_entries", small, ([x = 0]) => twoEntries(x));
  const three = (random: Random, n: number): Ints[] => [0, 1, 2].map(() => random.i32s(n, -60, 60));
  simple(table, "conditions", three, ([x = 0, y = 0, z = 0]) => conditions(x, y, z));
  simple(
    table,
    "recursion",
    (random, n) => [random.i32s(n, 0, 11)],
    ([x = 0]) => fibonacci(x) * 2 + (x % 2 === 0 ? 1 : 0),
    { refusedBy: ["cpu"] },
  );
  const operations = [
    (a: number, b: number): number => a + b,
    (a: number, b: number): number => a - b,
    (a: number, b: number): number => a * b,
    Math.max,
  ];
  simple(
    table,
    "by_pointer",
    (random, n) => [random.i32s(n, 0, 4), random.i32s(n, -1000, 1000), random.i32s(n, -1000, 1000)],
    ([which = 0, a = 0, b = 0]) => at(operations, which)(a, b),
  );
  for (const [n, block] of [[1, 1], [300, 128], [0, 32]] as const) {
    const shape = `n=${n} block=${block}`;
    table.add("machine", shape, (random) => {
      const [program, from, to] = [Int32Array.from(PROGRAM), random.i32s(n, 1, 200), random.i32s(n)];
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(program), buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => runMachine(program, at(from, i))))],
      };
    });
    table.add("calls", shape, (random) => {
      const [from, to, blended] = [random.i32s(n, -1200, 1200), random.i32s(n), random.f32s(n)];
      const of = (x: number): number => Math.trunc(x ** 3 / 17) * 31 + x ** 3 % 17;
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(from), buffer(to), buffer(blended), i32(n)],
        expected: () => [
          exactly(to, to.map((_, i) => of(at(from, i)))),
          exactly(blended, blended.map((_, i) => fmaf(0.25, Math.fround(100 - at(from, i)), at(from, i)))),
        ],
      };
    });
    table.add("by_class", shape, (random) => {
      const [sizes, to] = [random.f32s(n, 0, 9), random.f32s(n)];
      const of = (size: number, i: number): number => i % 3 === 0 ? size * size : i % 3 === 1 ? size * 2 : 0;
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(sizes), buffer(to), i32(n)],
        expected: () => [exactly(to, sizes.map(of))],
      };
    });
  }
  return table.cases;
}
