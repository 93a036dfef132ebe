/**
 * References of network.cu: layers of neural networks, in double precision.
 *
 * Owns the formulas. Invariant: bounds follow from the number of roundings and the errors of the functions; a
 * wrong term is far outside of them.
 */
import { fmaf } from "./arithmetic.ts";
import { addElementwise } from "./elementwise.ts";
import {
  at,
  blocksFor,
  buffer,
  CaseTable,
  exactly,
  f32,
  i32,
  type KernelCase,
  withinAbsolute,
  withinRelative,
} from "./kernel_case.ts";
import { erf } from "./special_functions.ts";

type Floats = Float32Array<ArrayBuffer>;

const GELU_SCALE = Math.sqrt(2 / Math.PI);

function activations(x: number): number[] {
  return [
    Math.max(x, 0),
    0.5 * x * (1 + Math.tanh(GELU_SCALE * (x + 0.044715 * x ** 3))),
    0.5 * x * (1 + erf(x / Math.SQRT2)),
    x / (1 + Math.exp(-x)),
    x > 0 ? x : 0.1 * x,
    Math.log1p(Math.exp(x)),
  ];
}

/** The derivative of the tanh form of gelu. */
function geluSlope(x: number): number {
  const inner = GELU_SCALE * (x + 0.044715 * x ** 3);
  const slope = GELU_SCALE * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + Math.tanh(inner)) + (0.5 * x * slope) / Math.cosh(inner) ** 2;
}

interface Convolution {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outputs: number;
  readonly stride: number;
}

function convolution(from: Floats, filters: Floats, bias: Floats, shape: Convolution): Floats {
  const { channels, height, width, outputs, stride } = shape;
  const [outWidth, outHeight] = [Math.ceil(width / stride), Math.ceil(height / stride)];
  return Float32Array.from({ length: outputs * outHeight * outWidth }, (_, i) => {
    const [x, y, o] = [
      i % outWidth,
      Math.floor(i / outWidth) % outHeight,
      Math.floor(i / (outWidth * outHeight)),
    ];
    let sum = at(bias, o);
    for (let tap = 0; tap < channels * 9; tap++) {
      const [ix, iy] = [x * stride + tap % 3 - 1, y * stride + Math.floor(tap / 3) % 3 - 1];
      if (ix < 0 || ix >= width || iy < 0 || iy >= height) continue;
      const value = at(from, (Math.floor(tap / 9) * height + iy) * width + ix);
      sum = fmaf(value, at(filters, o * channels * 9 + tap), sum);
    }
    return Math.max(sum, 0);
  });
}

