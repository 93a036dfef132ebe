/**
 * The case table: every PTX file of this folder with what its kernels must compute.
 *
 * Owns which references belong to which file, and that flavours of a file (sm_75, without optimisation, with
 * debug information) must compute the same. Invariant: a PTX file without references is an error of a test.
 */
import { FLAVOURS } from "./build.ts";
import { histogramCases } from "./references/histogram.ts";
import type { KernelCase } from "./references/kernel_case.ts";
import { mandelbrotCases } from "./references/mandelbrot.ts";
import { matmulCases } from "./references/matmul.ts";
import { nbodyCases } from "./references/nbody.ts";
import { reduceCases } from "./references/reduce.ts";
import { scanCases } from "./references/scan.ts";
import { softmaxCases } from "./references/softmax.ts";
import { sortCases } from "./references/sort.ts";
import { stencilCases } from "./references/stencil.ts";
import { transposeCases } from "./references/transpose.ts";
import { vectorCases } from "./references/vector.ts";
import { convertCases } from "./references/convert.ts";
import { integersCases } from "./references/integers.ts";
import { roundingCases } from "./references/rounding.ts";
import { approximateCases, fastMathCases, libm32Cases, libm64Cases } from "./references/functions.ts";
import { mmaCases, wmmaCases } from "./references/mma.ts";
import { atomicsCases } from "./references/atomics.ts";
import { tilesCases, warpCases } from "./references/warp.ts";
import { barriersCases } from "./references/barriers.ts";
import { controlCases } from "./references/control.ts";
import { memoryCases } from "./references/memory.ts";
import { gridCases, structsCases } from "./references/shapes.ts";
import { bfloatCases, halfCases } from "./references/halves.ts";
import { faultsCases, outputCases } from "./references/faults.ts";
import { networkCases } from "./references/network.ts";
import { graphsCases } from "./references/graphs.ts";
import { numbersCases } from "./references/numbers.ts";

export type { KernelCase } from "./references/kernel_case.ts";

/** By name of the .cu. */
const TABLES: Readonly<Record<string, (ptx: string) => KernelCase[]>> = {
  histogram: histogramCases,
  mandelbrot: mandelbrotCases,
  matmul: matmulCases,
  nbody: nbodyCases,
  reduce: reduceCases,
  scan: scanCases,
  softmax: softmaxCases,
  sort: sortCases,
  stencil: stencilCases,
  transpose: transposeCases,
  vector: vectorCases,
  convert: convertCases,
  integers: integersCases,
  rounding: roundingCases,
  approximate: approximateCases,
  fast_math: fastMathCases,
  libm32: libm32Cases,
  libm64: libm64Cases,
  mma: mmaCases,
  wmma: wmmaCases,
  atomics: atomicsCases,
  warp: warpCases,
  tiles: tilesCases,
  barriers: barriersCases,
  control: controlCases,
  memory: memoryCases,
  grid: gridCases,
  structs: structsCases,
  half: halfCases,
  bfloat: bfloatCases,
  faults: faultsCases,
  output: outputCases,
  network: networkCases,
  graphs: graphsCases,
  numbers: numbersCases,
};

/** Every case of a source, of one flavour: "" or ".o0" and so on. */
export function casesOf(name: string, suffix = ""): KernelCase[] {
  const table = TABLES[name];
  if (table === undefined) throw new RangeError(`No references of ${name}.cu`);
  return table(`${name}${suffix}.ptx`);
}

/** Every case of every flavour. */
export function allCases(): KernelCase[] {
  return Object.keys(TABLES).flatMap((name) =>
    FLAVOURS.filter(({ files }) => files === undefined || files.includes(name)).flatMap(({ suffix }) =>
      casesOf(name, suffix)
    )
  );
}

/** The text of a PTX file of this folder. */
export function readKernelPtx(file: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(file, import.meta.url));
}
