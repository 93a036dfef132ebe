/**
 * OpenDevice: the one place that knows which devices there are.
 *
 * Owns the choice by kind. It asks no environment and no setting (runtime/config.ts does). Invariants: what it
 * returns is ready for contexts; undefined is for guests that are to have no device; code of the CUDA device is
 * fetched only where it may be wanted.
 */
import { openCpuDevice } from "./cpu/device.ts";
import type { CudaDevice, CudaDeviceOptions } from "./cuda/device.ts";
import type { CudaSurvey } from "./cuda/survey.ts";
import type { GpuDevice } from "./device.ts";

/** Which device, and how it is to run. */
export interface DeviceOptions {
  /** `auto` is a GPU where the driver shows one that can be used, else the CPU. */
  readonly device: "auto" | "cuda" | "cpu" | "off";
  /** Threads that a kernel may use on the CPU. */
  readonly threads: number;
  /** For `auto` and `cuda`. Opening one takes an FFI permission for the driver library. */
  readonly cuda?: CudaDeviceOptions;
  /** Told why `auto` came to the CPU. */
  readonly onFallback?: (reason: string) => void;
}

/** Opens a device that needs no look at the host. */
export function openDevice(
  options: DeviceOptions & { readonly device: "cpu" | "off" },
): GpuDevice | undefined;
/** Opens a device. Rejects with CudaUnavailable, which names every path that was tried, if `cuda` was asked for. */
export function openDevice(options: DeviceOptions): GpuDevice | undefined | Promise<GpuDevice>;
export function openDevice(options: DeviceOptions): GpuDevice | undefined | Promise<GpuDevice> {
  const { device, threads } = options;
  if (device === "off") return undefined;
  return device === "cpu" ? openCpuDevice({ threads }) : openGpu(options);
}

async function openGpu({ device, threads, cuda = {}, onFallback }: DeviceOptions): Promise<GpuDevice> {
  const { CudaUnavailable, openCudaDevice } = await import("./cuda/mod.ts");
  try {
    return openCudaDevice(cuda);
  } catch (error) {
    if (device === "cuda" || !(error instanceof CudaUnavailable)) throw error;
    onFallback?.(error.message);
    return openCpuDevice({ threads });
  }
}

/** Opens a GPU, for who keeps the process that has it. Rejects with CudaUnavailable. */
export async function openGpuDevice(options: CudaDeviceOptions): Promise<CudaDevice> {
  const { openCudaDevice } = await import("./cuda/mod.ts");
  return openCudaDevice(options);
}

/** Looks at every GPU that the driver shows. Rejects with CudaUnavailable if there is none that can be used. */
export async function surveyGpus(options: Omit<CudaDeviceOptions, "deviceIndex">): Promise<CudaSurvey> {
  const { surveyCuda } = await import("./cuda/mod.ts");
  return surveyCuda(options);
}
