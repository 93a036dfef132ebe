/**
 * Symbols of the CUDA driver library that the device calls.
 *
 * Owns the one table: each row has its C prototype above it, as in cuda.h of CUDA 13.0, and the versioned name
 * of the exported function in `name`. All run on the caller's thread: a context is current to a thread, and a
 * call that is `nonblocking` would run on another, where none is. Handles and device addresses are `u64`:
 * pointer objects would take a permission that a cell does not have. Invariant: tests/gpu/cuda/header_test.ts
 * compiles every prototype against cuda.h and compares it with its row.
 */

/** The table for Deno.dlopen. */
export const CUDA_SYMBOLS = {
  // CUresult cuInit(unsigned int Flags)
  cuInit: { parameters: ["u32"], result: "i32" },
  // CUresult cuDriverGetVersion(int *driverVersion)
  cuDriverGetVersion: { parameters: ["buffer"], result: "i32" },

  // CUresult cuDeviceGetCount(int *count)
  cuDeviceGetCount: { parameters: ["buffer"], result: "i32" },
  // CUresult cuDeviceGet(CUdevice *device, int ordinal)
  cuDeviceGet: { parameters: ["buffer", "i32"], result: "i32" },
  // CUresult cuDeviceGetName(char *name, int len, CUdevice dev)
  cuDeviceGetName: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)
  cuDeviceGetUuid: {
    name: "cuDeviceGetUuid_v2",
    parameters: ["buffer", "i32"],
    result: "i32",
    optional: true,
  },
  // CUresult cuDeviceTotalMem(size_t *bytes, CUdevice dev)
  cuDeviceTotalMem: { name: "cuDeviceTotalMem_v2", parameters: ["buffer", "i32"], result: "i32" },
  // CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
  cuDeviceGetAttribute: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)
  cuDeviceGetDefaultMemPool: { parameters: ["buffer", "i32"], result: "i32", optional: true },

  // CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
  cuDevicePrimaryCtxRetain: { parameters: ["buffer", "i32"], result: "i32" },
  // CUresult cuDevicePrimaryCtxRelease(CUdevice dev)
  cuDevicePrimaryCtxRelease: { name: "cuDevicePrimaryCtxRelease_v2", parameters: ["i32"], result: "i32" },
  // The header's own name is _v4 since CUDA 13.0, with one parameter more; every driver still exports _v2.
  // CUresult cuCtxCreate_v2(CUcontext *pctx, unsigned int flags, CUdevice dev)
  cuCtxCreate: { name: "cuCtxCreate_v2", parameters: ["buffer", "u32", "i32"], result: "i32" },
  // CUresult cuCtxDestroy(CUcontext ctx)
  cuCtxDestroy: { name: "cuCtxDestroy_v2", parameters: ["u64"], result: "i32" },
  // CUresult cuCtxSetCurrent(CUcontext ctx)
  cuCtxSetCurrent: { parameters: ["u64"], result: "i32" },

  // CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions, CUjit_option *options, void **optionValues)
  cuModuleLoadDataEx: { parameters: ["buffer", "buffer", "u32", "buffer", "buffer"], result: "i32" },
  // CUresult cuModuleUnload(CUmodule hmod)
  cuModuleUnload: { parameters: ["u64"], result: "i32" },
  // CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
  cuModuleGetFunction: { parameters: ["buffer", "u64", "buffer"], result: "i32" },
  // CUresult cuModuleGetGlobal(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod, const char *name)
  cuModuleGetGlobal: {
    name: "cuModuleGetGlobal_v2",
    parameters: ["buffer", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)
  cuFuncGetAttribute: { parameters: ["buffer", "i32", "u64"], result: "i32" },
  // CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)
  cuFuncSetAttribute: { parameters: ["u64", "i32", "i32"], result: "i32" },
  // CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra)
  cuLaunchKernel: {
    parameters: ["u64", "u32", "u32", "u32", "u32", "u32", "u32", "u32", "u64", "u64", "buffer"],
    result: "i32",
  },

  // CUresult cuMemAlloc(CUdeviceptr *dptr, size_t bytesize)
  cuMemAlloc: { name: "cuMemAlloc_v2", parameters: ["buffer", "usize"], result: "i32" },
  // CUresult cuMemFree(CUdeviceptr dptr)
  cuMemFree: { name: "cuMemFree_v2", parameters: ["u64"], result: "i32" },
  // CUresult cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)
  cuMemAllocAsync: { parameters: ["buffer", "usize", "u64"], result: "i32", optional: true },
  // CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)
  cuMemFreeAsync: { parameters: ["u64", "u64"], result: "i32", optional: true },
  // CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)
  cuMemPoolSetAttribute: { parameters: ["u64", "i32", "buffer"], result: "i32", optional: true },
  // CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)
  cuMemHostAlloc: { parameters: ["buffer", "usize", "u32"], result: "i32" },
  // CUresult cuMemFreeHost(void *p)
  cuMemFreeHost: { parameters: ["u64"], result: "i32" },
  // CUresult cuMemHostRegister(void *p, size_t bytesize, unsigned int Flags)
  cuMemHostRegister: { name: "cuMemHostRegister_v2", parameters: ["u64", "usize", "u32"], result: "i32" },
  // CUresult cuMemHostUnregister(void *p)
  cuMemHostUnregister: { parameters: ["u64"], result: "i32" },

  // CUresult cuMemcpyHtoDAsync(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)
  cuMemcpyHtoDAsync: {
    name: "cuMemcpyHtoDAsync_v2",
    parameters: ["u64", "buffer", "usize", "u64"],
    result: "i32",
  },
  // The same from an address: pinned memory.
  // CUresult cuMemcpyHtoDAsync(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)
  cuMemcpyHtoDAsyncPinned: {
    name: "cuMemcpyHtoDAsync_v2",
    parameters: ["u64", "u64", "usize", "u64"],
    result: "i32",
  },
  // CUresult cuMemcpyDtoHAsync(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
  cuMemcpyDtoHAsync: {
    name: "cuMemcpyDtoHAsync_v2",
    parameters: ["buffer", "u64", "usize", "u64"],
    result: "i32",
  },
  // The same to an address.
  // CUresult cuMemcpyDtoHAsync(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
  cuMemcpyDtoHAsyncPinned: {
    name: "cuMemcpyDtoHAsync_v2",
    parameters: ["u64", "u64", "usize", "u64"],
    result: "i32",
  },
  // CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)
  cuMemsetD8Async: { parameters: ["u64", "u8", "usize", "u64"], result: "i32" },

  // CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)
  cuStreamCreate: { parameters: ["buffer", "u32"], result: "i32" },
  // CUresult cuStreamDestroy(CUstream hStream)
  cuStreamDestroy: { name: "cuStreamDestroy_v2", parameters: ["u64"], result: "i32" },
  // CUresult cuStreamQuery(CUstream hStream)
  cuStreamQuery: { parameters: ["u64"], result: "i32" },
  // CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)
  cuStreamWaitEvent: { parameters: ["u64", "u64", "u32"], result: "i32" },
  // CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)
  cuEventCreate: { parameters: ["buffer", "u32"], result: "i32" },
  // CUresult cuEventDestroy(CUevent hEvent)
  cuEventDestroy: { name: "cuEventDestroy_v2", parameters: ["u64"], result: "i32" },
  // CUresult cuEventRecord(CUevent hEvent, CUstream hStream)
  cuEventRecord: { parameters: ["u64", "u64"], result: "i32" },
  // CUresult cuEventQuery(CUevent hEvent)
  cuEventQuery: { parameters: ["u64"], result: "i32" },
  // The header's own name is _v2 since CUDA 13.0; older drivers have the plain one alone, newer ones both.
  // CUresult cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)
  cuEventElapsedTime: { parameters: ["buffer", "u64", "u64"], result: "i32" },

  // Not the driver's: the C library that it is linked to, found by way of its handle (dlsym looks through what a
  // library needs). It answers with its first argument, so a copy of no bytes tells the address of a buffer.
  // void *memcpy(void *dst, const void *src, size_t n)
  addressOf: { name: "memcpy", parameters: ["buffer", "buffer", "usize"], result: "u64" },
  // void *memcpy(void *dst, const void *src, size_t n)
  copyToAddress: { name: "memcpy", parameters: ["u64", "buffer", "usize"], result: "u64" },
  // void *memcpy(void *dst, const void *src, size_t n)
  copyFromAddress: { name: "memcpy", parameters: ["buffer", "u64", "usize"], result: "u64" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of an opened library. */
export type CudaSymbols = Deno.DynamicLibrary<typeof CUDA_SYMBOLS>["symbols"];
