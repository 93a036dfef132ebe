/**
 * References of approximate.cu, fast_math.cu, libm32.cu and libm64.cu: elementary functions.
 *
 * Owns, for each function, arguments for which there is a bound, and that bound: the CUDA manual's in units in
 * the last place for accurate functions, the PTX manual's relative or absolute error for approximate ones.
 * Invariant: what is expected is reckoned in double precision, so bounds of doubles have some room for it.
 */
import { addElementwise } from "./elementwise.ts";
import {
  at,
  blocksFor,
  buffer,
  CaseTable,
  exactly,
  i32,
  type KernelCase,
  type Tolerance,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";
import { erf, erfc, gamma, logGamma, power, remainder, roundHalfAway, sinPi } from "./special_functions.ts";

type Floats = Float32Array<ArrayBuffer>;
type Doubles = Float64Array<ArrayBuffer>;
type Range = readonly [low: number, high: number];

const ulps = (count: number): Tolerance => ({ kind: "ulp", ulps: count });
const relative = (bound: number, floor = 0): Tolerance => ({ kind: "relative", bound, floor });
const absolute = (bound: number): Tolerance => ({ kind: "absolute", bound });

/** Values of either sign over all sizes up to 2^exponent. */
function spread(random: Random, exponent: number): number {
  return random.between(-1, 1) * 2 ** random.between(-exponent, exponent);
}

const SPECIALS = [0, -0, 1, -1, Infinity, -Infinity, NaN, 2 ** -149, -(2 ** -130), 0.5, -0.5, 2, 10];

/** Numbers in a range; `isOpen` adds the special values, infinities, NaN and all sizes. */
function floatsFor(random: Random, n: number, [low, high]: Range, isOpen: boolean): Floats {
  const values = random.f32s(n, low, high);
  if (!isOpen) return values;
  for (const [i, value] of SPECIALS.entries()) if (i < n) values[i] = value;
  for (let i = SPECIALS.length; i < n; i += 7) values[i] = spread(random, 30);
  return values;
}

function doublesFor(random: Random, n: number, [low, high]: Range, isOpen: boolean): Doubles {
  const values = random.f64s(n, low, high);
  if (!isOpen) return values;
  for (const [i, value] of SPECIALS.entries()) if (i < n) values[i] = value;
  for (let i = SPECIALS.length; i < n; i += 7) values[i] = spread(random, 60);
  return values;
}

type Unary = readonly [
  name: string,
  of: (x: number) => number,
  range: Range,
  tolerance: Tolerance,
  isOpen?: boolean,
];
type Binary = readonly [
  name: string,
  of: (x: number, y: number) => number,
  ranges: readonly [Range, Range],
  tolerance: Tolerance,
  isOpen?: boolean,
];

const APPROXIMATE: readonly Unary[] = [
  ["ex2", (x) => 2 ** x, [-120, 120], relative(2 ** -22)],
  ["lg2", Math.log2, [0.001, 1000], relative(2 ** -22, 2 ** -22)],
  ["tanh", Math.tanh, [-8, 8], relative(2 ** -11)],
  ["rcp", (x) => 1 / x, [0.01, 1000], ulps(1)],
  ["sqrt", Math.sqrt, [0, 1e6], relative(2 ** -22.9)],
  ["rsqrt", (x) => 1 / Math.sqrt(x), [1e-3, 1e6], ulps(2)],
  // 2 + ⌊1.173 |x|⌋ units in the last place.
  ["exp", Math.exp, [-20, 20], relative(26 * 2 ** -23)],
  ["log", Math.log, [0.001, 1000], relative(4 * 2 ** -23, 2 ** -21.41)],
  ["log2", Math.log2, [0.001, 1000], relative(3 * 2 ** -23, 2 ** -22)],
  ["log10", Math.log10, [0.001, 1000], relative(4 * 2 ** -23, 2 ** -23)],
  ["sin", Math.sin, [-Math.PI, Math.PI], absolute(2 ** -20.5)],
  ["cos", Math.cos, [-Math.PI, Math.PI], absolute(2 ** -20.5)],
];

const F32_UNARY: readonly Unary[] = [
  ["sin", Math.sin, [-100, 100], ulps(2), true],
  ["cos", Math.cos, [-100000, 100000], ulps(2), true],
  ["tan", Math.tan, [-50, 50], ulps(4), true],
  ["asin", Math.asin, [-1, 1], ulps(3), true],
  ["acos", Math.acos, [-1, 1], ulps(3), true],
  ["atan", Math.atan, [-10, 10], ulps(3), true],
  ["exp", Math.exp, [-105, 90], ulps(2), true],
  ["exp2", (x) => 2 ** x, [-150, 129], ulps(3), true],
  ["exp10", (x) => 10 ** x, [-40, 39], ulps(3), true],
  ["expm1", Math.expm1, [-2, 2], ulps(2), true],
  ["log", Math.log, [0, 3], ulps(2), true],
  ["log2", Math.log2, [0, 3], ulps(2), true],
  ["log10", Math.log10, [0, 3], ulps(3), true],
  ["log1p", Math.log1p, [-1, 2], ulps(2), true],
  ["sinh", Math.sinh, [-10, 10], ulps(4), true],
  ["cosh", Math.cosh, [-10, 10], ulps(3), true],
  ["tanh", Math.tanh, [-5, 5], ulps(3), true],
  ["asinh", Math.asinh, [-50, 50], ulps(4), true],
  ["acosh", Math.acosh, [1, 50], ulps(5)],
  ["atanh", Math.atanh, [-1, 1], ulps(4)],
  ["cbrt", Math.cbrt, [-100, 100], ulps(2), true],
  ["erf", erf, [-4, 4], ulps(3), true],
  ["erfc", erfc, [-4, 9], ulps(5), true],
  ["tgamma", gamma, [0.1, 20], relative(12 * 2 ** -23)],
  ["lgamma", logGamma, [0.1, 50], relative(7 * 2 ** -23, 2 ** -22)],
  ["sinpi", sinPi, [-20, 20], relative(3 * 2 ** -23, 1e-7)],
  ["round", roundHalfAway, [-50, 50], { kind: "exact" }, true],
];

const F32_BINARY: readonly Binary[] = [
  ["pow", power, [[0, 10], [-20, 20]], ulps(5), true],
  ["atan2", Math.atan2, [[-3, 3], [-3, 3]], ulps(4), true],
  ["hypot", (x, y) => Math.hypot(x, y), [[-9, 9], [-9, 9]], ulps(4), true],
  ["fmod", (x, y) => x % y, [[-100, 100], [-7, 7]], { kind: "exact" }, true],
  ["remainder", remainder, [[-100, 100], [-7, 7]], { kind: "exact" }, true],
  ["fdim", (x, y) => Number.isNaN(x + y) && x !== y ? NaN : x > y ? x - y : 0, [[-9, 9], [-9, 9]], {
    kind: "exact",
  }],
];

// Bounds of the manual and one or two for the doubles that they are compared with.
const F64_UNARY: readonly Unary[] = [
  ["sin", Math.sin, [-100, 100], ulps(3), true],
  ["cos", Math.cos, [-100000, 100000], ulps(3), true],
  ["tan", Math.tan, [-50, 50], ulps(4), true],
  ["asin", Math.asin, [-1, 1], ulps(4), true],
  ["acos", Math.acos, [-1, 1], ulps(4), true],
  ["atan", Math.atan, [-10, 10], ulps(4), true],
  ["exp", Math.exp, [-740, 709], ulps(3), true],
  ["exp2", (x) => 2 ** x, [-1074, 1023], ulps(3), true],
  ["expm1", Math.expm1, [-2, 2], ulps(3), true],
  ["log", Math.log, [0, 3], ulps(3), true],
  ["log2", Math.log2, [0, 3], ulps(4), true],
  ["log10", Math.log10, [0, 3], ulps(4), true],
  ["log1p", Math.log1p, [-1, 2], ulps(3), true],
  ["sinh", Math.sinh, [-10, 10], ulps(5), true],
  ["cosh", Math.cosh, [-10, 10], ulps(4), true],
  ["tanh", Math.tanh, [-5, 5], ulps(5), true],
  ["cbrt", Math.cbrt, [-100, 100], ulps(3), true],
  ["sqrt", Math.sqrt, [0, 1e6], { kind: "exact" }, true],
  ["rsqrt", (x) => 1 / Math.sqrt(x), [1e-3, 1e6], ulps(3)],
  ["erf", erf, [-4, 4], relative(1e-14), true],
  ["erfc", erfc, [-4, 9], relative(1e-12), true],
  ["lgamma", logGamma, [0.1, 50], relative(1e-13, 1e-13)],
];

const F64_BINARY: readonly Binary[] = [
  ["pow", power, [[0, 10], [-20, 20]], ulps(4), true],
  ["atan2", Math.atan2, [[-3, 3], [-3, 3]], ulps(4), true],
  ["hypot", (x, y) => Math.hypot(x, y), [[-9, 9], [-9, 9]], ulps(4), true],
  ["fmod", (x, y) => x % y, [[-100, 100], [-7, 7]], { kind: "exact" }, true],
  ["div", (x, y) => x / y, [[-100, 100], [-7, 7]], { kind: "exact" }, true],
];

export function approximateCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  addUnary32(table, "approx", APPROXIMATE);
  addBinary32(table, "approx", [
    // exp2(y · log2 x): errors grow with y · log2 x, which stays below 12.
    ["pow", power, [[0.1, 4], [-3, 3]], relative(1e-5)],
    ["div", (x, y) => x / y, [[-100, 100], [0.01, 100]], ulps(2)],
  ]);
  return table.cases;
}

