/**
 * Buffers: device memory that a guest asked for by itself.
 *
 * Owns their handles and the checks of places in them. Invariant: no address outside of a buffer of this
 * instance comes out of a handle and an offset, though one past the end may, as in C.
 */
import type { Copied } from "./copier.ts";
import { HandleTable } from "./handles.ts";
import { GpuRefusal, overLimit } from "./refusal.ts";
import type { SessionParts } from "./session_parts.ts";

interface Buffer {
  readonly pointer: bigint;
  readonly byteLength: number;
}

/** The buffers of one session. */
export class Buffers {
  readonly #parts: SessionParts;
  readonly #buffers = new HandleTable<Buffer>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** @throws GpuRefusal invalidArgs, quotaExceeded, GpuError */
  allocate(bytes: bigint): bigint {
    if (bytes <= 0n) throw new GpuRefusal("invalidArgs", `A buffer has at least one byte, got ${bytes}`);
    const { gpuAllocationBytesMax } = this.#parts.limits;
    if (bytes > BigInt(gpuAllocationBytesMax)) {
      throw overLimit("Buffer is too large", "gpuAllocationBytesMax", gpuAllocationBytesMax, Number(bytes));
    }
    const byteLength = Number(bytes);
    return this.#buffers.add({ pointer: this.#parts.device.allocate(byteLength), byteLength });
  }

  /** Once everything that was launched is done. */
  free(handle: bigint): void {
    const { pointer } = this.#get("Buffer", handle);
    this.#buffers.remove(handle);
    this.#parts.device.free(pointer);
  }

  /** @throws GpuRefusal invalidHandle if there is no such buffer */
  check(handle: bigint): void {
    this.#get("Buffer", handle);
  }

  /** The address of a place: of an argument, so its length is the kernel's business. */
  find(what: string, handle: bigint, offset: bigint): bigint {
    return this.#place(what, handle, offset, 0);
  }

  toDevice(handle: bigint, offset: bigint, source: number, length: number): Copied {
    const size = length >>> 0;
    const target = this.#place("Target", handle, offset, size);
    this.#parts.memory.check("Source", source, length);
    return this.#parts.copier.toDevice(target, source >>> 0, size, undefined);
  }

  toGuest(target: number, handle: bigint, offset: bigint, length: number): Copied {
    const size = length >>> 0;
    this.#parts.memory.check("Target", target, length);
    const source = this.#place("Source", handle, offset, size);
    return this.#parts.copier.toGuest(target >>> 0, source, size, undefined);
  }

  #get(what: string, handle: bigint): Buffer {
    const buffer = this.#buffers.get(handle);
    if (buffer === undefined) {
      throw new GpuRefusal("invalidHandle", `${what}: no buffer has the handle ${handle}`);
    }
    return buffer;
  }

  #place(what: string, handle: bigint, offset: bigint, length: number): bigint {
    const { pointer, byteLength } = this.#get(what, handle);
    if (offset < 0n || offset + BigInt(length) > BigInt(byteLength)) {
      const range = `${length} bytes at ${BigInt.asUintN(64, offset)}`;
      throw new GpuRefusal("invalidPointer", `${what}: ${range} exceed the buffer of ${byteLength} bytes`);
    }
    return offset === 0n ? pointer : pointer + offset;
  }
}
