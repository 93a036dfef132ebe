/** @chainsafe/as-sha256: compiled by AssemblyScript, with SIMD and a start function. */
import * as sha256 from "@chainsafe/as-sha256";
import { sampleBytes } from "../inputs.ts";

export function run(): Promise<unknown> {
  const hash = new sha256.SHA256();
  hash.init();
  for (let index = 0; index < 50; index++) hash.update(sampleBytes(index * 37, index + 1));
  const four = [1, 2, 3, 4].map((seed) => sampleBytes(64, seed));
  return Promise.resolve({
    simd: sha256.simdEnabled,
    digests: [0, 1, 55, 56, 64, 1_000, 65_536].map((length) => sha256.digest(sampleBytes(length))),
    fixed: [sha256.digest64(sampleBytes(64)), sha256.digest2Bytes32(sampleBytes(32), sampleBytes(32, 2))],
    streamed: hash.final(),
    four: sha256.batchHash4UintArray64s(four),
  });
}
