/**
 * The modules that fuzzing starts from: the built guests, and generated ones.
 *
 * Owns the choice and the bound on size. Invariant: always the same modules in the same order.
 */
import { makeModule } from "../runtime/wasm/generate/module.ts";

const GUESTS = new URL("../guests/build/", import.meta.url);
const GENERATED_COUNT = 60;

/** Which seeds. */
export interface SeedOptions {
  /** Largest one. */
  readonly bytesMax: number;
  /** Whether the hostile guests are among them: some exhaust the heap when they are run. */
  readonly withHostile: boolean;
}

/** All seeds. */
export function readSeeds({ bytesMax, withHostile }: SeedOptions): Uint8Array<ArrayBuffer>[] {
  const names = [...Deno.readDirSync(GUESTS)].map((entry) => entry.name).filter((name) =>
    name.endsWith(".wasm") && (withHostile || !name.startsWith("hostile_"))
  );
  const guests = names.toSorted().map((name) => Deno.readFileSync(new URL(name, GUESTS)));
  const generated = Array.from({ length: GENERATED_COUNT }, (_, seed) => {
    return makeModule(seed, { length: 100 * seed, endless: seed % 3 === 0 }).bytes;
  });
  return [...guests, ...generated].filter((bytes) => bytes.length <= bytesMax);
}