export function libm32Cases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  addUnary32(table, "f32", F32_UNARY);
  addBinary32(table, "f32", F32_BINARY);
  addElementwise(table, "f32_sincos", {
    inputs: (random, n) => [floatsFor(random, n, [-200, 200], true)] as const,
    output: (length) => new Float32Array(length),
    width: 2,
    of: ([values]) => (i) => [Math.sin(at(values, i)), Math.cos(at(values, i))],
    tolerance: ulps(2),
  });
  for (const [n, block] of [[1, 1], [300, 128]] as const) {
    table.add("f32_parts", `n=${n} block=${block}`, (random) => {
      const values = floatsFor(random, n, [-100, 100], true).map((x) => Number.isFinite(x) ? x : 3.75);
      const [out, exponents] = [new Float32Array(4 * n), new Int32Array(n)];
      const exponentOf = (x: number): number => {
        if (x === 0) return 0;
        const guess = Math.floor(Math.log2(Math.abs(x))) + 1;
        return Math.abs(x) / 2 ** guess >= 1 ? guess + 1 : Math.abs(x) / 2 ** guess < 0.5 ? guess - 1 : guess;
      };
      const partsOf = (x: number): number[] => {
        const whole = Math.trunc(x);
        // The fraction has the sign of the whole even if it is zero.
        const fraction = x === whole ? x * 0 : x - whole;
        return [x / 2 ** exponentOf(x), fraction, whole, x * 32];
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(values), buffer(out), buffer(exponents), i32(n)],
        expected: () => [
          exactly(out, Float32Array.from(Array.from(values).flatMap(partsOf))),
          exactly(exponents, Int32Array.from(values, exponentOf)),
        ],
      };
    });
  }
  return table.cases;
}

