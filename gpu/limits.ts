/**
 * GpuLimits: what one guest instance may have of a device.
 *
 * Owns the shape and the defaults of the reference (§2.3); the runtime's settings give the values. Invariant:
 * a refusal names the limit by its key here, its value and the actual value.
 */

/** Limits of one session. Sizes in bytes. */
export interface GpuLimits {
  /** Most device memory, buffers and windows together. */
  readonly gpuMemoryBytesMax: number;
  /** Largest buffer. */
  readonly gpuAllocationBytesMax: number;
  /** Most allocations that live at a time, those for windows included. */
  readonly gpuAllocationsMax: number;
  readonly gpuKernelsMax: number;
  /** Most streams and events together. */
  readonly gpuStreamsMax: number;
  /** Largest PTX of one load, and all that is loaded. */
  readonly ptxBytesMax: number;
  readonly ptxTotalBytesMax: number;
  readonly gpuEntryNameBytesMax: number;
  /** Argument records of one launch, and their bytes. */
  readonly gpuArgsCountMax: number;
  readonly gpuArgsBytesMax: number;
  /** Longest text of the last error. */
  readonly gpuErrorBytesMax: number;
}

const MIB = 1024 * 1024;

/** The defaults. */
export const DEFAULT_GPU_LIMITS: GpuLimits = Object.freeze({
  gpuMemoryBytesMax: 4096 * MIB,
  gpuAllocationBytesMax: 256 * MIB,
  gpuAllocationsMax: 4096,
  gpuKernelsMax: 256,
  gpuStreamsMax: 256,
  ptxBytesMax: 8 * MIB,
  ptxTotalBytesMax: 512 * MIB,
  gpuEntryNameBytesMax: 256,
  gpuArgsCountMax: 128,
  gpuArgsBytesMax: 4096,
  gpuErrorBytesMax: 512,
});
