/** xxhash-wasm: written by hand in the text format, 64-bit values crossing as big integers. */
import xxhash from "xxhash-wasm";
import { sampleBytes, sampleText } from "../inputs.ts";

export async function run(): Promise<unknown> {
  const { h32, h64, h64ToString, h32Raw, h64Raw, create32, create64 } = await xxhash();
  const streamed = create64(5n);
  const small = create32(5);
  for (let index = 0; index < 80; index++) {
    streamed.update(sampleBytes(index * 13, index + 1));
    small.update(sampleBytes(index * 7, index + 1));
  }
  return {
    text: [0, 1, 10, 3_000].map((
      count,
    ) => [h32(sampleText(count)), h64(sampleText(count)), h64ToString(sampleText(count))]),
    raw: [0, 15, 16, 33, 200_000].map((
      length,
    ) => [h32Raw(sampleBytes(length), 3), h64Raw(sampleBytes(length), 3n)]),
    streamed: [streamed.digest(), small.digest()],
  };
}
