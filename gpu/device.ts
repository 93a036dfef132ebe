/**
 * GpuDevice: what a device does for the runtime, whichever it is.
 *
 * Owns the interface behind which PTX runs on the CPU (cpu/) and, on hosts with an NVIDIA driver, on CUDA. It
 * knows no guest: argument records, windows, handles and quotas are the session's. One contract suite holds
 * for every implementation. Invariant: a context is one tenant's alone; nothing in it can name another's memory.
 */

/** What a device is. All sizes in bytes. */
export interface GpuDeviceInfo {
  readonly kind: "cpu" | "cuda";
  readonly index: number;
  readonly name: string;
  /** The driver's own name for it, the same at every start; absent where it has none. */
  readonly uuid?: string;
  readonly computeCapability: { readonly major: number; readonly minor: number };
  readonly multiprocessorCount: number;
  readonly memoryBytes: number;
  readonly warpSize: number;
  readonly threadsPerBlockMax: number;
  readonly sharedBytesPerBlockMax: number;
}

/** Three extents, of a grid in blocks or of a block in threads. */
export interface Dim3 {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** A kernel's parameter as its PTX declares it. */
export interface KernelParam {
  /** Where it stands in the parameter block, and how many bytes it takes there. */
  readonly offset: number;
  readonly byteLength: number;
  /** The declared type, `b8` for structures passed by value. */
  readonly type: string;
}

/** A kernel of a loaded module. */
export interface KernelInfo {
  readonly name: string;
  readonly params: readonly KernelParam[];
  readonly paramBytes: number;
  /** Static shared memory of a block, and local memory of a thread. */
  readonly sharedBytes: number;
  readonly localBytes: number;
  /** Most threads of a block (`.maxntid`), and the only shape it may have (`.reqntid`). */
  readonly threadsPerBlockMax: number;
  readonly requiredBlock: Dim3 | undefined;
}

/** A loaded module. Its kernels are of no use once it is disposed. */
export interface GpuModule extends Disposable {
  readonly kernels: ReadonlyMap<string, KernelInfo>;
  /** As `kernels.get`, for a device that lets others run while it compiles; used in its place where it is there. */
  findInTurns?(name: string): KernelInfo | undefined | Promise<KernelInfo | undefined>;
  /** Address and size of a module-scope variable, if there is one of this name (cuModuleGetGlobal). */
  findGlobal(name: string): { readonly pointer: bigint; readonly byteLength: number } | undefined;
}

/** Work in order. */
export interface GpuStream extends Disposable {
  readonly id: number;
}

/** A moment in a stream. */
export interface GpuEvent extends Disposable {
  readonly id: number;
}

/** One launch. */
export interface KernelLaunch {
  readonly module: GpuModule;
  readonly kernel: KernelInfo;
  readonly grid: Dim3;
  readonly block: Dim3;
  /** Dynamic shared memory of a block. */
  readonly sharedBytes: number;
  /** The parameter block: `kernel.paramBytes` bytes, each parameter at its offset. Copied. */
  readonly params: Uint8Array;
  readonly stream?: GpuStream;
  /**
   * Called once by a later synchronisation with how long the device was busy, for a device that launches answer
   * before they are done. Others tell it in the launch's answer, and do not call. Not for a launch that fails.
   */
  readonly timed?: (deviceTimeUs: number) => void;
}

/** How long the device itself was busy with a launch. */
export interface LaunchTiming {
  readonly deviceTimeUs: number;
}

/**
 * How a kernel that runs on the caller's thread asks whether it may go on: the owner of the thread charges the
 * work, lets others run, and ends what is overdue.
 */
export interface Pacer {
  /**
   * A kernel used `fuel` since it last asked (about one unit an instruction). Answers how much it may use until
   * it asks again, a negative number to end it, or a promise of either, while which it is suspended.
   */
  tick(fuel: number): number | Promise<number>;
  /** A kernel that has ended used `fuel` since it last asked. */
  charge(fuel: number): void;
  /**
   * Suspends the caller until `promise` settles, while others run, or until it must stop: then the next tick
   * answers a negative number. Never rejects.
   */
  wait(promise: Promise<unknown>): Promise<void>;
}

/** What a context is given. */
export interface ContextOptions {
  /** Most bytes that it may allocate. */
  readonly memoryBytesMax: number;
  readonly pacer: Pacer;
  /** Where the device's `printf` goes, text as it was printed, with its line breaks. */
  readonly print: (text: string) => void;
  /**
   * The memory that the holder's copies come from and go to, as it is now. It must live as long as what is held
   * here: the device may have registered it.
   */
  readonly hostMemory?: () => ArrayBufferLike | undefined;
}

/**
 * One tenant's part of a device. Methods throw GpuError; after an error that is sticky every call throws it
 * again. Those that may wait answer with a promise, or with undefined when nothing was to be waited for.
 */
export interface GpuContext extends Disposable {
  /** Bytes allocated now. */
  readonly allocatedBytes: number;
  /** Memory that the context takes from its process. */
  readonly residentBytes: number;
  /** Whether it was given work that is not known to be done, for a device that launches answer before they are. */
  readonly isBusy?: boolean;

  /** @returns the device address, aligned to 256 bytes; its bytes are zero */
  allocate(byteLength: number): bigint;
  /** @throws GpuError INVALID_VALUE if nothing was allocated there */
  free(pointer: bigint): void;
  /** After everything launched before on the stream. */
  copyToDevice(target: bigint, source: Uint8Array, stream?: GpuStream): Promise<void> | undefined;
  /** As copyToDevice. The copy is there when it answers. */
  copyFromDevice(target: Uint8Array, source: bigint, stream?: GpuStream): Promise<void> | undefined;
  /** Zeroes memory, after everything launched before on the stream. Without it zeros are copied there. */
  fillZero?(target: bigint, byteLength: number, stream?: GpuStream): Promise<void> | undefined;

  /** @throws GpuError INVALID_PTX with the compiler's log, line by line */
  loadModule(ptx: Uint8Array): GpuModule;
  /** As loadModule, for a device that can let others run while it compiles; used in its place where it is there. */
  loadModuleInTurns?(ptx: Uint8Array): GpuModule | Promise<GpuModule>;
  /**
   * Starts a kernel. What it does wrong is reported by the next synchronisation of its stream.
   *
   * @throws GpuError INVALID_VALUE for shapes and sizes outside of what device and kernel take
   */
  launch(launch: KernelLaunch): Promise<LaunchTiming | undefined> | LaunchTiming | undefined;

  createStream(): GpuStream;
  createEvent(): GpuEvent;
  recordEvent(event: GpuEvent, stream?: GpuStream): void;
  /** Makes what is launched on the stream from now on wait for the event. */
  waitEvent(stream: GpuStream | undefined, event: GpuEvent): void;
  /** Whether everything before the event is done. */
  queryEvent(event: GpuEvent): boolean;
  synchronizeEvent(event: GpuEvent): Promise<void> | undefined;
  /** @throws GpuError NOT_READY unless both are done, INVALID_HANDLE if one was not recorded */
  elapsedMs(start: GpuEvent, end: GpuEvent): number;
  /** Waits for one stream, or for all. @throws GpuError what a kernel did wrong */
  synchronize(stream?: GpuStream): Promise<void> | undefined;
}

/** A device. */
export interface GpuDevice extends Disposable {
  readonly info: GpuDeviceInfo;
  createContext(options: ContextOptions): GpuContext;
}
