/**
 * GpuRefusal: a call of the ABI that the session refuses, and what every failure means to a guest.
 *
 * Owns the refusal and the way from a device's failure to an ABI code. It records nothing (last_error.ts keeps
 * the text). Invariant: whatever a guest or a device does wrong has exactly one code; anything else that is
 * thrown is a bug of ours and goes through unchanged.
 */
import { GPU_CODES } from "../abi.ts";
import type { GpuCodeName } from "../abi.ts";
import { GpuError } from "../gpu_error.ts";
import type { CudaStatusName } from "../gpu_error.ts";

/** A refusal by the session itself. */
export class GpuRefusal extends Error {
  override readonly name = "GpuRefusal";
  readonly code: GpuCodeName;

  constructor(code: GpuCodeName, text: string) {
    super(text);
    this.code = code;
  }
}

/** A refusal that names a limit, its value and the actual value. */
export function overLimit(what: string, limit: string, max: number, actual: number): GpuRefusal {
  return new GpuRefusal("quotaExceeded", `${what}: ${limit} is ${max}, got ${actual}`);
}

/** Statuses with a code of their own; the others are launchFailed. */
const CODE_OF_STATUS: Partial<Readonly<Record<CudaStatusName, GpuCodeName>>> = {
  CUDA_ERROR_INVALID_PTX: "malformedPtx",
  CUDA_ERROR_INVALID_IMAGE: "malformedPtx",
  CUDA_ERROR_NO_BINARY_FOR_GPU: "malformedPtx",
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION: "malformedPtx",
  CUDA_ERROR_OUT_OF_MEMORY: "quotaExceeded",
  CUDA_ERROR_INVALID_HANDLE: "invalidHandle",
  CUDA_ERROR_NOT_READY: "notReady",
};

/** What a failure is to a guest, and to those who look at it. */
export interface Failure {
  readonly code: number;
  /** Its word on spans. */
  readonly reason: string;
  /** Present if it was the device that failed. */
  readonly status: CudaStatusName | undefined;
  /** Whether everything after it fails with the same. */
  readonly isSticky: boolean;
}

/** What an error is; undefined for a bug of ours. */
export function describeFailure(error: unknown): Failure | undefined {
  if (error instanceof GpuRefusal) {
    return { code: GPU_CODES[error.code], reason: snakeCase(error.code), status: undefined, isSticky: false };
  }
  if (!(error instanceof GpuError)) return undefined;
  const { statusName, isSticky } = error;
  const code = GPU_CODES[CODE_OF_STATUS[statusName] ?? "launchFailed"];
  return { code, reason: statusName, status: statusName, isSticky };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
