/**
 * Gpu: which device calls have, as plain data that crosses processes.
 *
 * Owns the shapes and the bounds of the histograms that cells fill. It opens no device (runtime/cell does).
 * Invariant: nothing here names a guest or a tenant.
 */

/** Which device cells open, and how many of their threads a kernel may use. */
export interface GpuConfig {
  readonly device: "cpu" | "off";
  readonly threads: number;
}

/** What a device is, as `GET /device` shows it. Sizes in bytes. */
export interface DeviceFacts {
  readonly kind: "cpu" | "cuda";
  readonly index: number;
  readonly name: string;
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
