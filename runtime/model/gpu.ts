/**
 * Gpu: which device calls have, as plain data that crosses processes.
 *
 * Owns the shapes and the bounds of the histograms that cells fill. It opens no device (runtime/cell does).
 * Invariant: nothing here names a guest or a tenant.
 */

/** What the operator chose. */
export interface GpuChoice {
  readonly device: "auto" | "cuda" | "cpu" | "off";
  /** Threads of a cell that a kernel may use on the cpu device. */
  readonly threads: number;
  /** The CUDA driver library; the usual places are searched if absent. */
  readonly driverPath: string | undefined;
  /** Where the system's loader was told to look for libraries (LD_LIBRARY_PATH): the driver may lie there. */
  readonly loaderFolders: readonly string[];
  /** Whether a GPU is used whose kernels can read and write the memory of the process that launches them. */
  readonly allowHostMemory: boolean;
  /** Most cells that have a context on one GPU, and most of one tenant on all of them. */
  readonly cellsPerDeviceMax: number;
  readonly cellsPerTenantMax: number;
  /** Most calls that use one GPU at a time. */
  readonly callsPerDeviceMax: number;
  /** How large copies go (gpu/cuda/transfers.ts). */
  readonly copies: "direct" | "staged" | "registered";
  /** How long such a cell may idle. */
  readonly cellIdleMsMax: number;
  /** Variables of the driver that are handed on to processes which open it. */
  readonly driverEnvironment: Readonly<Record<string, string>>;
  /** Below it each tenant has a folder in which the driver keeps what it compiled; nothing is kept if absent. */
  readonly cacheFolder: string | undefined;
}

/** Which device shared cells open, and how many of their threads a kernel may use. */
export interface GpuConfig {
  readonly device: "cpu" | "off";
  readonly threads: number;
}

/** The GPU that a dedicated cell opens before it gives up its permissions. */
export interface CudaSeat {
  readonly driverPath: string;
  readonly deviceIndex: number;
  readonly allowHostMemory: boolean;
  readonly copies: GpuChoice["copies"];
  /** Most device memory of all calls of the cell together. */
  readonly memoryBytesMax: number;
}

/** What a look at the CUDA driver found. */
export interface CudaFound {
  readonly driverPath: string;
  /** The newest CUDA version that the driver knows, as `13.0`. */
  readonly driverVersion: string;
  /** At least one. */
  readonly devices: readonly DeviceFacts[];
  /** Devices that are not used, with the reason. */
  readonly unusable: readonly { readonly index: number; readonly reason: string }[];
}

/** What a call can have. */
export interface GpuPlan {
  /** A label of metrics. */
  readonly kind: "cpu" | "cuda" | "off";
  /** What shared cells give their guests. */
  readonly shared: GpuConfig;
  /** Present if calls that use the interface go to dedicated cells. */
  readonly cuda: CudaFound | undefined;
  /** Most of these on one GPU. */
  readonly cellsPerDeviceMax: number;
  /** Why `auto` came to the cpu device. */
  readonly fallback: string | undefined;
}

/** What a device is, as `GET /device` shows it. Sizes in bytes. */
export interface DeviceFacts {
  readonly kind: "cpu" | "cuda";
  readonly index: number;
  readonly name: string;
  /** The driver's own name for it, where there is one. */
  readonly uuid?: string;
  readonly computeCapability: string;
  readonly multiprocessorCount: number;
  readonly memoryBytes: number;
  readonly warpSize: number;
  readonly threadsPerBlockMax: number;
  readonly sharedBytesPerBlockMax: number;
}

/** Upper bounds of tensor_wasm_kernel_latency_seconds (reference §5.1). */
export const KERNEL_LATENCY_SECONDS: readonly number[] = Object.freeze([
  ...[0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10],
]);

/** Upper bounds of tensor_wasm_ptx_compile_seconds. */
export const PTX_COMPILE_SECONDS: readonly number[] = Object.freeze([
  ...[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]);
