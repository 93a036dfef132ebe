/**
 * CudaContext: one tenant's part of a CUDA device, behind the interface of every device.
 *
 * Owns a default stream, what its holder allocated, loaded and created, and the checks of all that it is given.
 * How memory, copies, launches and waiting are done is in the files beside it. Invariants: the driver sees no
 * address, stream or event that is not this context's; after an error that is sticky every call throws it; what
 * may wait lets others run.
 */
import type {
  ContextOptions,
  GpuContext,
  GpuDeviceInfo,
  GpuEvent,
  GpuModule,
  GpuStream,
  KernelLaunch,
  LaunchTiming,
} from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { checkLaunchShape } from "../launch_shape.ts";
import { AddressRanges } from "./address_ranges.ts";
import { CudaEvent, CudaStream } from "./handles.ts";
import { CudaKernel } from "./kernel.ts";
import { LaunchWindow } from "./launch_window.ts";
import { CudaModule } from "./module.ts";
import type { DevicePointer } from "./pointers.ts";
import { Prints } from "./prints.ts";
import { Timings } from "./timings.ts";
import { Transfers } from "./transfers.ts";
import { isDoneWithin, waitUntil } from "./waiting.ts";
import type { Workspace } from "./workspace.ts";

/** How long the thread is held up for work that may be about to end, when nobody can wait for it any more. */
const LAST_WAIT_MS = 1;

/** What a context gives back is closed by its device, at once or when its work is done. */
export type OnDisposed = (context: CudaContext) => void;

/** A context of a CUDA device. */
export class CudaContext implements GpuContext {
  readonly workspace: Workspace;
  readonly #info: GpuDeviceInfo;
  readonly #options: ContextOptions;
  readonly #onDisposed: OnDisposed;
  readonly #default: CudaStream;
  /** All streams, the default one included, with their windows. */
  readonly #streams = new Map<CudaStream, LaunchWindow>();
  readonly #events = new Set<CudaEvent>();
  readonly #modules = new Set<CudaModule>();
  readonly #allocations = new AddressRanges();
  readonly #variables = new AddressRanges();
  readonly #transfers: Transfers;
  readonly #timings: Timings;
  readonly #prints: Prints;
  #allocatedBytes = 0;
  #failure: GpuError | undefined;
  #isDisposed = false;

