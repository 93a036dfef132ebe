/**
 * DeviceMemory: the memory of one context, and what is allocated in it.
 *
 * Owns a WebAssembly memory with 64-bit addresses and a first-fit allocator over it. It grows when nothing fits,
 * and never shrinks. Offsets are places in the memory; device addresses count from DEVICE_BASE. Invariants:
 * allocations do not overlap; what a tenant is handed is zero; nothing of another context can be reached.
 */
import { DEVICE_BASE } from "../ptx/kernel_interface.ts";
import { GpuError } from "../gpu_error.ts";

const PAGE_BYTES = 65_536;
/** Alignment of every allocation, that of cuMemAlloc. */
const ALIGNMENT = 256;

/** TypeScript's library does not know memories with 64-bit addresses yet. */
interface Memory64Descriptor {
  readonly address: "i64";
  readonly initial: bigint;
  readonly maximum: bigint;
  readonly shared: boolean;
}
interface Memory64 {
  readonly buffer: ArrayBuffer;
  grow(pages: bigint): bigint;
}
const MemoryConstructor = WebAssembly.Memory as unknown as new (descriptor: Memory64Descriptor) => Memory64;

interface Piece {
  offset: number;
  byteLength: number;
}

/** Memory of a context. */
export class DeviceMemory {
  readonly #memory: Memory64;
  /** Unused pieces by offset; neighbours are joined. */
  readonly #free: Piece[] = [];
  readonly #used = new Map<number, number>();
  readonly #bytesMax: number;
  #end: number;
  #usedBytes = 0;
  #view: Uint8Array<ArrayBuffer>;

  /** @param bytesMax most bytes that may be in use, the device's own structures included */
  constructor(bytesMax: number, isShared: boolean) {
    this.#bytesMax = Math.ceil(bytesMax / PAGE_BYTES) * PAGE_BYTES;
    const maximum = BigInt(this.#bytesMax / PAGE_BYTES);
    try {
      this.#memory = new MemoryConstructor({ address: "i64", initial: 1n, maximum, shared: isShared });
    } catch (error) {
      const text = error instanceof Error ? error.message : "no memory";
      throw new GpuError("createContext", "CUDA_ERROR_OUT_OF_MEMORY", text);
    }
    this.#end = 0;
    this.#view = new Uint8Array(this.#memory.buffer);
  }

  /** What kernels import. */
  get memory(): WebAssembly.Memory {
    return this.#memory as unknown as WebAssembly.Memory;
  }

  /** All of it, as it is now. */
  get bytes(): Uint8Array<ArrayBuffer> {
    // Growing detaches the old buffer, or for a shared one leaves it short.
    if (this.#view.length !== this.#memory.buffer.byteLength) {
      this.#view = new Uint8Array(this.#memory.buffer);
    }
    return this.#view;
  }

  get byteLength(): number {
    return this.#memory.buffer.byteLength;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** @returns the offset; @throws GpuError OUT_OF_MEMORY */
  allocate(byteLength: number, isZeroed: boolean): number {
    const size = Math.max(ALIGNMENT, Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT);
    const index = this.#free.findIndex((piece) => piece.byteLength >= size);
    const offset = index < 0 ? this.#extend(size, byteLength) : this.#take(index, size);
    this.#used.set(offset, size);
    this.#usedBytes += size;
    if (isZeroed && index >= 0) this.bytes.fill(0, offset, offset + size);
    return offset;
  }

  /** @returns whether something was allocated there */
  release(offset: number): boolean {
    const size = this.#used.get(offset);
    if (size === undefined) return false;
    this.#used.delete(offset);
    this.#usedBytes -= size;
    let index = this.#free.findIndex((piece) => piece.offset > offset);
    if (index < 0) index = this.#free.length;
    this.#free.splice(index, 0, { offset, byteLength: size });
    this.#join(index);
    if (index > 0) this.#join(index - 1);
    return true;
  }

  /** The view of a range of device addresses. @throws GpuError INVALID_VALUE if it is not inside */
  range(call: string, pointer: bigint, byteLength: number): Uint8Array<ArrayBuffer> {
    const offset = Number(pointer - DEVICE_BASE);
    if (offset < 0 || offset + byteLength > this.byteLength) {
      const text = `${byteLength} bytes at 0x${pointer.toString(16)} are not the context's`;
      throw new GpuError(call, "CUDA_ERROR_INVALID_VALUE", text);
    }
    return this.bytes.subarray(offset, offset + byteLength);
  }

  #take(index: number, size: number): number {
    const piece = this.#free[index];
    if (piece === undefined) return 0;
    const { offset } = piece;
    piece.offset += size;
    piece.byteLength -= size;
    if (piece.byteLength === 0) this.#free.splice(index, 1);
    return offset;
  }

  /** A piece behind everything else; new pages are zero. */
  #extend(size: number, wanted: number): number {
    const last = this.#free.at(-1);
    const reused = last !== undefined && last.offset + last.byteLength === this.#end ? last : undefined;
    const offset = reused?.offset ?? this.#end;
    const end = offset + size;
    if (end > this.#bytesMax) {
      const text = `memoryBytesMax is ${this.#bytesMax}, ${this.#usedBytes} in use, ${wanted} wanted`;
      throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", text);
    }
    const missing = Math.ceil(end / PAGE_BYTES) - this.byteLength / PAGE_BYTES;
    if (missing > 0) {
      try {
        this.#memory.grow(BigInt(missing));
      } catch {
        throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", `the host has no ${wanted} bytes more`);
      }
    }
    if (reused !== undefined) {
      this.bytes.fill(0, reused.offset, reused.offset + reused.byteLength);
      this.#free.pop();
    }
    this.#end = end;
    return offset;
  }

  #join(index: number): void {
    const [piece, next] = [this.#free[index], this.#free[index + 1]];
    if (piece === undefined || next === undefined || piece.offset + piece.byteLength !== next.offset) return;
    piece.byteLength += next.byteLength;
    this.#free.splice(index + 1, 1);
  }
}
