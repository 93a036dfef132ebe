/**
 * Hand-made WebAssembly modules for tests: the few encoders that it takes to write one byte by byte.
 *
 * Owns encoding only and checks nothing, so that tests can also write what is malformed. Invariant: integers are
 * encoded in the fewest bytes.
 */

/** Unsigned LEB128. */
export function u(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return bytes;
}

/** A vector: the number of items, then the items. */
export function vec(...items: readonly (readonly number[])[]): number[] {
  return [...u(items.length), ...items.flat()];
}

/** A name: its length in bytes, then its UTF-8. */
export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...u(bytes.length), ...bytes];
}

/** A section with its size. */
export function section(id: number, ...content: readonly (readonly number[])[]): number[] {
  const bytes = content.flat();
  return [id, ...u(bytes.length), ...bytes];
}

/** A core module of version 1 made of sections. */
export function moduleOf(...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
}

/** Value types by name. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;

/** A function type. */
export function func(params: readonly number[] = [], results: readonly number[] = []): number[] {
  return [0x60, ...u(params.length), ...params, ...u(results.length), ...results];
}
