/**
 * A GpuDevice whose kernels are functions of the test: for everything above a device, without a compiler.
 *
 * Owns a memory of separate allocations far apart, so that a stray address hits nothing, and the choice of how
 * work is done: at once or only when somebody waits, with promises or without. A "PTX" names its entries, one a
 * line, as `.entry name`. Invariant: it obeys the interface of gpu/device.ts and checks what it is handed.
 */
import { GpuError } from "../../gpu/mod.ts";
import type {
  ContextOptions,
  GpuContext,
  GpuDevice,
  GpuDeviceInfo,
  GpuEvent,
  GpuModule,
  GpuStream,
  KernelInfo,
  KernelLaunch,
  KernelParam,
  LaunchTiming,
} from "../../gpu/mod.ts";

/** What a kernel of a test sees. */
export interface FakeRun {
  readonly launch: KernelLaunch;
  readonly params: DataView;
  /** Device memory from an address on. @throws GpuError ILLEGAL_ADDRESS */
  bytes(pointer: bigint, length: number): Uint8Array;
  print(text: string): void;
}

/** A kernel of a test. Fuel is asked for before it runs. */
export interface FakeKernel {
  readonly params: readonly KernelParam[];
  readonly fuel?: number;
  /** Turns in which the fuel is asked for. */
  readonly ticks?: number;
  /** What the kernel waits for before it runs, as one does that runs on other threads. */
  readonly waitsFor?: () => Promise<unknown>;
  run(run: FakeRun): void;
}

/** How a device does its work. */
export interface FakeGpuOptions {
  readonly kernels?: Readonly<Record<string, FakeKernel>>;
  /** Work waits until somebody waits for it. */
  readonly isLazy?: boolean;
  /** Everything that may wait answers with a promise. */
  readonly isSlow?: boolean;
  readonly info?: Partial<GpuDeviceInfo>;
}

/** Parameters of pointers and numbers of 8 bytes, as most kernels have. */
export function wideParams(count: number): KernelParam[] {
  return Array.from({ length: count }, (_, index) => ({ offset: index * 8, byteLength: 8, type: "u64" }));
}

const SPACING = 1n << 33n;
const BASE = 1n << 40n;

/** The device; contexts that were made and not disposed are counted. */
export class FakeGpu implements GpuDevice {
  readonly info: GpuDeviceInfo;
  readonly options: FakeGpuOptions;
  readonly contexts = new Set<FakeContext>();
  /** Loads that were asked of any context. */
  loadCount = 0;

  constructor(options: FakeGpuOptions = {}) {
    this.options = options;
    this.info = {
      kind: "cpu",
      index: 0,
      name: "Fake GPU",
      computeCapability: { major: 8, minor: 0 },
      multiprocessorCount: 2,
      memoryBytes: 1 << 30,
      warpSize: 32,
      threadsPerBlockMax: 1024,
      sharedBytesPerBlockMax: 49_152,
      ...options.info,
    };
  }

  createContext(options: ContextOptions): FakeContext {
    const context = new FakeContext(this, options);
    this.contexts.add(context);
    return context;
  }

  [Symbol.dispose](): void {}
}

class FakeStream implements GpuStream {
  readonly id: number;
  readonly work: (() => void)[] = [];
  isDisposed = false;

