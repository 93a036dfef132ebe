/**
 * GpuSession: one guest instance on a device; the functions of the ABI, from numbers to codes.
 *
 * Owns the order in which its parts are used and the boundary at which a failure becomes a code and a text. It
 * does not know how a guest is suspended or ended (runtime/cell does). Invariants: a function answers with a
 * code for whatever a guest or a device does wrong, and throws for a bug of ours alone; what it answers later
 * comes as a promise; after `dispose` nothing of the instance is left on the device.
 */
import { GPU_ATTRIBUTES as ATTRIBUTE } from "../abi.ts";
import { Boundary, observed } from "./boundary.ts";
import type { Answer, WideAnswer } from "./boundary.ts";
import { Buffers } from "./buffers.ts";
import { Copier } from "./copier.ts";
import type { Copied } from "./copier.ts";
import { DeviceMemory } from "./device_memory.ts";
import type { GpuContext, GpuDevice, Pacer } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { GuestMemory } from "./guest_memory.ts";
import { Kernels } from "./kernels.ts";
import type { LoadProgress } from "./kernels.ts";
import { Launcher } from "./launcher.ts";
import type { LaunchRequest } from "./launcher.ts";
import type { GpuLimits } from "../limits.ts";
import { describeFailure, GpuRefusal } from "./refusal.ts";
import type { GpuObserver, OperationRecord, SessionParts, StreamState } from "./session_parts.ts";
import { runSteps, wait } from "./steps.ts";
import type { Steps } from "./steps.ts";
import { Streams } from "./streams.ts";
import { WindowMemory } from "./window_memory.ts";
import { overlaps } from "./windows.ts";

/** What a session is opened with. */
export interface SessionOptions {
  readonly device: GpuDevice;
  readonly limits: GpuLimits;
  /** The memory that the guest exports, looked up again for every access. */
  readonly memory: () => WebAssembly.Memory | undefined;
  readonly pacer: Pacer;
  /** Where the device's `printf` goes. */
  readonly print: (text: string) => void;
  readonly observer: GpuObserver;
  /** Whether the process can bear so many bytes of device memory more. */
  readonly hasRoom?: (byteLength: number) => boolean;
}

const KIND_NUMBERS = { cpu: 1n, cuda: 2n } as const;

/** A session. */
export class GpuSession implements Disposable {
  readonly #options: SessionOptions;
  readonly #parts: SessionParts;
  readonly #boundary: Boundary;
  readonly #kernels: Kernels;
  readonly #buffers: Buffers;
  readonly #streams: Streams;
  readonly #windows: WindowMemory;
  readonly #launcher: Launcher;
  #context: GpuContext | undefined;
  readonly #synchronized = (operation: OperationRecord): void => this.#parts.observer.synchronized(operation);
  #isDisposed = false;

