/**
 * Kernel interface: what compiled kernels and the device that runs them agree on, besides the launch record.
 *
 * Owns names of imports and of the export, the base of device addresses and the largest sizes. It imports
 * nothing, so that a device can be made before anything is compiled. Invariant: addresses below DEVICE_BASE are
 * outside of every memory.
 */

/** Address of the first byte of a context's memory, as kernels see it. Below it every access is an error. */
export const DEVICE_BASE = 0x4000_0000n;

/** Most shared memory of a block: that of an H100, opted in. */
export const SHARED_BYTES_MAX = 227 * 1024;

/** Names of imports, all in the module `k`. */
export const IMPORT = {
  memory: "memory",
  tick: "tick",
  print: "print",
  clock: "clock",
  imageBase: "imageBase",
} as const;

/** Name of the exported function: (place of the launch record) -> nothing. */
export const RUN_EXPORT = "run";
