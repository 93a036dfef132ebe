/**
 * Padded modules: a real module of any size, by a custom section that nobody reads.
 */
import { makeRandom } from "../runtime/store/random.ts";

/** Section id, its size in five bytes of LEB128, and an empty name. */
const HEAD_BYTES = 7;

/** `module` with a custom section behind it, `bytesCount` bytes in all; `seed` decides on what is in it. */
export function padModule(
  module: Uint8Array<ArrayBuffer>,
  bytesCount: number,
  seed = 0,
): Uint8Array<ArrayBuffer> {
  const paddingBytes = bytesCount - module.length - HEAD_BYTES;
  if (paddingBytes < 0) throw new Error(`${bytesCount} bytes are too few for this module`);
  const padded = new Uint8Array(bytesCount);
  padded.set(module);
  const size = paddingBytes + 1;
  for (let index = 0; index < 5; index++) {
    padded[module.length + 1 + index] = ((size >>> (7 * index)) & 0x7f) | (index < 4 ? 0x80 : 0);
  }
  const random = makeRandom(seed);
  for (let offset = module.length + HEAD_BYTES; offset < bytesCount; offset++) {
    padded[offset] = random() * 256;
  }
  return padded;
}
