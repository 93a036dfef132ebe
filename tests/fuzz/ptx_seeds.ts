/**
 * The texts that PTX mutants are made of: kernels of the tests, and generated ones.
 *
 * Owns the choice. Invariant: the same options give the same list.
 */
import { generateKernel } from "../gpu/ptx/generate/kernel.ts";

const KERNELS = new URL("../gpu/kernels/", import.meta.url);

/** Each kernel of a module with what stands before the first one. */
function kernelsOf(text: string): string[] {
  const starts = [...text.matchAll(/^\.visible \.entry/gm)].map(({ index }) => index);
  const head = text.slice(0, starts[0]).replaceAll(/^\/\/.*\n|^\s*\n/gm, "");
  return starts.map((start, index) => head + text.slice(start, starts[index + 1]));
}

/** Kernels up to a size, and so many generated ones. */
export function readPtxSeeds(bytesMax: number, generated: number): string[] {
  const names = [...Deno.readDirSync(KERNELS)].map(({ name }) => name).filter((name) =>
    name.endsWith(".ptx")
  );
  const texts = names.toSorted().flatMap((name) => kernelsOf(Deno.readTextFileSync(new URL(name, KERNELS))));
  return [
    ...texts.filter(({ length }) => length <= bytesMax),
    ...Array.from({ length: generated }, (_, seed) => generateKernel(seed).ptx),
  ];
}
