/**
 * Argument records for tests, as a guest would write them.
 *
 * Owns the encoding alone, from the numbers of the contract and not from the product's table. Invariant: a
 * record is the tag byte and the value in little endian, without padding.
 */

/** One record. */
export type ArgRecord = readonly number[];

function record(tag: number, bytes: number, write: (view: DataView) => void): ArgRecord {
  const value = new DataView(new ArrayBuffer(bytes));
  write(value);
  return [tag, ...new Uint8Array(value.buffer)];
}

/** Records by the names of their tags. */
export const ARG = {
  i32: (value: number): ArgRecord => record(1, 4, (view) => view.setInt32(0, value, true)),
  i64: (value: bigint): ArgRecord => record(2, 8, (view) => view.setBigInt64(0, value, true)),
  f32: (value: number): ArgRecord => record(3, 4, (view) => view.setFloat32(0, value, true)),
  f64: (value: number): ArgRecord => record(4, 8, (view) => view.setFloat64(0, value, true)),
  u32: (value: number): ArgRecord => record(5, 4, (view) => view.setUint32(0, value, true)),
  u64: (value: bigint): ArgRecord => record(6, 8, (view) => view.setBigUint64(0, value, true)),
  inOut: (offset: number, length: number): ArgRecord => window(7, offset, length),
  in: (offset: number, length: number): ArgRecord => window(8, offset, length),
  out: (offset: number, length: number): ArgRecord => window(9, offset, length),
  buffer: (handle: bigint, offset = 0n): ArgRecord =>
    record(10, 16, (view) => {
      view.setBigUint64(0, handle, true);
      view.setBigUint64(8, offset, true);
    }),
} as const;

function window(tag: number, offset: number, length: number): ArgRecord {
  return record(tag, 8, (view) => {
    view.setUint32(0, offset, true);
    view.setUint32(4, length, true);
  });
}

/** The bytes of some records. */
export function encodeArgs(...records: readonly ArgRecord[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(records.flat());
}
