/**
 * Hardware: the GPU of this host, if there is one.
 *
 * Owns how the tests of this folder find it (TENSOR_WASM_CUDA_DRIVER names another driver library) and what is
 * printed where there is none. Invariant: a host without a GPU is never counted as one that passed.
 */
import { CudaUnavailable, openCudaDevice } from "../../../gpu/cuda/mod.ts";
import type { CudaDevice, CudaDeviceOptions } from "../../../gpu/cuda/mod.ts";

/** Opens the GPU of this host. @throws CudaUnavailable */
export function openHardware(options: CudaDeviceOptions = {}): CudaDevice {
  const driverPath = Deno.env.get("TENSOR_WASM_CUDA_DRIVER");
  // Kernels here are ours: they may run where they could reach this process.
  const open = { allowHostMemoryAccess: true, ...options };
  return openCudaDevice(driverPath === undefined ? open : { ...open, driverPath });
}

/** Why there is no GPU to test on; undefined if there is one. */
export function whyNoHardware(): string | undefined {
  try {
    using device = openHardware();
    return device.info.kind === "cuda" ? undefined : "another kind of device";
  } catch (error) {
    if (error instanceof CudaUnavailable) return error.message;
    throw error;
  }
}

/** Registers tests if there is a GPU; otherwise one that is skipped, with the reason printed. */
export function onHardware(name: string, register: () => void): void {
  const reason = whyNoHardware();
  if (reason === undefined) return register();
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: ${name}: ${reason}\n`));
  Deno.test({ name: `${name} (skipped: no CUDA)`, ignore: true, fn: () => {} });
}