  constructor(options: SessionOptions) {
    const { device, limits, pacer, observer } = options;
    this.#options = options;
    const memory = new GuestMemory(options.memory);
    const context = (): GpuContext => this.#openContext();
    this.#parts = {
      info: device.info,
      limits,
      memory,
      pacer,
      observer,
      context,
      madeContext: () => this.#context,
      device: new DeviceMemory(limits, context, options.hasRoom ?? (() => true)),
      copier: new Copier(memory, pacer, context),
    };
    this.#boundary = new Boundary(limits.gpuErrorBytesMax, () => this.#windows.downloads.forget());
    this.#kernels = new Kernels(this.#parts);
    this.#buffers = new Buffers(this.#parts);
    this.#streams = new Streams(this.#parts);
    this.#windows = new WindowMemory(this.#parts);
    this.#launcher = new Launcher(this.#parts, {
      kernels: this.#kernels,
      buffers: this.#buffers,
      streams: this.#streams,
      windows: this.#windows,
    });
  }

  /** Memory that the session takes from its process. */
  get residentBytes(): number {
    return this.#context?.residentBytes ?? 0;
  }

  /** Whether the device was given work of this session that is not known to be done. */
  get isBusy(): boolean {
    return this.#context?.isBusy ?? false;
  }

  /** Waits for everything that was given to the device. @throws GpuError what a kernel did wrong */
  finish(): Promise<void> | undefined {
    return this.#context?.synchronize();
  }

  // Kernels.

  loadPtx(ptxPointer: number, ptxLength: number, entryPointer: number, entryLength: number): WideAnswer {
    const progress: LoadProgress = { cached: false, compileMs: 0 };
    const load = this.#kernels.load(ptxPointer, ptxLength, entryPointer, entryLength, progress);
    return this.#boundary.answerWide(() =>
      observed(() => runSteps(load), (operation) => {
        const [ptxBytes, entryBytes] = [ptxLength >>> 0, entryLength >>> 0];
        this.#parts.observer.loaded({ ...operation, ...progress, ptxBytes, entryBytes });
      })
    );
  }

  unload(kernel: bigint): Answer {
    return this.#boundary.answer(() => runSteps(this.#unload(kernel)));
  }

  launch(request: LaunchRequest): Answer {
    return this.#boundary.answer(() => this.#launcher.launch(request));
  }

  // Waiting.

  synchronize(): Answer {
    return this.#observedWait(() => this.#synchronizeAndDownload(0n));
  }

  synchronizeStream(stream: bigint): Answer {
    return this.#observedWait(() => this.#synchronizeAndDownload(stream));
  }

  synchronizeEvent(event: bigint): Answer {
    return this.#observedWait(() => runSteps(this.#synchronizeEvent(event)));
  }

  // Buffers.

  allocate(bytes: bigint): bigint {
    return this.#boundary.atOnceWide(() => this.#buffers.allocate(bytes));
  }

  free(buffer: bigint): Answer {
    return this.#boundary.answer(() => runSteps(this.#free(buffer)));
  }

  copyToDevice(buffer: bigint, offset: bigint, source: number, length: number): Answer {
    return this.#boundary.answer(() => runSteps(this.#copyToDevice(buffer, offset, source, length)));
  }

  copyToGuest(target: number, buffer: bigint, offset: bigint, length: number): Answer {
    return this.#boundary.answer(() => runSteps(this.#copyToGuest(target, buffer, offset, length)));
  }

  // Streams and events.

  createStream(): bigint {
    return this.#boundary.atOnceWide(() => this.#streams.createStream());
  }

  destroyStream(stream: bigint): Answer {
    return this.#boundary.answer(() => runSteps(this.#destroyStream(stream)));
  }

  createEvent(): bigint {
    return this.#boundary.atOnceWide(() => this.#streams.createEvent());
  }

  destroyEvent(event: bigint): number {
    return this.#boundary.atOnce(() => this.#streams.destroyEvent(event));
  }

  recordEvent(event: bigint, stream: bigint): number {
    return this.#boundary.atOnce(() => this.#streams.recordEvent(event, stream));
  }

  /** 1 when it is done, 0 when it is not. */
  queryEvent(event: bigint): Answer {
    return this.#boundary.answer(() => runSteps(this.#queryEvent(event)));
  }

  waitEvent(stream: bigint, event: bigint): number {
    return this.#boundary.atOnce(() => this.#streams.waitEvent(stream, event));
  }

  elapsedNanos(start: bigint, end: bigint): bigint {
    return this.#boundary.atOnceWide(() => this.#streams.elapsedNanos(start, end));
  }

  // The device, and the last error.

  queryDevice(attribute: number): bigint {
    return this.#boundary.atOnceWide(() => this.#attribute(attribute));
  }

  copyDeviceName(target: number, length: number): number {
    return this.#copyText("Device name", new TextEncoder().encode(this.#parts.info.name), target, length);
  }

  lastErrorLength(): number {
    return this.#boundary.lastError.bytes.length;
  }

  copyLastError(target: number, length: number): number {
    return this.#copyText("Last error", this.#boundary.lastError.bytes, target, length);
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#windows.downloads.forget();
    const context = this.#context;
    if (context === undefined) return;
    this.#streams.dispose();
    this.#kernels.dispose();
    context[Symbol.dispose]();
  }

  #openContext(): GpuContext {
    if (this.#isDisposed) throw new GpuError("context", "CUDA_ERROR_INVALID_CONTEXT", "the session is over");
    const { device, limits, pacer, print, memory } = this.#options;
    const { gpuMemoryBytesMax: memoryBytesMax } = limits;
    this.#context ??= device.createContext({
      memoryBytesMax,
      pacer,
      print,
      hostMemory: () => memory()?.buffer,
    });
    return this.#context;
  }

  #observedWait(run: () => Copied): Answer {
    return this.#boundary.answer(() => observed(run, this.#synchronized));
  }

  *#unload(kernel: bigint): Steps<void> {
    // A module must not go while a launch of it may be under way.
    this.#kernels.get(kernel);
    yield* wait(this.#streams.synchronize());
    this.#kernels.unload(kernel);
  }

  *#free(buffer: bigint): Steps<void> {
    this.#buffers.check(buffer);
    yield* wait(this.#streams.synchronize());
    this.#buffers.free(buffer);
  }

  #synchronizeAndDownload(handle: bigint): Copied {
    const stream = this.#streams.get(handle);
    const waits = this.#streams.synchronize(stream);
    return waits ? waits.then(() => this.#downloadOf(stream)) : this.#downloadOf(stream);
  }

  *#synchronizeEvent(event: bigint): Steps<void> {
    const recorded = this.#streams.recorded(event);
    yield* this.#streams.synchronizeEvent(event);
    if (recorded !== undefined) yield* wait(this.#windows.downloads.run(recorded.stream, recorded.launch));
  }

  *#queryEvent(event: bigint): Steps<number> {
    const recorded = this.#streams.recorded(event);
    if (!this.#streams.queryEvent(event)) return 0;
    if (recorded !== undefined) yield* wait(this.#windows.downloads.run(recorded.stream, recorded.launch));
    return 1;
  }

  *#destroyStream(handle: bigint): Steps<void> {
    const stream = this.#streams.get(handle);
    if (stream.stream !== undefined) {
      yield* wait(this.#streams.synchronize(stream));
      yield* wait(this.#windows.downloads.run(stream));
    }
    this.#streams.destroyStream(handle);
  }

  *#copyToDevice(buffer: bigint, offset: bigint, source: number, length: number): Steps<void> {
    // What a launch has written there is the newer.
    yield* wait(this.#downloadRange(source, length));
    yield* wait(this.#buffers.toDevice(buffer, offset, source, length));
  }

  *#copyToGuest(target: number, buffer: bigint, offset: bigint, length: number): Steps<void> {
    yield* wait(this.#downloadRange(target, length));
    yield* wait(this.#buffers.toGuest(target, buffer, offset, length));
  }

  /** The default stream's synchronisation is everyone's. */
  #downloadOf(stream: StreamState): Copied {
    return stream.stream === undefined ? this.#windows.downloads.run() : this.#windows.downloads.run(stream);
  }

  /** What is due of a part of guest memory that somebody is about to read or write. */
  #downloadRange(start: number, length: number): Copied {
    const range = [start >>> 0, (start >>> 0) + (length >>> 0)];
    if (this.#windows.downloads.count === 0 || length === 0) return;
    return this.#windows.downloads.runThrough(({ downloads }) => overlaps(downloads, range));
  }

  #attribute(attribute: number): bigint {
    const { info, limits } = this.#parts;
    const memoryBytes = Math.min(info.memoryBytes, limits.gpuMemoryBytesMax);
    switch (attribute) {
      case ATTRIBUTE.kind:
        return KIND_NUMBERS[info.kind];
      case ATTRIBUTE.computeCapability:
        return BigInt(info.computeCapability.major * 10 + info.computeCapability.minor);
      case ATTRIBUTE.multiprocessors:
        return BigInt(info.multiprocessorCount);
      case ATTRIBUTE.memoryBytes:
        return BigInt(memoryBytes);
      case ATTRIBUTE.freeBytes: {
        const used = (this.#context?.allocatedBytes ?? 0) - this.#windows.cachedBytes;
        return BigInt(Math.max(0, memoryBytes - used));
      }
      case ATTRIBUTE.warpSize:
        return BigInt(info.warpSize);
      case ATTRIBUTE.threadsPerBlockMax:
        return BigInt(info.threadsPerBlockMax);
      case ATTRIBUTE.sharedBytesPerBlockMax:
        return BigInt(info.sharedBytesPerBlockMax);
      default:
        throw new GpuRefusal("invalidArgs", `No attribute has the number ${attribute}`);
    }
  }

  /** As much of a text as the guest has room for. A bad region is no error to keep: the text would be lost. */
  #copyText(what: string, text: Uint8Array, target: number, length: number): number {
    try {
      const room = this.#parts.memory.bytes(what, target, length);
      const part = text.subarray(0, room.length);
      room.set(part);
      return part.length;
    } catch (error) {
      const failure = describeFailure(error);
      if (failure === undefined) throw error;
      return failure.code;
    }
  }
}
