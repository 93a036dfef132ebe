/**
 * References of stencil.cu: sums of neighbours, and the game of life.
 *
 * Owns what lies beyond an edge. Invariant: additions are in the order that the source states.
 */
import { fmaf } from "./arithmetic.ts";
import { at, blocksFor, buffer, CaseTable, exactly, f32, i32, type KernelCase } from "./kernel_case.ts";

type Floats = Float32Array<ArrayBuffer>;
const RADIUS = 3;
const { fround } = Math;

function heatStep(from: Floats, width: number, height: number, rate: number): Floats {
  return from.map((centre, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return centre;
    const sides = fround(at(from, i - 1) + at(from, i + 1));
    const sum = fround(sides + fround(at(from, i - width) + at(from, i + width)));
    return fmaf(rate, fmaf(-4, centre, sum), centre);
  });
}

function laplace(from: Floats, [nx, ny, nz]: readonly [number, number, number]): Floats {
  return from.map((centre, i) => {
    const [x, y, z] = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
    let sum = fround(-6 * centre);
    const add = (isInside: boolean, neighbour: number): void => {
      if (isInside) sum = fround(sum + at(from, neighbour));
    };
    add(x > 0, i - 1);
    add(x < nx - 1, i + 1);
    add(y > 0, i - nx);
    add(y < ny - 1, i + nx);
    add(z > 0, i - nx * ny);
    add(z < nz - 1, i + nx * ny);
    return sum;
  });
}

function nextGeneration(
  cells: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
): Uint8Array<ArrayBuffer> {
  return cells.map((cell, i) => {
    let alive = -cell;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        const [x, y] = [(i % width + dx + width) % width, (Math.floor(i / width) + dy + height) % height];
        alive += at(cells, y * width + x);
      }
    }
    return alive === 3 || (alive === 2 && cell === 1) ? 1 : 0;
  });
}

export function stencilCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const n of [1, 0, 256, 1000, 5]) {
    table.add("stencil1d", `n=${n}`, (random) => {
      const [from, to] = [random.f32s(n), random.f32s(n)];
      const sumAt = (i: number): number => {
        let sum = 0;
        for (let offset = -RADIUS; offset <= RADIUS; offset++) sum = fround(sum + (from[i + offset] ?? 0));
        return sum;
      };
      return {
        grid: blocksFor(n, 256),
        block: 256,
        args: [buffer(from), buffer(to), i32(n)],
        expected: () => [exactly(to, to.map((_, i) => sumAt(i)))],
      };
    });
  }
  for (
    const [width, height, block] of [[1, 1, [1, 1]], [50, 37, [16, 16]], [70, 3, [32, 4]], [33, 65, [
      8,
      8,
    ]]] as const
  ) {
    const shape = `${width}x${height} block=${block.join("x")}`;
    table.add("heat2d", shape, (random) => {
      const [from, to] = [random.f32s(width * height), random.f32s(width * height)];
      const rate = fround(0.1);
      return {
        grid: [blocksFor(width, block[0]), blocksFor(height, block[1])],
        block,
        args: [buffer(from), buffer(to), i32(width), i32(height), f32(rate)],
        expected: () => [exactly(to, heatStep(from, width, height, rate))],
      };
    });
    table.add("game_of_life", `${width}x${height}`, (random) => {
      const [from, to] = [random.u8s(width * height, 2), random.u8s(width * height)];
      return {
        grid: [blocksFor(width, 16), blocksFor(height, 16)],
        block: [16, 16],
        args: [buffer(from), buffer(to), i32(width), i32(height)],
        expected: () => [exactly(to, nextGeneration(from, width, height))],
      };
    });
  }
  for (
    const [size, block] of [[[1, 1, 1], [1, 1, 1]], [[9, 10, 11], [4, 4, 4]], [[33, 5, 2], [
      32,
      1,
      2,
    ]]] as const
  ) {
    table.add("laplace3d", `${size.join("x")} block=${block.join("x")}`, (random) => {
      const [nx, ny, nz] = size;
      const [from, to] = [random.f32s(nx * ny * nz), random.f32s(nx * ny * nz)];
      return {
        grid: [blocksFor(nx, block[0]), blocksFor(ny, block[1]), blocksFor(nz, block[2])],
        block,
        args: [buffer(from), buffer(to), i32(nx), i32(ny), i32(nz)],
        expected: () => [exactly(to, laplace(from, size))],
      };
    });
  }
  return table.cases;
}
