/**
 * `wasi:cuda/host` for a cell without a device: every function answers NotAvailable.
 *
 * Owns the binding of the ABI (gpu/abi.ts) to a guest. No device is implemented yet, so a guest that imports
 * the interface deploys and runs, and takes its own CPU path when the first call answers -1, as the contract
 * has it for hosts without CUDA. Invariant: no argument is looked at before availability was answered.
 */
import { GPU_CODES, GPU_FUNCTIONS, GPU_MODULE_NAMES } from "../../../gpu/mod.ts";
import type { HostFunctions, HostModule } from "../guest_context.ts";

function open(): HostFunctions {
  const unavailable = (): number => GPU_CODES.notAvailable;
  return {
    wasi_cuda_load_ptx: (): bigint => BigInt(GPU_CODES.notAvailable),
    wasi_cuda_launch: unavailable,
    wasi_cuda_sync: unavailable,
    wasi_cuda_last_error_len: unavailable,
    wasi_cuda_last_error_copy: unavailable,
  };
}

/** The host module. */
export const cudaModule: HostModule = { names: GPU_MODULE_NAMES, functions: GPU_FUNCTIONS, open };
