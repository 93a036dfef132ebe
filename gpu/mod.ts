/**
 * Public surface of the GPU library: re-exports only.
 *
 * Today it is the guest ABI. No device is implemented yet: a host that offers these functions answers
 * `notAvailable` to each.
 */
export { GPU_CODES, GPU_FUNCTIONS, GPU_MODULE_NAMES } from "./abi.ts";
export type { GpuAbiFunction, GpuAbiType } from "./abi.ts";