export function libm64Cases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [name, of, range, tolerance, isOpen] of F64_UNARY) {
    addElementwise(table, `f64_${name}`, {
      inputs: (random, n) => [doublesFor(random, n, range, isOpen ?? false)] as const,
      output: (length) => new Float64Array(length),
      width: 1,
      of: ([values]) => (i) => [of(at(values, i))],
      tolerance,
    });
  }
  for (const [name, of, [left, right], tolerance, isOpen] of F64_BINARY) {
    addElementwise(table, `f64_${name}`, {
      inputs: (random, n) =>
        [
          doublesFor(random, n, left, isOpen ?? false),
          doublesFor(random, n, right, isOpen ?? false).reverse(),
        ] as const,
      output: (length) => new Float64Array(length),
      width: 1,
      of: ([a, b]) => (i) => [of(at(a, i), at(b, i))],
      tolerance,
    });
  }
  for (const [rows, columns] of [[1, 1], [100, 70]] as const) {
    table.add("f64_kahan", `${rows}x${columns}`, (random) => {
      const [values, out] = [random.f64s(rows * columns), random.f64s(columns)];
      const sumOf = (column: number): number => {
        let [sum, lost] = [0, 0];
        for (let row = 0; row < rows; row++) {
          const y = at(values, row * columns + column) - lost;
          const t = sum + y;
          lost = (t - sum) - y;
          sum = t;
        }
        return sum;
      };
      return {
        grid: blocksFor(columns, 32),
        block: 32,
        args: [buffer(values), buffer(out), i32(rows), i32(columns)],
        expected: () => [exactly(out, out.map((_, column) => sumOf(column)))],
      };
    });
  }
  return table.cases;
}