  constructor(id: number) {
    this.id = id;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

class FakeEvent implements GpuEvent {
  readonly id: number;
  stream: FakeStream | undefined;
  /** Work of the stream before it that is not done. */
  left = 0;
  doneAtMs = 0;

  constructor(id: number) {
    this.id = id;
  }

  [Symbol.dispose](): void {}
}

/** A context, with what happened in it at hand. */
export class FakeContext implements GpuContext {
  readonly #device: FakeGpu;
  readonly #options: ContextOptions;
  readonly #allocations = new Map<bigint, Uint8Array>();
  readonly #default = new FakeStream(0);
  readonly #streams = new Set<FakeStream>([this.#default]);
  readonly #events = new Set<FakeEvent>();
  #nextSlot = 1n;
  #nextId = 1;
  #failure: GpuError | undefined;
  /** Calls by name, and bytes copied in each direction. */
  readonly calls: string[] = [];
  bytesIn = 0;
  bytesOut = 0;

  constructor(device: FakeGpu, options: ContextOptions) {
    this.#device = device;
    this.#options = options;
  }

  get allocatedBytes(): number {
    let sum = 0;
    for (const { length } of this.#allocations.values()) sum += length;
    return sum;
  }

  get residentBytes(): number {
    return this.allocatedBytes;
  }

  get allocationCount(): number {
    return this.#allocations.size;
  }

  allocate(byteLength: number): bigint {
    this.#enter("allocate");
    if (this.allocatedBytes + byteLength > this.#options.memoryBytesMax) {
      throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", "no room");
    }
    const pointer = BASE + this.#nextSlot++ * SPACING;
    this.#allocations.set(pointer, new Uint8Array(byteLength));
    return pointer;
  }

  free(pointer: bigint): void {
    this.#enter("free");
    if (!this.#allocations.delete(pointer)) {
      throw new GpuError("free", "CUDA_ERROR_INVALID_VALUE", "nothing was allocated there");
    }
  }

  copyToDevice(target: bigint, source: Uint8Array, stream?: GpuStream): Promise<void> | undefined {
    this.#enter("copyToDevice");
    this.#run(stream);
    this.#bytes(target, source.length).set(source);
    this.bytesIn += source.length;
    return this.#answer();
  }

  copyFromDevice(target: Uint8Array, source: bigint, stream?: GpuStream): Promise<void> | undefined {
    this.#enter("copyFromDevice");
    this.#run(stream);
    target.set(this.#bytes(source, target.length));
    this.bytesOut += target.length;
    return this.#answer();
  }

  fillZero(target: bigint, byteLength: number, stream?: GpuStream): Promise<void> | undefined {
    this.#enter("fillZero");
    this.#run(stream);
    this.#bytes(target, byteLength).fill(0);
    return this.#answer();
  }

  loadModule(ptx: Uint8Array): GpuModule {
    this.#enter("loadModule");
    this.#device.loadCount++;
    const kernels = new Map<string, KernelInfo>();
    for (const [index, line] of new TextDecoder().decode(ptx).split("\n").entries()) {
      const name = /^\.entry (\S+)$/.exec(line)?.[1];
      const kernel = name === undefined ? undefined : this.#device.options.kernels?.[name];
      if (name === undefined || kernel === undefined) {
        throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", `line ${index + 1}: unknown ${line}`);
      }
      const last = kernel.params.at(-1);
      kernels.set(name, {
        name,
        params: kernel.params,
        paramBytes: last === undefined ? 0 : last.offset + last.byteLength,
        sharedBytes: 0,
        localBytes: 0,
        threadsPerBlockMax: 1024,
        requiredBlock: undefined,
      });
    }
    return { kernels, findGlobal: () => undefined, [Symbol.dispose]: () => void this.calls.push("unload") };
  }

  launch(launch: KernelLaunch): Promise<LaunchTiming | undefined> | LaunchTiming | undefined {
    this.#enter("launch");
    if (launch.block.z > 64) throw new GpuError("launch", "CUDA_ERROR_INVALID_VALUE", "block is too deep");
    const kernel = this.#device.options.kernels?.[launch.kernel.name];
    if (kernel === undefined) throw new Error("A kernel of this device");
    if (launch.params.length !== launch.kernel.paramBytes) throw new Error("The whole parameter block");
    const params = new DataView(launch.params.slice().buffer);
    const stream = this.#streamOf(launch.stream);
    stream.work.push(() =>
      kernel.run({
        launch,
        params,
        bytes: (pointer, length) => this.#bytes(pointer, length),
        print: this.#options.print,
      })
    );
    if (kernel.fuel !== undefined) return this.#paced(kernel, kernel.fuel);
    if (kernel.waitsFor !== undefined) return this.#waiting(kernel.waitsFor());
    return this.#launched();
  }

  createStream(): GpuStream {
    this.#enter("createStream");
    const stream = new FakeStream(this.#nextId++);
    this.#streams.add(stream);
    return stream;
  }

  createEvent(): GpuEvent {
    this.#enter("createEvent");
    const event = new FakeEvent(this.#nextId++);
    this.#events.add(event);
    return event;
  }

  recordEvent(event: GpuEvent, stream?: GpuStream): void {
    this.#enter("recordEvent");
    const [state, on] = [this.#eventOf(event), this.#streamOf(stream)];
    state.stream = on;
    state.left = on.work.length;
    state.doneAtMs = performance.now();
  }

  waitEvent(stream: GpuStream | undefined, event: GpuEvent): void {
    this.#enter("waitEvent");
    const state = this.#eventOf(event);
    this.#streamOf(stream).work.push(() => this.#runOf(state));
  }

  queryEvent(event: GpuEvent): boolean {
    this.#enter("queryEvent");
    return this.#eventOf(event).left === 0;
  }

  synchronizeEvent(event: GpuEvent): Promise<void> | undefined {
    this.#enter("synchronizeEvent");
    this.#runOf(this.#eventOf(event));
    return this.#answer();
  }

  elapsedMs(start: GpuEvent, end: GpuEvent): number {
    this.#enter("elapsedMs");
    const [first, last] = [this.#eventOf(start), this.#eventOf(end)];
    if (first.left + last.left > 0) throw new GpuError("elapsedMs", "CUDA_ERROR_NOT_READY", "not done");
    return last.doneAtMs - first.doneAtMs;
  }

  synchronize(stream?: GpuStream): Promise<void> | undefined {
    this.#enter("synchronize");
    if (stream !== undefined) this.#run(stream);
    else for (const each of this.#streams) this.#run(each);
    return this.#answer();
  }

  [Symbol.dispose](): void {
    this.#device.contexts.delete(this);
  }

  #enter(call: string): void {
    this.calls.push(call);
    if (!this.#device.contexts.has(this)) throw new Error(`${call} on a context that was disposed`);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #answer(): Promise<void> | undefined {
    return this.#device.options.isSlow === true ? Promise.resolve() : undefined;
  }

  #launched(): Promise<LaunchTiming> | LaunchTiming | undefined {
    const { isLazy, isSlow } = this.#device.options;
    if (isLazy === true) return undefined;
    try {
      for (const stream of this.#streams) this.#run(stream);
    } catch (error) {
      // The next call has it.
      if (error !== this.#failure) throw error;
    }
    return isSlow === true ? Promise.resolve({ deviceTimeUs: 5 }) : { deviceTimeUs: 5 };
  }

  async #paced({ ticks = 1 }: FakeKernel, fuel: number): Promise<LaunchTiming | undefined> {
    const { pacer } = this.#options;
    for (let tick = 0; tick < ticks; tick++) {
      if (await pacer.tick(fuel) >= 0) continue;
      this.#failure = new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", "the kernel was ended");
      throw this.#failure;
    }
    pacer.charge(1);
    return await this.#launched();
  }

  async #waiting(promise: Promise<unknown>): Promise<LaunchTiming | undefined> {
    const { pacer } = this.#options;
    await pacer.wait(promise);
    if (await pacer.tick(0) >= 0) return await this.#launched();
    this.#failure = new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", "the kernel was ended");
    throw this.#failure;
  }

  #run(stream: GpuStream | undefined): void {
    this.#runSome(this.#streamOf(stream), Infinity);
  }

  #runOf(event: FakeEvent): void {
    if (event.stream !== undefined) this.#runSome(event.stream, event.left);
  }

  #runSome(stream: FakeStream, count: number): void {
    for (let done = 0; done < count && stream.work.length > 0; done++) {
      const work = stream.work.shift();
      try {
        work?.();
      } catch (error) {
        if (error instanceof GpuError && error.isSticky) this.#failure = error;
        throw error;
      }
      for (const event of this.#events) {
        if (event.stream !== stream || event.left === 0) continue;
        if (--event.left === 0) event.doneAtMs = performance.now();
      }
    }
  }

  #bytes(pointer: bigint, length: number): Uint8Array {
    const base = pointer - pointer % SPACING;
    const allocation = this.#allocations.get(base);
    const offset = Number(pointer - base);
    if (allocation === undefined || offset + length > allocation.length) {
      throw new GpuError(
        "access",
        "CUDA_ERROR_ILLEGAL_ADDRESS",
        `${length} bytes at 0x${pointer.toString(16)}`,
      );
    }
    return allocation.subarray(offset, offset + length);
  }

  #streamOf(stream: GpuStream | undefined): FakeStream {
    if (stream === undefined) return this.#default;
    if (!(stream instanceof FakeStream) || stream.isDisposed || !this.#streams.has(stream)) {
      throw new GpuError("stream", "CUDA_ERROR_INVALID_HANDLE", "no stream of this context");
    }
    return stream;
  }

  #eventOf(event: GpuEvent): FakeEvent {
    if (!(event instanceof FakeEvent) || !this.#events.has(event)) {
      throw new GpuError("event", "CUDA_ERROR_INVALID_HANDLE", "no event of this context");
    }
    return event;
  }
}
