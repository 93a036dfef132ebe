/**
 * DriverEnvironment: what a process that opens the CUDA driver finds in its environment.
 *
 * Owns two choices that keep tenants apart, two that the driver cannot do without here, and hands on what the
 * operator has set. It reads no environment (config.ts does). Invariants: what the driver compiled for one tenant
 * is never another's; a process is the client of no service that it shares with another tenant's, unless the
 * operator says so.
 */
import type { GpuChoice } from "../model/gpu.ts";

/**
 * Where a multi-process service runs, the driver joins it by default. It takes the work of all processes into one,
 * and a fault of one client ends the others (Multi-Process Service, "Memory Protection and Error Containment").
 * A folder without its pipes keeps a process out of it.
 */
const NO_SERVICE = { CUDA_MPS_PIPE_DIRECTORY: "/dev/null" } as const;

/**
 * Otherwise a kernel is loaded when it is first looked up or launched, which may wait for all that runs in the
 * context (CUDA Programming Guide, "Lazy Loading"): a launch would hold the thread up. All of a module is loaded
 * with it instead.
 */
const LOADED_AT_ONCE = { CUDA_MODULE_LOADING: "EAGER" } as const;

/** Where the system's loader looks without being told. */
const LOADER_FOLDERS = /^(\/usr)?\/lib(64|\/[a-z0-9_]+-linux-gnu)?$/;

/** Of every such process. @param driverPaths whole paths of the libraries that it may open */
export function baseEnvironment(
  { driverEnvironment: given }: Pick<GpuChoice, "driverEnvironment">,
  driverPaths: readonly string[],
): Record<string, string> {
  return { ...NO_SERVICE, ...LOADED_AT_ONCE, ...loaderEnvironment(driverPaths), ...given };
}

/**
 * The driver opens parts of itself by their names alone, its compiler among them (libnvidia-ptxjitcompiler.so.1,
 * without which each load is CUDA_ERROR_JIT_COMPILER_NOT_FOUND); they lie beside it. Where that is no place of the
 * loader's it must be told, and only there: a variable of the loader takes a permission to run any program.
 */
function loaderEnvironment(driverPaths: readonly string[]): Record<string, string> {
  const folders = driverPaths.map((path) => path.slice(0, path.lastIndexOf("/")));
  const unknown = new Set(folders.filter((folder) => !LOADER_FOLDERS.test(folder)));
  return unknown.size === 0 ? {} : { LD_LIBRARY_PATH: [...unknown].join(":") };
}

/**
 * Of a tenant's. The driver keeps what it compiled in a folder of the user's, one for all its processes: from how
 * long a load takes one tenant could learn what another has loaded, and what lies there is code. So there is none,
 * unless the operator names a folder; then each tenant has one of its own in it.
 */
export function driverEnvironment(
  choice: Pick<GpuChoice, "driverEnvironment" | "cacheFolder">,
  tenant: string,
  driverPath: string,
): Record<string, string> {
  const { cacheFolder } = choice;
  const base = baseEnvironment(choice, [driverPath]);
  return cacheFolder === undefined
    ? { ...base, CUDA_CACHE_DISABLE: "1" }
    : { ...base, CUDA_CACHE_PATH: `${cacheFolder}/${tenant}` };
}
