/**
 * The texts that PTX mutants are made of: kernels of the tests, and generated ones.
 *
 * Owns the choice. Invariant: the same options give the same list.
 */
import { generateKernel } from "../gpu/ptx/generate/kernel.ts";

const KERNELS = new URL("../gpu/kernels/", import.meta.url);

/** Texts up to a size, and so many generated ones. */
export function readPtxSeeds(bytesMax: number, generated: number): string[] {
  const names = [...Deno.readDirSync(KERNELS)].map(({ name }) => name).filter((name) =>
    name.endsWith(".ptx")
  );
  const texts = names.toSorted().map((name) => Deno.readTextFileSync(new URL(name, KERNELS)));
  return [
    ...texts.filter(({ length }) => length <= bytesMax),
    ...Array.from({ length: generated }, (_, seed) => generateKernel(seed).ptx),
  ];
}
