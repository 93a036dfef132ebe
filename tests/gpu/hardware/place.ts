/**
 * Place: the GPU and the driver of this host, as they stand in tables.
 *
 * Invariant: a stand-in for the driver (tests/gpu/cuda/fake_cuda.c) is never taken for a GPU.
 */
import { openHardware } from "./hardware.ts";

/** Where something ran. */
export interface HardwarePlace {
  /** ISO 8601. */
  readonly date: string;
  readonly device: string;
  readonly driver: string;
  readonly isStandIn: boolean;
}

/** The stand-in's devices have this name and a number. */
const STAND_IN = /^Fake GPU /;

/** The place, as of now. @throws CudaUnavailable where there is none */
export function placeOf(): HardwarePlace {
  using device = openHardware();
  const { info: { name, computeCapability: { major, minor } }, driverVersion } = device;
  return {
    date: new Date().toISOString(),
    device: `${name} (sm_${major}${minor})`,
    driver: `${kernelDriver()}CUDA ${driverVersion.major}.${driverVersion.minor}`,
    isStandIn: STAND_IN.test(name),
  };
}

/** The version of the kernel module, where the host tells it. */
function kernelDriver(): string {
  try {
    const text = Deno.readTextFileSync("/proc/driver/nvidia/version");
    const version = /\b(\d{3}\.\d+(?:\.\d+)*)\b/.exec(text)?.[1];
    return version === undefined ? "" : `${version}, `;
  } catch {
    return "";
  }
}
