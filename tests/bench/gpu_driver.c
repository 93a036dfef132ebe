/*
 * What a C program gets from the driver: the yardstick of deno task bench:gpu.
 *
 * Calls libcuda directly (opened by dlopen, so that it builds without one) and prints one JSON object: launches
 * and copies timed as tests/bench/gpu_device_rows.ts times them; copies of pageable memory, of memory that the
 * driver pinned, and of pageable memory that was registered first (registering and giving it up are timed apart).
 * Arguments: path of the library, device number, bytes of a copy, rounds. It exits with 2 and a reason where a call
 * fails.
 */
#include <cuda.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

static void *library;

static void *symbol(const char *name) {
  void *found = dlsym(library, name);
  if (found) return found;
  fprintf(stderr, "%s is not in the library\n", name);
  exit(2);
}
/* The header's macros give the versioned names. */
#define LOAD(name) __typeof__(&name) p_##name = (__typeof__(&name))symbol(TEXT(name))

static void check(CUresult status, const char *call) {
  if (status == CUDA_SUCCESS) return;
  fprintf(stderr, "%s: status %d\n", call, status);
  exit(2);
}
#define CALL(name, ...) check(p_##name(__VA_ARGS__), #name)

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static const char PTX[] =
  ".version 7.0\n.target sm_70\n.address_size 64\n"
  ".visible .entry nothing(.param .u64 a, .param .u64 b, .param .u32 c)\n{\n  ret;\n}\n";

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double median(double *values, int count) {
  qsort(values, count, sizeof *values, ascending);
  return values[count / 2];
}

int main(int count, char **args) {
  if (count < 5) return 2;
  library = dlopen(args[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  int rounds = atoi(args[4]);
  size_t bytes = strtoull(args[3], NULL, 10);
  LOAD(cuInit);
  LOAD(cuDeviceGet);
  LOAD(cuDevicePrimaryCtxRetain);
  LOAD(cuCtxSetCurrent);
  LOAD(cuModuleLoadDataEx);
  LOAD(cuModuleGetFunction);
  LOAD(cuStreamCreate);
  LOAD(cuStreamSynchronize);
  LOAD(cuLaunchKernel);
  LOAD(cuMemAlloc);
  LOAD(cuMemHostAlloc);
  LOAD(cuMemcpyHtoDAsync);
  LOAD(cuMemHostRegister);
  LOAD(cuMemHostUnregister);
  LOAD(cuMemcpyDtoHAsync);
  CUdevice device;
  CUcontext context;
  CUmodule module;
  CUfunction function;
  CUstream stream;
  CUdeviceptr memory;
  CALL(cuInit, 0);
  CALL(cuDeviceGet, &device, atoi(args[2]));
  CALL(cuDevicePrimaryCtxRetain, &context, device);
  CALL(cuCtxSetCurrent, context);
  char log[4096] = "";
  CUjit_option keys[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
  void *values[] = { log, (void *)sizeof log };
  CUresult loaded = p_cuModuleLoadDataEx(&module, PTX, 2, keys, values);
  if (loaded != CUDA_SUCCESS) fprintf(stderr, "%s\n", log);
  check(loaded, "cuModuleLoadDataEx");
  CALL(cuModuleGetFunction, &function, module, "nothing");
  CALL(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  CALL(cuMemAlloc, &memory, bytes);
  struct { CUdeviceptr a, b; unsigned c; } params = { memory, memory, 1 };
  size_t size = 20;
  void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &params, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END };
#define LAUNCH() CALL(cuLaunchKernel, function, 1, 1, 1, 32, 1, 1, 0, stream, NULL, extra)

  double *times = malloc(sizeof(double) * rounds);
  for (int round = 0; round < 1000; round++) LAUNCH();
  CALL(cuStreamSynchronize, stream);

  for (int round = 0; round < rounds; round++) {
    double start = now_us();
    LAUNCH();
    times[round] = now_us() - start;
    CALL(cuStreamSynchronize, stream);
  }
  double launch_us = median(times, rounds);
  for (int round = 0; round < rounds; round++) {
    double start = now_us();
    LAUNCH();
    CALL(cuStreamSynchronize, stream);
    times[round] = now_us() - start;
  }
  double launch_wait_us = median(times, rounds);
  double start = now_us();
  int launches = 100 * rounds;
  for (int launch = 0; launch < launches; launch++) LAUNCH();
  CALL(cuStreamSynchronize, stream);
  double per_second = launches / (now_us() - start) * 1e6;

  /* On a page, as guest memory is: registering is by pages. */
  char *pageable = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  void *pinned;
  memset(pageable, 1, bytes);
  CALL(cuMemHostAlloc, &pinned, bytes, CU_MEMHOSTALLOC_PORTABLE);
  memset(pinned, 1, bytes);
  double gbps[6];
  void *hosts[] = { pageable, pinned, pageable };
  int copies = rounds < 50 ? rounds : 50;
  double register_us = 0, unregister_us = 0;
  for (int way = 0; way < 6; way++) {
    void *host = hosts[way / 2];
    if (way == 4) {
      double from = now_us();
      CALL(cuMemHostRegister, pageable, bytes, 0);
      register_us = now_us() - from;
    }
    for (int copy = 0; copy < copies; copy++) {
      double from = now_us();
      if (way % 2 == 0) CALL(cuMemcpyHtoDAsync, memory, host, bytes, stream);
      else CALL(cuMemcpyDtoHAsync, host, memory, bytes, stream);
      CALL(cuStreamSynchronize, stream);
      times[copy] = now_us() - from;
    }
    gbps[way] = bytes / median(times, copies) / 1e3;
  }
  double from = now_us();
  CALL(cuMemHostUnregister, pageable);
  unregister_us = now_us() - from;
  printf("{\"launchUs\":%.3f,\"launchWaitUs\":%.3f,\"launchesPerSecond\":%.0f,\"pageableUpGBps\":%.3f,"
         "\"pageableDownGBps\":%.3f,\"pinnedUpGBps\":%.3f,\"pinnedDownGBps\":%.3f,\"registeredUpGBps\":%.3f,"
         "\"registeredDownGBps\":%.3f,\"registerUs\":%.1f,\"unregisterUs\":%.1f}\n",
         launch_us, launch_wait_us, per_second, gbps[0], gbps[1], gbps[2], gbps[3], gbps[4], gbps[5], register_us,
         unregister_us);
  return 0;
}
