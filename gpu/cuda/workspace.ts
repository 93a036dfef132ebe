/**
 * Workspace: a DriverContext with what is in it once: its heap, its modules, the launch block.
 *
 * Owns their order of opening and closing. An own one serves one GpuContext; that of the primary context serves
 * all of a device, one tenant's. Invariant: what is opened after another is closed before it.
 */
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
  readonly #stack: DisposableStack;

  /** @throws GpuError */
  constructor({ driver, ordinal, hasPools, jit, block, copies }: WorkspaceParts, kind: ContextKind) {
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

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