  /** @throws GpuError */
  constructor(workspace: Workspace, info: GpuDeviceInfo, options: ContextOptions, onDisposed: OnDisposed) {
    const { context } = workspace;
    this.workspace = workspace;
    this.#info = info;
    this.#options = options;
    this.#onDisposed = onDisposed;
    const hostMemory = options.hostMemory ?? ((): undefined => undefined);
    this.#transfers = new Transfers(workspace, (isDone) => this.#settle("copy", isDone), hostMemory);
    this.#timings = new Timings(context);
    this.#prints = new Prints({
      read: (target, pointer) => this.#transfers.fromDevice(target, pointer, this.#default),
      zero: (pointer, byteLength) => {
        this.#zero(pointer, byteLength, this.#default);
        return this.#settle("synchronize", () => this.#default.isDone());
      },
    }, options.print);
    this.#default = CudaStream.open(context);
    this.#streams.set(this.#default, new LaunchWindow(context));
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  get residentBytes(): number {
    return this.#transfers.pinnedBytes;
  }

  get isBusy(): boolean {
    return this.#streams.keys().some((stream) => stream.isBusy);
  }

  // Memory.

  allocate(byteLength: number): bigint {
    this.#enter("allocate");
    if (!Number.isSafeInteger(byteLength) || byteLength <= 0) {
      throw new GpuError("allocate", "CUDA_ERROR_INVALID_VALUE", `byteLength is ${byteLength}`);
    }
    const { memoryBytesMax } = this.#options;
    const total = this.#allocatedBytes + byteLength;
    if (total > memoryBytesMax) {
      const text = `memoryBytesMax is ${memoryBytesMax}, got ${total}`;
      throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", text);
    }
    const pointer = this.workspace.heap.allocate(byteLength);
    this.#allocations.add(pointer, byteLength);
    this.#allocatedBytes = total;
    return pointer;
  }

  free(pointer: bigint): void {
    this.#enter("free");
    const byteLength = this.#allocations.sizeAt(pointer);
    if (byteLength === undefined) {
      throw new GpuError("free", "CUDA_ERROR_INVALID_VALUE", `nothing is allocated at ${hex(pointer)}`);
    }
    this.#allocations.delete(pointer);
    this.#allocatedBytes -= byteLength;
    this.workspace.heap.free(pointer as DevicePointer, this.#streams.keys());
  }

  copyToDevice(target: bigint, source: Uint8Array, stream?: GpuStream): Promise<void> | undefined {
    const on = this.#copyStream("copyToDevice", target, source.length, stream);
    return source.length === 0 ? undefined : this.#transfers.toDevice(target, source, on);
  }

  copyFromDevice(target: Uint8Array, source: bigint, stream?: GpuStream): Promise<void> | undefined {
    const on = this.#copyStream("copyFromDevice", source, target.length, stream);
    return target.length === 0 ? undefined : this.#transfers.fromDevice(target, source, on);
  }

  fillZero(target: bigint, byteLength: number, stream?: GpuStream): undefined {
    const on = this.#copyStream("fillZero", target, byteLength, stream);
    if (byteLength > 0) this.#zero(target, byteLength, on);
  }

  #zero(target: bigint, byteLength: number, stream: CudaStream): void {
    const { context } = this.workspace;
    const status = context.enter().cuMemsetD8Async(target, 0, BigInt(byteLength), stream.pointer);
    stream.enqueued++;
    context.check("fillZero", status, `${byteLength} bytes`);
  }

  // Modules and launches.

  loadModule(ptx: Uint8Array): GpuModule {
    this.#enter("loadModule");
    const module = new CudaModule(this.workspace.modules.load(ptx), {
      named: (pointer, byteLength) => this.#variables.add(pointer, byteLength),
      released: (released) => this.#release(released),
    });
    this.#modules.add(module);
    return module;
  }

  launch(launch: KernelLaunch): Promise<LaunchTiming | undefined> | undefined {
    this.#enter("launch");
    const { module, kernel } = launch;
    const isLoaded = module instanceof CudaModule && this.#modules.has(module) &&
      kernel instanceof CudaKernel && kernel.isOf(module.handle);
    if (!isLoaded) {
      throw new GpuError("launch", "CUDA_ERROR_INVALID_HANDLE", "the module is not loaded in this context");
    }
    checkLaunchShape(launch, this.#info.sharedBytesPerBlockMax);
    const stream = this.#streamOf("launch", launch.stream);
    const window = this.#streams.get(stream);
    const due = window?.next();
    const waits = due && this.#settle("launch", () => due.isDone());
    if (module.isPrinting) this.#prints.launched(module);
    if (waits === undefined) {
      this.#start(launch, kernel, stream, window);
      return undefined;
    }
    const copied = { ...launch, params: launch.params.slice() };
    return waits.then(() => {
      this.#enter("launch");
      this.#start(copied, kernel, stream, window);
      return undefined;
    });
  }

  #start(
    { grid, block, sharedBytes, params, timed }: KernelLaunch,
    kernel: CudaKernel,
    stream: CudaStream,
    window: LaunchWindow | undefined,
  ): void {
    const { context, heap, block: launchBlock } = this.workspace;
    this.workspace.takeLocal(kernel.localBytes);
    kernel.allowDynamicShared(sharedBytes, this.#info.sharedBytesPerBlockMax);
    heap.orderAfter(stream);
    this.#timings.around(stream, timed, () => {
      const status = context.enter().cuLaunchKernel(
        kernel.function(),
        grid.x,
        grid.y,
        grid.z,
        block.x,
        block.y,
        block.z,
        sharedBytes,
        stream.pointer,
        0n,
        launchBlock.fill(params),
      );
      stream.enqueued++;
      context.check("launch", status, kernel.name);
    });
    window?.mark(stream);
  }

  // Streams and events.

  createStream(): GpuStream {
    this.#enter("createStream");
    const stream = CudaStream.open(this.workspace.context);
    stream.beforeClose = (): void => this.#forget(stream);
    this.#streams.set(stream, new LaunchWindow(this.workspace.context));
    return stream;
  }

  createEvent(): GpuEvent {
    this.#enter("createEvent");
    const event = CudaEvent.open(this.workspace.context, true);
    for (const known of this.#events) if (!known.isOpen) this.#events.delete(known);
    this.#events.add(event);
    return event;
  }

  recordEvent(event: GpuEvent, stream?: GpuStream): void {
    this.#ownEvent("recordEvent", event).record(this.#streamOf("recordEvent", stream));
  }

  waitEvent(stream: GpuStream | undefined, event: GpuEvent): void {
    const own = this.#ownEvent("waitEvent", event);
    own.holdUp(this.#streamOf("waitEvent", stream));
  }

  queryEvent(event: GpuEvent): boolean {
    return this.#ownEvent("queryEvent", event).isDone();
  }

  synchronizeEvent(event: GpuEvent): Promise<void> | undefined {
    const own = this.#ownEvent("synchronizeEvent", event);
    return this.#settled(this.#settle("synchronizeEvent", () => own.isDone()));
  }

  elapsedMs(start: GpuEvent, end: GpuEvent): number {
    const [from, to] = [this.#ownEvent("elapsedMs", start), this.#ownEvent("elapsedMs", end)];
    if (!from.isRecorded || !to.isRecorded) {
      throw new GpuError("elapsedMs", "CUDA_ERROR_INVALID_HANDLE", "an event was not recorded");
    }
    return from.millisecondsTo(to);
  }

  synchronize(stream?: GpuStream): Promise<void> | undefined {
    this.#enter("synchronize");
    const one = stream === undefined ? undefined : this.#streamOf("synchronize", stream);
    const waits = this.#settle("synchronize", () => one === undefined ? this.#isQuiet() : one.isDone());
    return this.#settled(waits);
  }

  /** After a wait: what was measured is told, and, when nothing runs that could print, what was printed. */
  #settled(waits: Promise<void> | undefined): Promise<void> | undefined {
    if (waits !== undefined) return waits.then(() => this.#settled(undefined));
    this.#timings.collect();
    return this.#prints.isPending && this.#isQuiet() ? this.#prints.drain() : undefined;
  }

  // The end.

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#onDisposed(this);
  }

  /** Whether nothing of it is under way, waiting a moment for what is; what failed is not either. */
  isIdle(): boolean {
    const { context, heap } = this.workspace;
    if (!context.isUsable) return true;
    try {
      return isDoneWithin(() => this.#isQuiet() && heap.isQuiet(), LAST_WAIT_MS);
    } catch (error) {
      if (error instanceof GpuError) return !context.isAbandoned;
      throw error;
    }
  }

  /** Gives back everything, once it is idle and disposed. */
  release(): void {
    for (const module of this.#modules) module[Symbol.dispose]();
    for (const pointer of this.#allocations.starts()) this.#freeQuietly(pointer as DevicePointer);
    this.#allocations.clear();
    this.#allocatedBytes = 0;
    this.#timings[Symbol.dispose]();
    this.#transfers[Symbol.dispose]();
    for (const event of this.#events) event[Symbol.dispose]();
    this.#events.clear();
    for (const [stream, window] of [...this.#streams]) {
      window[Symbol.dispose]();
      stream[Symbol.dispose]();
    }
    this.#streams.clear();
  }

  #freeQuietly(pointer: DevicePointer): void {
    try {
      this.workspace.heap.free(pointer, []);
    } catch (error) {
      // Nothing can be done about memory that the driver does not take back; the context goes next.
      if (!(error instanceof GpuError)) throw error;
    }
  }

  #release(module: CudaModule): void {
    for (const pointer of module.namedPointers) this.#variables.delete(pointer);
    this.#modules.delete(module);
    this.workspace.modules.release(module.handle);
  }

  /** A stream is about to be closed: what is on it goes on, and the default stream comes after it. */
  #forget(stream: CudaStream): void {
    const window = this.#streams.get(stream);
    this.#streams.delete(stream);
    window?.[Symbol.dispose]();
    if (this.#isDisposed || stream.isDone()) return;
    using event = CudaEvent.open(this.workspace.context, false);
    event.record(stream);
    event.holdUp(this.#default);
  }

  #isQuiet(): boolean {
    for (const stream of this.#streams.keys()) if (!stream.isDone()) return false;
    return true;
  }

  #enter(call: string): void {
    if (this.#isDisposed) throw new GpuError(call, "CUDA_ERROR_INVALID_CONTEXT", "the context is disposed");
    if (this.#failure !== undefined) throw this.#failure;
    this.workspace.context.enter();
  }

  #copyStream(call: string, pointer: bigint, byteLength: number, stream: GpuStream | undefined): CudaStream {
    this.#enter(call);
    if (!this.#allocations.contains(pointer, byteLength) && !this.#variables.contains(pointer, byteLength)) {
      const text = `${byteLength} bytes at ${hex(pointer)} are not the context's`;
      throw new GpuError(call, "CUDA_ERROR_INVALID_VALUE", text);
    }
    const on = this.#streamOf(call, stream);
    this.workspace.heap.orderAfter(on);
    return on;
  }

  #streamOf(call: string, stream: GpuStream | undefined): CudaStream {
    if (stream === undefined) return this.#default;
    if (stream instanceof CudaStream && this.#streams.has(stream)) return stream;
    throw new GpuError(
      call,
      "CUDA_ERROR_INVALID_HANDLE",
      "the stream is not this context's, or was destroyed",
    );
  }

  #ownEvent(call: string, event: GpuEvent): CudaEvent {
    this.#enter(call);
    if (event instanceof CudaEvent && event.isOpen && this.#events.has(event)) return event;
    throw new GpuError(
      call,
      "CUDA_ERROR_INVALID_HANDLE",
      "the event is not this context's, or was destroyed",
    );
  }

  /** Waits as the pacer says. @throws GpuError what the work did wrong, LAUNCH_TIMEOUT if it must not wait */
  #settle(call: string, isDone: () => boolean): Promise<void> | undefined {
    const end = waitUntil(() => (this.#enter(call), isDone()), this.#options.pacer);
    if (end === "done") return undefined;
    return end.then((how) => {
      if (how === "stopped") throw this.#stop(call);
    });
  }

  /** What runs cannot be cancelled: an own context is given up with it, in a shared one it goes on. */
  #stop(call: string): GpuError {
    const { context } = this.workspace;
    if (context.failure !== undefined) return context.failure;
    const error = new GpuError(call, "CUDA_ERROR_LAUNCH_TIMEOUT", "work did not end in the time that it had");
    this.#failure ??= error;
    if (context.kind === "own" && !this.isIdle()) context.abandon(error);
    return error;
  }
}

function hex(pointer: bigint): string {
  return `0x${BigInt.asUintN(64, pointer).toString(16)}`;
}
