/**
 * CudaDevice: a GPU behind the interface of every device, by way of the driver library alone.
 *
 * Owns the choice of the GPU, what it says of itself, and contexts that were disposed while they had work: they
 * are closed when it is done. Importing it does nothing. Invariants: no toolkit is needed; a GPU that lets
 * kernels read this process's memory is not opened unless told so.
 */
import type { ContextOptions, GpuContext, GpuDevice, GpuDeviceInfo } from "../device.ts";
import type { GpuError } from "../gpu_error.ts";
import { statusName, SUCCESS } from "./checked.ts";
import { DEVICE_ATTRIBUTE, POOL_ATTRIBUTE } from "./constants.ts";
import { CudaContext } from "./context.ts";
import type { ContextKind, Driver } from "./driver_context.ts";
import { Jit } from "./jit.ts";
import { LaunchBlock } from "./launch_block.ts";
import { HandleLedger } from "./ledger.ts";
import type { HandleLeak } from "./ledger.ts";
import { CudaUnavailable, openLibrary } from "./library.ts";
import type { LibraryOptions } from "./library.ts";
import { OutCell } from "./pointers.ts";
import type { DeviceOrdinal } from "./pointers.ts";
import type { CopyWay } from "./transfers.ts";
import { Workspace } from "./workspace.ts";
import type { WorkspaceParts } from "./workspace.ts";

/** Which GPU, and how it is used. */
export interface CudaDeviceOptions extends LibraryOptions {
  /** Among those that the driver shows (CUDA_VISIBLE_DEVICES); 0 unless said. */
  readonly deviceIndex?: number;
  /**
   * `own`: each GpuContext is a context of the driver, apart from the others; making one takes the driver long.
   * `primary`: all share the device's primary context, with streams of their own: for the cell of one tenant.
   * `own` unless said.
   */
  readonly contexts?: ContextKind;
  /**
   * Whether a GPU may be used whose kernels can read and write this process's own memory (attribute
   * PAGEABLE_MEMORY_ACCESS: heterogeneous memory management, or a coherent link). False unless said.
   */
  readonly allowHostMemoryAccess?: boolean;
  /**
   * How copies of more than 64 KiB go: `direct` lets the driver stage them; `staged` takes them through pinned
   * memory of ours; `registered` has guest memory that is copied often registered, where kernels of the same driver
   * context can reach it. `direct` unless said: which is fastest is not measured on hardware.
   */
  readonly copies?: CopyWay;
  /**
   * Most device memory of all contexts together. A kernel whose local memory would take more is refused; allocations
   * are the holder's to bound (`allocatedBytes`). Unbounded unless said.
   */
  readonly memoryBytesMax?: number;
  /**
   * Told once of each context of the driver that has become useless, from within the call that found out: with
   * `primary`, nothing can be done with the device by this process any more.
   */
  readonly onFailure?: (error: GpuError) => void;
  /** Told of a handle that was collected while it was open. */
  readonly onLeak?: (leak: HandleLeak) => void;
}

/** How a device is, for whoever keeps its process. */
export interface CudaHealth {
  /** What made the primary context useless; the process should end. */
  readonly failure: GpuError | undefined;
  /** Contexts of the driver that were given up with a kernel that does not end. */
  readonly abandonedCount: number;
  /** Contexts that were disposed and still have work. */
  readonly lingeringCount: number;
}

/** Memory that the driver's pool keeps for the next allocation; not measured on hardware. */
const POOL_KEPT_BYTES = 256n * 1024n * 1024n;
const NAME_BYTES = 256;
const UUID_BYTES = 16;

/** A GPU. */
export class CudaDevice implements GpuDevice {
  readonly info: GpuDeviceInfo;
  /** Where the driver library was found. */
  readonly driverPath: string;
  /** The newest CUDA version that the driver knows: 13.0 is `{ major: 13, minor: 0 }`. */
  readonly driverVersion: { readonly major: number; readonly minor: number };
  readonly ledger: HandleLedger;
  readonly #parts: WorkspaceParts;
  readonly #contexts: ContextKind;
  readonly #lingering = new Set<CudaContext>();
  readonly #open = new Set<CudaContext>();
  #primary: Workspace | undefined;
  #abandonedCount = 0;

