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
import type { DeviceOrdinal } from "./pointers.ts";

/** What workspaces of one device are made with. */
export interface WorkspaceParts {
  readonly driver: Driver;
  readonly ordinal: DeviceOrdinal;
  readonly hasPools: boolean;
  readonly jit: Jit;
  readonly block: LaunchBlock;
}

/** A context of the driver, ready for work. */
export class Workspace implements Disposable {
  readonly context: DriverContext;
  readonly heap: DeviceHeap;
  readonly modules: ModuleCache;
  readonly block: LaunchBlock;
  readonly #stack: DisposableStack;

  /** @throws GpuError */
  constructor({ driver, ordinal, hasPools, jit, block }: WorkspaceParts, kind: ContextKind) {
    using stack = new DisposableStack();
    this.context = stack.use(new DriverContext(driver, ordinal, kind));
    this.heap = stack.use(new DeviceHeap(this.context, hasPools));
    this.modules = stack.use(new ModuleCache(this.context, jit));
    this.block = block;
    this.#stack = stack.move();
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
