/**
 * The guest ABI of `wasi:cuda/host`: names, signatures and result codes.
 *
 * Owns the tables that guests compile against (guest contract; reference §2.1–2.2). It opens no device.
 * Invariant: a code or signature never changes meaning; new codes continue from the last.
 */

/** Result codes; 0 and positive values are success. */
export const GPU_CODES = {
  /** No device, or the capability is not granted to this guest: indistinguishable on purpose. */
  notAvailable: -1,
  invalidPointer: -2,
  invalidKernel: -3,
  malformedPtx: -4,
  launchFailed: -5,
  quotaExceeded: -6,
  internal: -7,
  invalidDimensions: -8,
  invalidArgs: -9,
  kernelArgsUnsupported: -10,
  invalidHandle: -11,
} as const;

/** Import module names of the interface. */
export const GPU_MODULE_NAMES = ["wasi:cuda/host@0.2.0", "wasi:cuda/host@0.1.0"] as const;

/** WebAssembly number types as the ABI uses them. */
export type GpuAbiType = "i32" | "i64";

/** A function of the interface. */
export interface GpuAbiFunction {
  readonly params: readonly GpuAbiType[];
  readonly results: readonly GpuAbiType[];
}

/** The functions whose names and types the reference states (§2.1). */
export const GPU_FUNCTIONS = {
  /** (ptx_ptr, ptx_len, entry_ptr, entry_len) -> kernel id or code */
  wasi_cuda_load_ptx: { params: ["i32", "i32", "i32", "i32"], results: ["i64"] },
  /** (kernel, gx, gy, gz, bx, by, bz, shared_mem, args_ptr, args_len) -> code */
  wasi_cuda_launch: {
    params: ["i64", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    results: ["i32"],
  },
  /** () -> code */
  wasi_cuda_sync: { params: [], results: ["i32"] },
  /** () -> bytes of the last error, 0 for none */
  wasi_cuda_last_error_len: { params: [], results: ["i32"] },
  /** (dst, len) -> bytes copied */
  wasi_cuda_last_error_copy: { params: ["i32", "i32"], results: ["i32"] },
} as const satisfies Record<string, GpuAbiFunction>;
