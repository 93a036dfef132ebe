/**
 * Views: one piece of memory seen as every type of number.
 *
 * Owns nothing but the views; whoever reads through one has checked bounds and alignment. Invariant: the piece
 * starts at a multiple of 8 bytes, and the host is little-endian as PTX is.
 */
export interface Views {
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
}

/** Views of `bytes`, whose start must be aligned to 8 bytes. A rest of fewer than 8 is seen by narrow views. */
export function viewsOf(bytes: Uint8Array): Views {
  const { buffer, byteOffset, length } = bytes;
  const count = (size: number): number => Math.floor(length / size);
  return {
    u8: bytes,
    i8: new Int8Array(buffer, byteOffset, length),
    u16: new Uint16Array(buffer, byteOffset, count(2)),
    i16: new Int16Array(buffer, byteOffset, count(2)),
    u32: new Uint32Array(buffer, byteOffset, count(4)),
    i32: new Int32Array(buffer, byteOffset, count(4)),
    f32: new Float32Array(buffer, byteOffset, count(4)),
    f64: new Float64Array(buffer, byteOffset, count(8)),
    u64: new BigUint64Array(buffer, byteOffset, count(8)),
    i64: new BigInt64Array(buffer, byteOffset, count(8)),
  };
}
