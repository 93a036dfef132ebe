/**
 * CpuContext: one tenant's part of the CPU device.
 *
 * Owns a memory, the modules loaded into it, streams, events, and the error that made it useless. Kernels run
 * when they are launched, on the caller's thread, and are suspended where the pacer says so; streams are
 * therefore always done. Invariant: after a kernel failed, every call throws its error.
 */
import { DEVICE_BASE, SHARED_BYTES_MAX } from "../ptx/kernel_interface.ts";
import type {
  ContextOptions,
  GpuContext,
  GpuEvent,
  GpuModule,
  GpuStream,
  KernelLaunch,
  LaunchTiming,
} from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { checkLaunchShape } from "../launch_shape.ts";
import type { CpuDevice } from "./device.ts";
import { DeviceMemory } from "./memory.ts";
import { CpuModule } from "./module.ts";
import { KernelRunner } from "./runner.ts";

/** What the device needs for itself beside what a tenant allocates: arenas and module variables. */
const OVERHEAD_BYTES = 256 * 1024 * 1024;

class Handle implements Disposable {
  readonly id: number;
  isDisposed = false;

  constructor(id: number) {
    this.id = id;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

class CpuEvent extends Handle implements GpuEvent {
  recordedAtMs: number | undefined;
}

/** A context of the CPU device. */
export class CpuContext implements GpuContext {
  readonly #memory: DeviceMemory;
  readonly #options: ContextOptions;
  readonly #device: CpuDevice;
  readonly #runner: KernelRunner;
  #allocatedBytes = 0;
  readonly #sizes = new Map<bigint, number>();
  #failure: GpuError | undefined;
  #isDisposed = false;
  #nextId = 1;

  constructor(device: CpuDevice, options: ContextOptions) {
    this.#device = device;
    this.#options = options;
    this.#memory = new DeviceMemory(options.memoryBytesMax + OVERHEAD_BYTES, device.crew !== undefined);
    this.#runner = new KernelRunner(this.#memory, options, device);
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  get residentBytes(): number {
    return this.#isDisposed ? 0 : this.#memory.byteLength;
  }

  allocate(byteLength: number): bigint {
    this.#check("allocate");
    if (!Number.isSafeInteger(byteLength) || byteLength <= 0) {
      throw new GpuError("allocate", "CUDA_ERROR_INVALID_VALUE", `byteLength is ${byteLength}`);
    }
    const { memoryBytesMax } = this.#options;
    if (this.#allocatedBytes + byteLength > memoryBytesMax) {
      const text = `memoryBytesMax is ${memoryBytesMax}, got ${this.#allocatedBytes + byteLength}`;
      throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", text);
    }
    const pointer = DEVICE_BASE + BigInt(this.#memory.allocate(byteLength, true));
    this.#sizes.set(pointer, byteLength);
    this.#allocatedBytes += byteLength;
    return pointer;
  }

  free(pointer: bigint): void {
    this.#check("free");
    const byteLength = this.#sizes.get(pointer);
    if (byteLength === undefined) {
      const text = `nothing is allocated at 0x${BigInt.asUintN(64, pointer).toString(16)}`;
      throw new GpuError("free", "CUDA_ERROR_INVALID_VALUE", text);
    }
    this.#sizes.delete(pointer);
    this.#allocatedBytes -= byteLength;
    this.#memory.release(Number(pointer - DEVICE_BASE));
  }

  copyToDevice(target: bigint, source: Uint8Array): undefined {
    this.#check("copyToDevice");
    this.#memory.range("copyToDevice", target, source.length).set(source);
  }

  copyFromDevice(target: Uint8Array, source: bigint): undefined {
    this.#check("copyFromDevice");
    target.set(this.#memory.range("copyFromDevice", source, target.length));
  }

  fillZero(target: bigint, byteLength: number): undefined {
    this.#check("fillZero");
    this.#memory.range("fillZero", target, byteLength).fill(0);
  }

  loadModule(ptx: Uint8Array): GpuModule {
    this.#check("loadModule");
    return new CpuModule(this.#device.programs.load(ptx), this.#memory, this.#options.pacer);
  }

  loadModuleInTurns(ptx: Uint8Array): GpuModule | Promise<GpuModule> {
    const ready = this.#device.programs.ready();
    if (ready === undefined) return this.loadModule(ptx);
    // Others run while the compiler is fetched; what became of that is seen by loading.
    return this.#options.pacer.wait(ready).then(() => ready).then(() => this.loadModule(ptx));
  }

  launch(launch: KernelLaunch): Promise<LaunchTiming> {
    this.#check("launch");
    checkLaunchShape(launch, SHARED_BYTES_MAX);
    const { module } = launch;
    if (!(module instanceof CpuModule) || module.isDisposed) {
      throw new GpuError("launch", "CUDA_ERROR_INVALID_HANDLE", "the module is not loaded in this context");
    }
    return this.#run(module, launch);
  }

  async #run(module: CpuModule, launch: KernelLaunch): Promise<LaunchTiming> {
    const startMs = performance.now();
    const failure = await this.#runner.run(module, launch);
    this.#failure ??= failure;
    return { deviceTimeUs: Math.round((performance.now() - startMs) * 1000) };
  }

  createStream(): GpuStream {
    this.#check("createStream");
    return new Handle(this.#nextId++);
  }

  createEvent(): GpuEvent {
    this.#check("createEvent");
    return new CpuEvent(this.#nextId++);
  }

  recordEvent(event: GpuEvent): void {
    this.#check("recordEvent");
    ownEvent("recordEvent", event).recordedAtMs = performance.now();
  }

  waitEvent(_stream: GpuStream | undefined, event: GpuEvent): void {
    this.#check("waitEvent");
    ownEvent("waitEvent", event);
  }

  queryEvent(event: GpuEvent): boolean {
    this.#check("queryEvent");
    ownEvent("queryEvent", event);
    return true;
  }

  synchronizeEvent(event: GpuEvent): undefined {
    this.#check("synchronizeEvent");
    ownEvent("synchronizeEvent", event);
  }

  elapsedMs(start: GpuEvent, end: GpuEvent): number {
    this.#check("elapsedMs");
    const from = ownEvent("elapsedMs", start).recordedAtMs;
    const to = ownEvent("elapsedMs", end).recordedAtMs;
    if (from === undefined || to === undefined) {
      throw new GpuError("elapsedMs", "CUDA_ERROR_INVALID_HANDLE", "an event was not recorded");
    }
    return to - from;
  }

  synchronize(): undefined {
    this.#check("synchronize");
  }

  [Symbol.dispose](): void {
    if (!this.#isDisposed) this.#runner[Symbol.dispose]();
    this.#isDisposed = true;
    this.#sizes.clear();
    this.#allocatedBytes = 0;
  }

  #check(call: string): void {
    if (this.#isDisposed) throw new GpuError(call, "CUDA_ERROR_INVALID_CONTEXT", "the context is disposed");
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function ownEvent(call: string, event: GpuEvent): CpuEvent {
  if (event instanceof CpuEvent && !event.isDisposed) return event;
  throw new GpuError(call, "CUDA_ERROR_INVALID_HANDLE", "the event is not this context's, or was destroyed");
}
