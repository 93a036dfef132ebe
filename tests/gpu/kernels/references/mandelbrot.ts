/**
 * References of mandelbrot.cu: escape times and colours.
 *
 * Owns the iteration in the precision asked for. Invariant: operations are those of the source, rounded once
 * each, so that counts are the same to the last.
 */
import { fma, fmaf } from "./arithmetic.ts";
import { blocksFor, buffer, CaseTable, exactly, f32, f64, i32, type KernelCase } from "./kernel_case.ts";

/** How one precision rounds. */
interface Precision {
  readonly round: (value: number) => number;
  readonly fma: (a: number, b: number, c: number) => number;
}

const SINGLE: Precision = { round: Math.fround, fma: fmaf };
const DOUBLE: Precision = { round: (value) => value, fma };

interface View {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly step: number;
  readonly limit: number;
}

/** Iterations of z² + c from a start until |z| > 2. */
function escapeTime(
  precision: Precision,
  start: readonly [number, number],
  c: readonly [number, number],
  limit: number,
): number {
  const { round, fma } = precision;
  let [x, y] = start;
  for (let count = 0; count < limit; count++) {
    const [xx, yy] = [round(x * x), round(y * y)];
    if (round(xx + yy) > 4) return count;
    [x, y] = [round(round(xx - yy) + c[0]), fma(round(x + x), y, c[1])];
  }
  return limit;
}

function mandelbrotCounts(precision: Precision, view: View): Int32Array<ArrayBuffer> {
  const { width, height, left, top, step, limit } = view;
  return Int32Array.from({ length: width * height }, (_, i) => {
    const c = [
      precision.fma(i % width, step, left),
      precision.fma(Math.floor(i / width), step, top),
    ] as const;
    return escapeTime(precision, [0, 0], c, limit);
  });
}

function viewArgs(view: View, float: typeof f32): KernelCase["args"] {
  const { width, height, left, top, step, limit } = view;
  return [i32(width), i32(height), float(left), float(top), float(step), i32(limit)];
}

export function mandelbrotCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (
    const [width, height, block, limit] of [[1, 1, [1, 1], 10], [93, 70, [16, 16], 100], [
      40,
      20,
      [32, 32],
      300,
    ], [30, 9, [7, 3], 0]] as const
  ) {
    const shape = `${width}x${height} block=${block.join("x")} limit=${limit}`;
    const grid = [blocksFor(width, block[0]), blocksFor(height, block[1])];
    table.add("mandelbrot", shape, (random) => {
      const view: View = {
        width,
        height,
        left: -2,
        top: Math.fround(-1.2),
        step: Math.fround(2.6 / width),
        limit,
      };
      const out = random.i32s(width * height);
      return {
        grid,
        block,
        args: [buffer(out), ...viewArgs(view, f32)],
        expected: () => [exactly(out, mandelbrotCounts(SINGLE, view))],
      };
    });
    table.add("julia", shape, (random) => {
      const out = random.u8s(width * height);
      const [cx, cy, step] = [Math.fround(-0.8), Math.fround(0.156), Math.fround(3 / width)];
      const times = Math.max(1, Math.min(limit, 250));
      const centred = (i: number, extent: number): number => Math.fround((i - Math.trunc(extent / 2)) * step);
      const values = (): Uint8Array<ArrayBuffer> =>
        out.map((_, i) =>
          escapeTime(
            SINGLE,
            [centred(i % width, width), centred(Math.floor(i / width), height)],
            [cx, cy],
            times,
          )
        );
      return {
        grid,
        block,
        args: [buffer(out), i32(width), i32(height), f32(cx), f32(cy), f32(step), i32(times)],
        expected: () => [exactly(out, values())],
      };
    });
  }
  table.add("mandelbrot_f64", "31x17 limit=60", (random) => {
    const view: View = { width: 31, height: 17, left: -0.75, top: 0.09, step: 0.001, limit: 60 };
    const out = random.i32s(31 * 17);
    return {
      grid: [2, 2],
      block: [16, 16],
      args: [buffer(out), ...viewArgs(view, f64)],
      expected: () => [exactly(out, mandelbrotCounts(DOUBLE, view))],
    };
  });
  for (const [n, block] of [[1, 1], [1000, 256]] as const) {
    table.add("colour", `n=${n} block=${block}`, (random) => {
      const [counts, pixels] = [random.i32s(n, 0, 101), random.u8s(3 * n)];
      const values = (): Uint8Array<ArrayBuffer> =>
        Uint8Array.from(
          Array.from(counts).flatMap((count) =>
            count < 100 ? [count * 9 % 256, count * 5 % 256, 128 + count * 3 % 128] : [0, 0, 0]
          ),
        );
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(counts), buffer(pixels), i32(n), i32(100)],
        expected: () => [exactly(pixels, values())],
      };
    });
  }
  return table.cases;
}
