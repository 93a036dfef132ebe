/**
 * DriverEnvironment: what a process that opens the CUDA driver finds in its environment.
 *
 * Owns two choices that keep tenants apart, and hands on what the operator has set. It reads no environment
 * (config.ts does). Invariants: what the driver compiled for one tenant is never another's; a process is the
 * client of no service that it shares with another tenant's, unless the operator says so.
 */
import type { GpuChoice } from "../model/gpu.ts";

/**
 * Where a multi-process service runs, the driver joins it by default. It takes the work of all processes into one,
 * and a fault of one client ends the others (Multi-Process Service, "Memory Protection and Error Containment").
 * A folder without its pipes keeps a process out of it.
 */
const NO_SERVICE = { CUDA_MPS_PIPE_DIRECTORY: "/dev/null" } as const;

/** Of every such process. */
export function baseEnvironment({ driverEnvironment: given }: Pick<GpuChoice, "driverEnvironment">): Record<
  string,
  string
> {
  return { ...NO_SERVICE, ...given };
}

/**
 * Of a tenant's. The driver keeps what it compiled in a folder of the user's, one for all its processes: from how
 * long a load takes one tenant could learn what another has loaded, and what lies there is code. So there is none,
 * unless the operator names a folder; then each tenant has one of its own in it.
 */
export function driverEnvironment(
  choice: Pick<GpuChoice, "driverEnvironment" | "cacheFolder">,
  tenant: string,
): Record<string, string> {
  const { cacheFolder } = choice;
  return cacheFolder === undefined
    ? { ...baseEnvironment(choice), CUDA_CACHE_DISABLE: "1" }
    : { ...baseEnvironment(choice), CUDA_CACHE_PATH: `${cacheFolder}/${tenant}` };
}
