/**
 * Survey: which GPUs the driver shows, and which of them can be used.
 *
 * Owns the look at each of them. It makes no context, and what it opens is closed again. Invariant: a device that
 * is left out is told with its reason.
 */
import type { GpuDeviceInfo } from "../device.ts";
import { statusName, SUCCESS } from "./checked.ts";
import { CudaDevice } from "./device.ts";
import type { CudaDeviceOptions } from "./device.ts";
import { CudaUnavailable, openLibrary } from "./library.ts";
import { OutCell } from "./pointers.ts";

/** What the driver shows. */
export interface CudaSurvey {
  /** Where the driver library was found, and the newest CUDA version that it knows. */
  readonly driverPath: string;
  readonly driverVersion: { readonly major: number; readonly minor: number };
  /** Those that can be used, at least one. */
  readonly devices: readonly GpuDeviceInfo[];
  /** Those that cannot. */
  readonly unusable: readonly { readonly index: number; readonly reason: string }[];
}

/** Looks at every GPU. @throws CudaUnavailable if there is none that can be used */
export function surveyCuda(options: Omit<CudaDeviceOptions, "deviceIndex"> = {}): CudaSurvey {
  const { path, symbols } = openLibrary(options);
  const cell = new OutCell();
  const ask = (call: string, status: number): void => {
    if (status === SUCCESS) return;
    throw useless(path, `${call} answers ${statusName(status) ?? status}`);
  };
  ask("cuInit", symbols.cuInit(0));
  ask("cuDeviceGetCount", symbols.cuDeviceGetCount(cell.bytes));
  const count = cell.int();
  const devices: GpuDeviceInfo[] = [];
  const unusable: { index: number; reason: string }[] = [];
  let driverVersion = { major: 0, minor: 0 };
  for (let index = 0; index < count; index++) {
    try {
      using device = new CudaDevice({ ...options, driverPath: path, deviceIndex: index });
      driverVersion = device.driverVersion;
      devices.push(device.info);
    } catch (error) {
      if (!(error instanceof CudaUnavailable)) throw error;
      unusable.push({ index, reason: error.tried[0]?.reason ?? error.message });
    }
  }
  if (devices.length > 0) return { driverPath: path, driverVersion, devices, unusable };
  const reasons = unusable.map(({ index, reason }) => `device ${index}: ${reason}`);
  throw useless(path, reasons.length === 0 ? "the driver shows no device" : reasons.join("; "));
}

function useless(path: string, reason: string): CudaUnavailable {
  return new CudaUnavailable("the driver library was found, but is of no use", [{ path, reason }]);
}