export function fastMathCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const bound = relative(2e-5, 1e-6);
  addElementwise(table, "fast_unary", {
    inputs: (random, n) => [random.f32s(n, 0.01, 3)] as const,
    output: (length) => new Float32Array(length),
    width: 8,
    of: ([values]) => (i) => {
      const x = at(values, i);
      return [
        Math.exp(x),
        Math.log(x),
        Math.sin(x),
        Math.cos(x),
        Math.tanh(x),
        Math.sqrt(x),
        1 / x,
        1 / Math.sqrt(x),
      ];
    },
    // The hyperbolic tangent is good for 11 bits.
    tolerance: relative(2 ** -10.9, 2e-6),
  });
  addElementwise(table, "fast_binary", {
    inputs: (random, n) => [random.f32s(n, 0.1, 5), random.f32s(n, 0.5, 3)] as const,
    output: (length) => new Float32Array(length),
    width: 3,
    of: ([a, b]) => (i) => {
      const [x, y] = [at(a, i), at(b, i)];
      return [x / y, power(x, y), x / (1 + Math.exp(-y))];
    },
    tolerance: bound,
  });
  table.add("fast_normalise", "n=100", (random) => {
    const vectors = random.f32s(300);
    const lengthOf = (i: number): number => Math.hypot(...vectors.subarray(i - i % 3, i - i % 3 + 3));
    return {
      grid: 2,
      block: 64,
      args: [buffer(vectors), i32(100)],
      expected: () => [{ of: vectors, values: vectors.map((x, i) => x / lengthOf(i)), tolerance: bound }],
    };
  });
  return table.cases;
}

function addUnary32(table: CaseTable, prefix: string, functions: readonly Unary[]): void {
  for (const [name, of, range, tolerance, isOpen] of functions) {
    addElementwise(table, `${prefix}_${name}`, {
      inputs: (random, n) => [floatsFor(random, n, range, isOpen ?? false)] as const,
      output: (length) => new Float32Array(length),
      width: 1,
      of: ([values]) => (i) => [of(at(values, i))],
      tolerance,
    });
  }
}

function addBinary32(table: CaseTable, prefix: string, functions: readonly Binary[]): void {
  for (const [name, of, [left, right], tolerance, isOpen] of functions) {
    addElementwise(table, `${prefix}_${name}`, {
      inputs: (random, n) =>
        [
          floatsFor(random, n, left, isOpen ?? false),
          floatsFor(random, n, right, isOpen ?? false).reverse(),
        ] as const,
      output: (length) => new Float32Array(length),
      width: 1,
      of: ([a, b]) => (i) => [of(at(a, i), at(b, i))],
      tolerance,
    });
  }
}
