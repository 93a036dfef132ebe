/**
 * Checked: from the status of a driver call to a GpuError.
 *
 * Owns the names of status numbers and the text of an error. It calls nothing. Invariant: a status that is not
 * CUDA_SUCCESS never passes unseen through `check`.
 */
import { CUDA_STATUS, GpuError } from "../gpu_error.ts";
import type { CudaStatusName } from "../gpu_error.ts";

/** CUDA_SUCCESS (cuda.h 13.0). */
export const SUCCESS = 0;
/** CUDA_ERROR_NOT_READY: what a query answers while there is work. */
export const NOT_READY = CUDA_STATUS.CUDA_ERROR_NOT_READY;

let names: ReadonlyMap<number, CudaStatusName> | undefined;

/** The name of a status; undefined for a number that cuda.h 13.0 does not have. */
export function statusName(status: number): CudaStatusName | undefined {
  names ??= new Map(Object.entries(CUDA_STATUS).map(([name, value]) => [value, name as CudaStatusName]));
  return names.get(status);
}

/** The error of a call that answered with a status. */
export function driverError(call: string, status: number, detail = "the driver refused"): GpuError {
  const name = statusName(status);
  if (name !== undefined) return new GpuError(call, name, detail);
  return new GpuError(call, "CUDA_ERROR_UNKNOWN", `${detail} (status ${status}, which cuda.h 13.0 has not)`);
}

/** @throws GpuError unless the status is CUDA_SUCCESS */
export function check(call: string, status: number, detail?: string): void {
  if (status !== SUCCESS) throw driverError(call, status, detail);
}
