/**
 * Why a kernel trapped, as the error of a device.
 *
 * Owns the reading of a launch record's fault and of the engine's own traps. It decides nothing about the
 * context. Invariant: whatever a kernel throws becomes an error that is sticky.
 */
import { GpuError } from "../gpu_error.ts";
import type { CudaStatusName } from "../gpu_error.ts";
import { FAULT, RECORD } from "../ptx/launch_record.ts";
import type { SourcePlaces } from "../ptx/source_places.ts";
import type { CodeLines } from "../ptx/wasm/code_lines.ts";

const BY_CODE: ReadonlyMap<number, readonly [CudaStatusName, string]> = new Map([
  [FAULT.illegalAddress, ["CUDA_ERROR_ILLEGAL_ADDRESS", "an address outside of the memory was accessed"]],
  [FAULT.timeout, ["CUDA_ERROR_LAUNCH_TIMEOUT", "the kernel was stopped: its time or fuel is over"]],
  [FAULT.assert, ["CUDA_ERROR_ASSERT", "an assertion of the kernel failed"]],
  [FAULT.misalignedAddress, [
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "an address is not a multiple of what is accessed",
  ]],
  [FAULT.launchFailed, [
    "CUDA_ERROR_LAUNCH_FAILED",
    "the kernel trapped, or its threads wait for each other in vain",
  ]],
]);

/** The code that ran. */
export interface FaultyCode {
  readonly kernel: string;
  /** The lines of its accesses: those that the engine checks, which say nothing of themselves. */
  readonly lines: CodeLines;
  readonly places: SourcePlaces;
}

/** @param record place of the launch record in `bytes` */
export function toKernelError(
  thrown: unknown,
  bytes: Uint8Array,
  record: number,
  faulty: FaultyCode,
): GpuError {
  const view = new DataView(bytes.buffer);
  const code = view.getInt32(record + RECORD.fault, true);
  const line = code === 0 ? faulty.lines.ofTrap(thrown) : view.getInt32(record + RECORD.faultLine, true);
  const named = BY_CODE.get(code) ?? ofTrap(thrown);
  return new GpuError("launch", named[0], `${named[1]}, in ${placeText(faulty, line)}`);
}

/** The error of a trap in a helper, of which number and place alone are known. */
export function ofHelperTrap(code: number, offset: number, faulty: FaultyCode): GpuError {
  const [status, text] = BY_CODE.get(code) ?? ["CUDA_ERROR_LAUNCH_FAILED" as const, "the kernel trapped"];
  return new GpuError("launch", status, `${text}, in ${placeText(faulty, faulty.lines.lineAt(offset))}`);
}

function placeText({ kernel, places }: FaultyCode, line: number): string {
  if (line === 0) return kernel;
  const place = places.placeOf(line);
  return `${kernel} (line ${line} of the PTX${place === undefined ? "" : `, ${place}`})`;
}

/** The engine names its traps by their messages alone. */
function ofTrap(thrown: unknown): readonly [CudaStatusName, string] {
  const message = thrown instanceof Error ? thrown.message : "";
  if (/out of bounds/.test(message)) {
    return ["CUDA_ERROR_ILLEGAL_ADDRESS", "an address outside of the memory was accessed"];
  }
  if (/unaligned/.test(message)) {
    return ["CUDA_ERROR_MISALIGNED_ADDRESS", "an address is not a multiple of what is accessed"];
  }
  return ["CUDA_ERROR_LAUNCH_FAILED", `the kernel trapped: ${message}`];
}
