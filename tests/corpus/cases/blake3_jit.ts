/** blake3-jit: a module with SIMD that the package writes itself at run time. */
import { createDeriveKey, createKeyed, hash, Hasher } from "blake3-jit";
import { sampleBytes } from "../inputs.ts";

export function run(): Promise<unknown> {
  const key = sampleBytes(32, 9);
  const hasher = new Hasher();
  for (let index = 0; index < 60; index++) hasher.update(sampleBytes(index * 101, index + 1));
  return Promise.resolve({
    hashes: [0, 1, 1_024, 1_025, 5_000, 100_000].map((length) => hash(sampleBytes(length))),
    streamed: hasher.finalize(),
    keyed: createKeyed(key).update(sampleBytes(70_000)).finalize(),
    derived: createDeriveKey("context").update(key).finalize(),
  });
}
