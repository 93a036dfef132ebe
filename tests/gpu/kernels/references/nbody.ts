/**
 * References of nbody.cu: gravity in single precision, operation by operation.
 *
 * Owns the pull of one body on another as the source writes it. Invariant: every operation is rounded once.
 */
import { fmaf } from "./arithmetic.ts";
import { at, blocksFor, buffer, CaseTable, exactly, f32, i32, type KernelCase } from "./kernel_case.ts";

type Floats = Float32Array<ArrayBuffer>;
const SOFTENING = Math.fround(1e-3);

function accelerationOf(bodies: Floats, i: number): number[] {
  const sum = [0, 0, 0, 0];
  for (let j = 0; j < bodies.length; j += 4) {
    const [dx, dy, dz] = [0, 1, 2].map((axis) =>
      Math.fround(at(bodies, j + axis) - at(bodies, 4 * i + axis))
    );
    if (dx === undefined || dy === undefined || dz === undefined) throw new RangeError("three axes");
    const square = fmaf(dz, dz, fmaf(dy, dy, fmaf(dx, dx, SOFTENING)));
    const cube = Math.fround(square * Math.fround(Math.sqrt(square)));
    const force = Math.fround(at(bodies, j + 3) / cube);
    for (const [axis, distance] of [dx, dy, dz].entries()) sum[axis] = fmaf(force, distance, at(sum, axis));
  }
  return sum;
}

function accelerations(bodies: Floats): Floats {
  return Float32Array.from({ length: bodies.length / 4 }, (_, i) => i).reduce((out, i) => {
    out.set(accelerationOf(bodies, i), 4 * i);
    return out;
  }, new Float32Array(bodies.length));
}

export function nbodyCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 1], [100, 32], [0, 32], [257, 128], [64, 1024]] as const) {
    for (const kernel of ["nbody_naive", "nbody_tiled"]) {
      table.add(kernel, `n=${n} block=${block}`, (random) => {
        const [bodies, out] = [random.f32s(4 * n, 0.1, 1), random.f32s(4 * n)];
        return {
          grid: blocksFor(n, block),
          block,
          sharedBytes: kernel === "nbody_tiled" ? 16 * block : 0,
          args: [buffer(bodies), buffer(out), i32(n)],
          expected: () => [exactly(out, accelerations(bodies))],
        };
      });
    }
    table.add("nbody_step", `n=${n} block=${block}`, (random) => {
      const [bodies, speeds, changes] = [random.f32s(4 * n), random.f32s(4 * n), random.f32s(4 * n)];
      const dt = Math.fround(0.01);
      const newSpeeds = speeds.map((speed, i) => i % 4 === 3 ? speed : fmaf(at(changes, i), dt, speed));
      const newBodies = bodies.map((place, i) => i % 4 === 3 ? place : fmaf(at(newSpeeds, i), dt, place));
      return {
        grid: blocksFor(n, block),
        block,
        args: [buffer(bodies), buffer(speeds), buffer(changes), f32(dt), i32(n)],
        expected: () => [exactly(bodies, newBodies), exactly(speeds, newSpeeds)],
      };
    });
  }
  return table.cases;
}