  /** @throws CudaUnavailable */
  constructor(options: CudaDeviceOptions = {}) {
    const { path, symbols } = openLibrary(options);
    this.driverPath = path;
    this.ledger = new HandleLedger(options.onLeak ?? ((): void => {}));
    this.#contexts = options.contexts ?? "own";
    const { onFailure } = options;
    const driver: Driver = {
      ...{ symbols, cell: new OutCell(), ledger: this.ledger },
      ...(onFailure === undefined ? {} : { onFailure }),
    };
    const { cell } = driver;
    const ask = (call: string, status: number): void => {
      if (status !== SUCCESS) unavailable(path, `${call} answers ${statusName(status) ?? status}`);
    };
    ask("cuInit", symbols.cuInit(0));
    ask("cuDriverGetVersion", symbols.cuDriverGetVersion(cell.bytes));
    const version = cell.int();
    this.driverVersion = { major: Math.floor(version / 1000), minor: Math.floor((version % 1000) / 10) };
    ask("cuDeviceGetCount", symbols.cuDeviceGetCount(cell.bytes));
    const [count, index] = [cell.int(), options.deviceIndex ?? 0];
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      unavailable(path, `the driver shows ${count} devices, and number ${index} was asked for`);
    }
    ask("cuDeviceGet", symbols.cuDeviceGet(cell.bytes, index));
    const ordinal = cell.int() as DeviceOrdinal;
    const attribute = (name: keyof typeof DEVICE_ATTRIBUTE): number => {
      ask("cuDeviceGetAttribute", symbols.cuDeviceGetAttribute(cell.bytes, DEVICE_ATTRIBUTE[name], ordinal));
      return cell.int();
    };
    const readsHost = attribute("CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS") !== 0;
    if (readsHost && options.allowHostMemoryAccess !== true) {
      const text = "kernels of this device can read and write the memory of the process that launches them " +
        "(PAGEABLE_MEMORY_ACCESS); load the driver's nvidia_uvm module with uvm_disable_hmm=1, or allow it";
      unavailable(path, text);
    }
    this.info = describe(driver, ordinal, index, attribute, ask);
    const hasPools = attribute("CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED") !== 0;
    if (hasPools) keepPool(driver, ordinal);
    const copies = options.copies ?? "direct";
    this.#parts = {
      driver,
      ordinal,
      hasPools,
      jit: new Jit(symbols),
      block: new LaunchBlock(symbols),
      copies,
      residentThreadsMax: this.info.multiprocessorCount *
        attribute("CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR"),
      hasRoom: (byteLength) => this.allocatedBytes + byteLength <= (options.memoryBytesMax ?? Infinity),
    };
  }

  get health(): CudaHealth {
    return {
      failure: this.#primary?.context.failure,
      abandonedCount: this.#abandonedCount,
      lingeringCount: this.#lingering.size,
    };
  }

  createContext(options: ContextOptions): GpuContext {
    this.reap();
    const workspace = this.#workspace();
    try {
      const context = new CudaContext(workspace, this.info, options, (disposed) => this.#close(disposed));
      this.#open.add(context);
      return context;
    } catch (error) {
      if (workspace !== this.#primary) workspace[Symbol.dispose]();
      throw error;
    }
  }

  /** Bytes allocated now, by all contexts, those that linger included, and what kernels have for local memory. */
  get allocatedBytes(): number {
    let bytes = this.#primary?.localBytes ?? 0;
    for (const contexts of [this.#open, this.#lingering]) {
      for (const context of contexts) bytes += context.allocatedBytes;
    }
    return bytes;
  }

  /** Makes the primary context now, which the first GpuContext would have to wait for. @throws GpuError */
  prepare(): void {
    if (this.#contexts === "primary") this.#workspace();
  }

  /** Closes what was disposed while it had work, as far as that is done. */
  reap(): void {
    for (const context of this.#lingering) if (context.isIdle()) this.#release(context);
    this.#primary?.context.closeWaiting();
  }

  [Symbol.dispose](): void {
    for (const context of this.#open) context[Symbol.dispose]();
    this.reap();
    if (this.#lingering.size === 0) this.#primary?.[Symbol.dispose]();
  }

  #workspace(): Workspace {
    return this.#contexts === "own"
      ? new Workspace(this.#parts, "own")
      : this.#primary ??= new Workspace(this.#parts, "primary");
  }

  #close(context: CudaContext): void {
    this.#open.delete(context);
    if (context.isIdle()) this.#release(context);
    else this.#lingering.add(context);
  }

  #release(context: CudaContext): void {
    const { workspace } = context;
    this.#lingering.delete(context);
    if (workspace.context.isAbandoned) this.#abandonedCount++;
    context.release();
    if (workspace === this.#primary) workspace.context.closeWaiting();
    else workspace[Symbol.dispose]();
  }
}

function unavailable(path: string, reason: string): never {
  throw new CudaUnavailable("the driver library was found, but is of no use", [{ path, reason }]);
}

function describe(
  { symbols, cell }: Driver,
  ordinal: DeviceOrdinal,
  index: number,
  attribute: (name: keyof typeof DEVICE_ATTRIBUTE) => number,
  ask: (call: string, status: number) => void,
): GpuDeviceInfo {
  const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  ask("cuDeviceGetName", symbols.cuDeviceGetName(name, NAME_BYTES, ordinal));
  ask("cuDeviceTotalMem", symbols.cuDeviceTotalMem(cell.bytes, ordinal));
  const memoryBytes = cell.size();
  const uuid = uuidOf(symbols, ordinal);
  return {
    ...(uuid === undefined ? {} : { uuid }),
    kind: "cuda",
    index,
    name: new TextDecoder().decode(name.subarray(0, Math.max(0, name.indexOf(0)))),
    computeCapability: {
      major: attribute("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR"),
      minor: attribute("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR"),
    },
    multiprocessorCount: attribute("CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT"),
    memoryBytes,
    warpSize: attribute("CU_DEVICE_ATTRIBUTE_WARP_SIZE"),
    threadsPerBlockMax: attribute("CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK"),
    sharedBytesPerBlockMax: attribute("CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
  };
}

/** As the driver's tools print it. */
function uuidOf({ cuDeviceGetUuid }: Driver["symbols"], ordinal: DeviceOrdinal): string | undefined {
  const bytes = new Uint8Array(new ArrayBuffer(UUID_BYTES));
  if (cuDeviceGetUuid === null || cuDeviceGetUuid(bytes, ordinal) !== SUCCESS) return undefined;
  const groups = [[0, 4], [4, 6], [6, 8], [8, 10], [10, 16]].map(([from, to]) =>
    bytes.subarray(from, to).toHex()
  );
  return `GPU-${groups.join("-")}`;
}

/**
 * Without it the pool gives everything back at each synchronisation, and the next allocation asks the system. A
 * driver that refuses is slower, nothing else.
 */
function keepPool({ symbols, cell }: Driver, ordinal: DeviceOrdinal): void {
  const { cuDeviceGetDefaultMemPool, cuMemPoolSetAttribute } = symbols;
  if (cuDeviceGetDefaultMemPool === null || cuMemPoolSetAttribute === null) return;
  if (cuDeviceGetDefaultMemPool(cell.bytes, ordinal) !== SUCCESS) return;
  const pool = cell.pointer<"CUmemoryPool">();
  const attribute = POOL_ATTRIBUTE.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
  cuMemPoolSetAttribute(pool, attribute, cell.set(POOL_KEPT_BYTES).bytes);
}

/** Opens a GPU. @throws CudaUnavailable with every path that was tried */
export function openCudaDevice(options: CudaDeviceOptions = {}): CudaDevice {
  return new CudaDevice(options);
}
