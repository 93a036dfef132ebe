/**
 * Workspace: a DriverContext with what is in it once: its heap, its modules, the launch block.
 *
 * Owns their order of opening and closing. An own one serves one GpuContext; that of the primary context serves
 * all of a device, one tenant's. Invariant: what is opened after another is closed before it.
 */
import { GpuError } from "../gpu_error.ts";
import { DeviceHeap } from "./device_heap.ts";
import { DriverContext } from "./driver_context.ts";
import type { ContextKind, Driver } from "./driver_context.ts";
import type { Jit } from "./jit.ts";
import type { LaunchBlock } from "./launch_block.ts";
import { ModuleCache } from "./module_cache.ts";
import { PinnedRing, RingPool } from "./pinned_ring.ts";
import type { DeviceOrdinal } from "./pointers.ts";
import type { CopyWay } from "./transfers.ts";

/** Pinned memory for large copies that are staged: a session copies in pieces of a slot's size. */
const SLOT_BYTES = 1024 * 1024;
const SLOT_COUNT = 4;
/** The same for small ones: largest copy, and how many of one session may be under way. */
export const SMALL_SLOT_BYTES = 64 * 1024;
const SMALL_SLOT_COUNT = 16;

/** What workspaces of one device are made with. */
export interface WorkspaceParts {
  readonly driver: Driver;
  readonly ordinal: DeviceOrdinal;
  readonly hasPools: boolean;
  readonly jit: Jit;
  readonly block: LaunchBlock;
  readonly copies: CopyWay;
  /** Threads that can be on the device at a time. */
  readonly residentThreadsMax: number;
  /** Whether the device's holder may have so many bytes more of its memory. */
  readonly hasRoom: (byteLength: number) => boolean;
}

/** A context of the driver, ready for work. */
export class Workspace implements Disposable {
  readonly context: DriverContext;
  readonly heap: DeviceHeap;
  readonly modules: ModuleCache;
  readonly block: LaunchBlock;
  /** How large copies go, and the memory through which they go where they are staged. */
  readonly copies: CopyWay;
  readonly ring: PinnedRing;
  /** For small copies; each session has one of its own. */
  readonly smallRings: RingPool;
  readonly #parts: WorkspaceParts;
  readonly #stack: DisposableStack;
  #localBytes = 0;

  /** @throws GpuError */
  constructor(parts: WorkspaceParts, kind: ContextKind) {
    const { driver, ordinal, hasPools, jit, block, copies } = parts;
    this.#parts = parts;
    using stack = new DisposableStack();
    this.context = stack.use(new DriverContext(driver, ordinal, kind));
    this.heap = stack.use(new DeviceHeap(this.context, hasPools));
    this.modules = stack.use(new ModuleCache(this.context, jit));
    this.ring = stack.use(new PinnedRing(this.context, SLOT_BYTES, SLOT_COUNT));
    this.smallRings = stack.use(new RingPool(this.context, SMALL_SLOT_BYTES, SMALL_SLOT_COUNT));
    this.block = block;
    this.copies = copies;
    this.#stack = stack.move();
  }

  /**
   * Device memory that the driver has for the local memory of kernels: as much for each thread that can be resident
   * as the kernel with the most takes. It is counted as if the driver kept it.
   */
  get localBytes(): number {
    return this.#localBytes;
  }

  /** Before a kernel with so much local memory for a thread is launched. @throws GpuError OUT_OF_MEMORY */
  takeLocal(bytesPerThread: number): void {
    const { residentThreadsMax, hasRoom } = this.#parts;
    const byteLength = bytesPerThread * residentThreadsMax;
    const more = byteLength - this.#localBytes;
    if (more <= 0) return;
    if (!hasRoom(more)) {
      const text = `${bytesPerThread} bytes of local memory for each of ${residentThreadsMax} threads, ` +
        `${byteLength} bytes, are more than there is room for`;
      throw new GpuError("launch", "CUDA_ERROR_OUT_OF_MEMORY", text);
    }
    this.#localBytes = byteLength;
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
