/**
 * GpuError: a failure of a device, in the terms of the CUDA driver.
 *
 * Owns the error and the CUresult values that devices report (cuda.h of CUDA 13.0, enum cudaError_enum). Both
 * devices throw it; the session turns it into an ABI code and a text. Invariant: `isSticky` is true exactly for
 * statuses after which the context answers every call with the same status.
 */

/** CUresult values by their names, those that a device here reports (cuda.h 13.0). */
export const CUDA_STATUS = {
  CUDA_ERROR_INVALID_VALUE: 1,
  CUDA_ERROR_OUT_OF_MEMORY: 2,
  CUDA_ERROR_NOT_INITIALIZED: 3,
  CUDA_ERROR_NO_DEVICE: 100,
  CUDA_ERROR_INVALID_CONTEXT: 201,
  CUDA_ERROR_INVALID_PTX: 218,
  CUDA_ERROR_INVALID_HANDLE: 400,
  CUDA_ERROR_NOT_FOUND: 500,
  CUDA_ERROR_NOT_READY: 600,
  CUDA_ERROR_ILLEGAL_ADDRESS: 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: 701,
  CUDA_ERROR_LAUNCH_TIMEOUT: 702,
  CUDA_ERROR_ASSERT: 710,
  CUDA_ERROR_MISALIGNED_ADDRESS: 716,
  CUDA_ERROR_LAUNCH_FAILED: 719,
  CUDA_ERROR_NOT_SUPPORTED: 801,
  CUDA_ERROR_UNKNOWN: 999,
} as const;

/** The name of a CUresult. */
export type CudaStatusName = keyof typeof CUDA_STATUS;

/** Statuses that poison a context: errors of a running kernel. */
const STICKY: ReadonlySet<CudaStatusName> = new Set<CudaStatusName>([
  "CUDA_ERROR_ILLEGAL_ADDRESS",
  "CUDA_ERROR_LAUNCH_TIMEOUT",
  "CUDA_ERROR_ASSERT",
  "CUDA_ERROR_MISALIGNED_ADDRESS",
  "CUDA_ERROR_LAUNCH_FAILED",
]);

/** A device's refusal or failure. */
export class GpuError extends Error {
  override readonly name = "GpuError";
  readonly statusName: CudaStatusName;
  /** The number of the CUresult. */
  readonly status: number;
  /** What was tried: `launch`, `allocate`, … */
  readonly call: string;
  /** Whether the context is of no use any more. */
  readonly isSticky: boolean;

  constructor(call: string, statusName: CudaStatusName, detail: string) {
    super(`${statusName} (${CUDA_STATUS[statusName]}) in ${call}: ${detail}`);
    this.call = call;
    this.statusName = statusName;
    this.status = CUDA_STATUS[statusName];
    this.isSticky = STICKY.has(statusName);
  }
}