function attention(q: Floats, k: Floats, v: Floats, tokens: number, size: number): Floats {
  const out = new Float32Array(tokens * size);
  for (let query = 0; query < tokens; query++) {
    const scores = Array.from({ length: query + 1 }, (_, key) => {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += at(q, query * size + i) * at(k, key * size + i);
      return dot / Math.sqrt(size);
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let i = 0; i < size; i++) {
      const sum = weights.reduce((mixed, weight, key) => mixed + weight * at(v, key * size + i), 0);
      out[query * size + i] = sum / total;
    }
  }
  return out;
}

export function networkCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  addElementwise(table, "activations", {
    inputs: (random, n) => [random.f32s(n, -6, 6)] as const,
    output: (length) => new Float32Array(length),
    width: 6,
    of: ([values]) => (i) => activations(at(values, i)),
    // 1 + tanh and 1 + erf lose digits where they are near zero.
    tolerance: { kind: "relative", bound: 2e-6, floor: 1e-6 },
  });
  for (const [n, block] of [[1, 1], [500, 128]] as const) {
    const grid = blocksFor(n, block);
    table.add("gelu_backward", `n=${n} block=${block}`, (random) => {
      const [from, gradient, to] = [random.f32s(n, -5, 5), random.f32s(n), random.f32s(n)];
      return {
        grid,
        block,
        args: [buffer(from), buffer(gradient), buffer(to), i32(n)],
        expected: () => [withinAbsolute(
          to,
          to.map((_, i) => at(gradient, i) * geluSlope(at(from, i))),
          3e-6,
        )],
      };
    });
    table.add("adamw", `n=${n} block=${block}`, (random) => {
      const [weights, gradients, m, v] = [
        random.f32s(n),
        random.f32s(n),
        random.f32s(n),
        random.f32s(n, 0, 1),
      ];
      const numbers = [0.001, 0.9, 0.999, 0.19, 0.001999, 1e-8, 0.01].map(Math.fround);
      const [rate = 0, beta1 = 0, beta2 = 0, correction1 = 1, correction2 = 1, epsilon = 0, decay = 0] =
        numbers;
      const means = m.map((old, i) => beta1 * old + (1 - beta1) * at(gradients, i));
      const squares = v.map((old, i) => beta2 * old + (1 - beta2) * at(gradients, i) ** 2);
      const step = (weight: number, i: number): number => {
        const change = at(means, i) / correction1 / (Math.sqrt(at(squares, i) / correction2) + epsilon);
        return weight - rate * (change + decay * weight);
      };
      return {
        grid,
        block,
        args: [...[weights, gradients, m, v].map((data) => buffer(data)), i32(n), ...numbers.map(f32)],
        expected: () => [
          withinAbsolute(weights, weights.map(step), 1e-6),
          withinRelative(m, means, 1e-6, 1e-7),
          withinRelative(v, squares, 1e-6, 1e-7),
        ],
      };
    });
  }
  for (const shape of [[1, 1, 1, 1, 1], [3, 9, 14, 4, 1], [2, 11, 8, 3, 2]] as const) {
    const [channels, height, width, outputs, stride] = shape;
    table.add("conv2d", shape.join("x"), (random) => {
      const [from, filters] = [random.f32s(channels * height * width), random.f32s(outputs * channels * 9)];
      const bias = random.f32s(outputs);
      const [outWidth, outHeight] = [Math.ceil(width / stride), Math.ceil(height / stride)];
      const to = random.f32s(outputs * outHeight * outWidth);
      return {
        grid: [blocksFor(outWidth, 8), blocksFor(outHeight, 4), outputs],
        block: [8, 4],
        args: [
          ...[from, filters, bias, to].map((data) => buffer(data)),
          ...[channels, height, width, outputs, stride].map(i32),
        ],
        expected: () => [
          exactly(to, convolution(from, filters, bias, { channels, height, width, outputs, stride })),
        ],
      };
    });
  }
  table.add("max_pool", "3 channels 10x15", (random) => {
    const [from, to, where] = [random.f32s(450), random.f32s(105), random.i32s(105)];
    const bestOf = (i: number): number => {
      const [x, y, c] = [i % 7, Math.floor(i / 7) % 5, Math.floor(i / 35)];
      const places = [0, 1, 2, 3].map((k) => (c * 10 + 2 * y + (k >> 1)) * 15 + 2 * x + k % 2);
      return places.reduce((best, place) => at(from, place) > at(from, best) ? place : best);
    };
    return {
      grid: [1, 2, 3],
      block: [8, 4],
      args: [buffer(from), buffer(to), buffer(where), i32(10), i32(15)],
      expected: () => [
        exactly(to, to.map((_, i) => at(from, bestOf(i)))),
        exactly(where, where.map((_, i) => bestOf(i))),
      ],
    };
  });
  for (const [tokens, size] of [[1, 8], [40, 24], [70, 32]] as const) {
    const three = [0, 1, 2] as const;
    table.add("attention", `${tokens} tokens of ${size}`, (random) => {
      const [q, k, v] = three.map(() => random.f32s(tokens * size));
      const to = random.f32s(tokens * size);
      if (q === undefined || k === undefined || v === undefined) throw new RangeError("three inputs");
      return {
        grid: tokens,
        block: 64,
        sharedBytes: 4 * tokens,
        args: [...[q, k, v, to].map((data) => buffer(data)), i32(tokens), i32(size)],
        expected: () => [withinAbsolute(to, attention(q, k, v, tokens, size), 4e-6)],
      };
    });
    if (size !== 32) continue;
    table.add("attention_online", `${tokens} tokens`, (random) => {
      const [q, k, v] = three.map(() => random.f32s(tokens * size));
      const to = random.f32s(tokens * size);
      if (q === undefined || k === undefined || v === undefined) throw new RangeError("three inputs");
      return {
        grid: blocksFor(tokens, 4),
        block: 128,
        args: [...[q, k, v, to].map((data) => buffer(data)), i32(tokens)],
        expected: () => [withinAbsolute(to, attention(q, k, v, tokens, size), 4e-6)],
      };
    });
  }
  for (const [rows, classes] of [[1, 2], [9, 50]] as const) {
    table.add("cross_entropy", `${rows}x${classes}`, (random) => {
      const [logits, targets] = [random.f32s(rows * classes, -5, 5), random.i32s(rows, 0, classes)];
      const [losses, gradient] = [random.f32s(rows), random.f32s(rows * classes)];
      const sumOf = (row: number): number =>
        logits.subarray(row * classes, (row + 1) * classes).reduce((sum, x) => sum + Math.exp(x), 0);
      const lossOf = (row: number): number =>
        Math.log(sumOf(row)) - at(logits, row * classes + at(targets, row));
      const slopeOf = (i: number): number => {
        const row = Math.floor(i / classes);
        return Math.exp(at(logits, i)) / sumOf(row) - (i % classes === at(targets, row) ? 1 : 0);
      };
      return {
        grid: blocksFor(rows, 2),
        block: 64,
        args: [...[logits, targets, losses, gradient].map((data) => buffer(data)), i32(rows), i32(classes)],
        expected: () => [
          withinAbsolute(losses, losses.map((_, row) => lossOf(row)), 4e-6),
          withinAbsolute(gradient, gradient.map((_, i) => slopeOf(i)), 1e-6),
        ],
      };
    });
  }
  return table.cases;
}
