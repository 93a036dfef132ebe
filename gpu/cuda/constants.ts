/**
 * Constants of the CUDA driver API, by their names in C.
 *
 * Owns the enum values and sizes that this folder passes to the driver (source: cuda.h of CUDA 13.0; CUresult is
 * in ../gpu_error.ts). It says nothing of what they are for. Invariant: a test compiles a C program against
 * cuda.h and compares every value here (tests/gpu/cuda/header_test.ts).
 */

/** enum CUdevice_attribute. */
export const DEVICE_ATTRIBUTE = {
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: 1,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: 8,
  CU_DEVICE_ATTRIBUTE_WARP_SIZE: 10,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 16,
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: 39,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 76,
  CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS: 88,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: 97,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: 115,
} as const;

/** enum CUfunction_attribute. */
export const FUNCTION_ATTRIBUTE = {
  CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: 0,
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: 1,
  CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: 3,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: 8,
} as const;

/** enum CUjit_option. */
export const JIT_OPTION = {
  CU_JIT_ERROR_LOG_BUFFER: 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: 6,
} as const;

/** enums CUctx_flags, CUstream_flags, CUevent_flags and CUevent_wait_flags; CU_MEMHOSTALLOC_* are macros. */
export const FLAG = {
  CU_CTX_SCHED_AUTO: 0,
  CU_STREAM_NON_BLOCKING: 1,
  CU_EVENT_DEFAULT: 0,
  CU_EVENT_DISABLE_TIMING: 2,
  CU_EVENT_WAIT_DEFAULT: 0,
  CU_MEMHOSTALLOC_PORTABLE: 1,
} as const;

/** enum CUmemPool_attribute. */
export const POOL_ATTRIBUTE = {
  CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: 4,
} as const;

/** Words of the `extra` array of cuLaunchKernel (macros CU_LAUNCH_PARAM_*). */
export const LAUNCH_PARAM = {
  CU_LAUNCH_PARAM_END_AS_INT: 0,
  CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT: 1,
  CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT: 2,
} as const;

/** Sizes of the types that cross the boundary, in bytes. */
export const TYPE_BYTES = {
  CUresult: 4,
  CUdevice: 4,
  CUdeviceptr: 8,
  CUcontext: 8,
  CUmodule: 8,
  CUfunction: 8,
  CUstream: 8,
  CUevent: 8,
  CUmemoryPool: 8,
  CUjit_option: 4,
  size_t: 8,
} as const;
