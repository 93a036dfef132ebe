/**
 * DeviceMemory: the allocations of one session, within its limits.
 *
 * Owns the count of allocations and the checks before a device is asked. It knows no handles and no windows.
 * Invariant: an allocation that exceeds a limit, or for which the process has no room, changes nothing and is
 * refused with the limit, its value and what it would have come to.
 */
import type { GpuContext } from "../device.ts";
import type { GpuLimits } from "../limits.ts";
import { GpuRefusal, overLimit } from "./refusal.ts";

/** Device memory of one session. */
export class DeviceMemory {
  readonly #limits: GpuLimits;
  readonly #context: () => GpuContext;
  readonly #hasRoom: (byteLength: number) => boolean;
  #count = 0;

  /** @param hasRoom whether the process can bear so many bytes more */
  constructor(limits: GpuLimits, context: () => GpuContext, hasRoom: (byteLength: number) => boolean) {
    this.#limits = limits;
    this.#context = context;
    this.#hasRoom = hasRoom;
  }

  /** Zeroed memory, aligned to 256 bytes. @throws GpuRefusal quotaExceeded, GpuError */
  allocate(byteLength: number): bigint {
    const { gpuMemoryBytesMax, gpuAllocationsMax } = this.#limits;
    if (this.#count >= gpuAllocationsMax) {
      throw overLimit("Too many allocations", "gpuAllocationsMax", gpuAllocationsMax, this.#count + 1);
    }
    const context = this.#context();
    const total = context.allocatedBytes + byteLength;
    if (total > gpuMemoryBytesMax) {
      throw overLimit("Too much device memory", "gpuMemoryBytesMax", gpuMemoryBytesMax, total);
    }
    if (!this.#hasRoom(byteLength)) {
      throw new GpuRefusal(
        "quotaExceeded",
        `The process has no room for ${byteLength} bytes of device memory`,
      );
    }
    const pointer = context.allocate(byteLength);
    this.#count++;
    return pointer;
  }

  free(pointer: bigint): void {
    this.#count--;
    this.#context().free(pointer);
  }
}
