/**
 * Access to a guest's memory for WASI: checked views, scalars and scatter/gather lists.
 *
 * Owns the refusal of every range that is not wholly inside the memory as it is now. It keeps no view:
 * each call looks the memory up again. Invariant: no guest code runs between the making of a view and its
 * last use, so a view can never outlive the buffer it belongs to.
 */
import { guestBytes } from "../../guest_context.ts";
import type { GuestContext } from "../../guest_context.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";

/** Most elements of a scatter/gather list: IOV_MAX of Linux and of wasi-libc. */
export const BUFFERS_COUNT_MAX = 1024;
/** Most bytes of one read or write: what fits the signed size that C programs get back. */
const TRANSFER_BYTES_MAX = 0x7fff_ffff;
/** Bytes of one `$iovec` or `$ciovec`: a pointer and a length, both u32. */
const BUFFER_RECORD_BYTES = 8;

/** The bytes at `[pointer, pointer + length)`; refuses with `fault` when they are not all inside the memory. */
export function bytesAt(context: GuestContext, pointer: number, length: number): Uint8Array {
  const bytes = guestBytes(context, pointer, length);
  if (bytes === undefined) throw new WasiRefusal(ERRNO.fault);
  return bytes;
}

/** The same range as a DataView, for fields; everything in the ABI is little-endian. */
export function viewAt(context: GuestContext, pointer: number, length: number): DataView {
  const bytes = bytesAt(context, pointer, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The buffers of one read or write, with the sum of their lengths. */
export interface GuestBuffers {
  readonly parts: readonly Uint8Array[];
  readonly totalBytes: number;
}

/**
 * The buffers that an `$iovec_array` names; empty ones are left out. Refuses with `inval` for more than
 * BUFFERS_COUNT_MAX elements or TRANSFER_BYTES_MAX bytes, with `fault` if the list or any buffer is not inside
 * the memory. Buffers may overlap each other: the sum can exceed the memory.
 */
export function buffersAt(context: GuestContext, pointer: number, count: number): GuestBuffers {
  const countUnsigned = count >>> 0;
  if (countUnsigned > BUFFERS_COUNT_MAX) throw new WasiRefusal(ERRNO.inval);
  const list = viewAt(context, pointer, countUnsigned * BUFFER_RECORD_BYTES);
  const parts: Uint8Array[] = [];
  let totalBytes = 0;
  for (let offset = 0; offset < list.byteLength; offset += BUFFER_RECORD_BYTES) {
    const part = bytesAt(context, list.getUint32(offset, true), list.getUint32(offset + 4, true));
    if (part.length === 0) continue;
    parts.push(part);
    totalBytes += part.length;
  }
  if (totalBytes > TRANSFER_BYTES_MAX) throw new WasiRefusal(ERRNO.inval);
  return { parts, totalBytes };
}

/** An i64 of the ABI read as unsigned. */
export function toUnsigned(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
