// Kernels that do wrong, some only on some inputs: a failed assertion, a trap, wild, null and misaligned addresses,
// recursion without end, a barrier that not all reach.

#include <assert.h>

extern "C" __global__ void assert_positive(const int *in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) assert(in[i] > 0);
}

extern "C" __global__ void trap_on(const int *in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] == 42) __trap();
}

extern "C" __global__ void store_at(int *out, long long offset, int value) { out[offset] = value; }

extern "C" __global__ void load_null(const int *in, int *out) { *out = in[threadIdx.x]; }

extern "C" __global__ void load_misaligned(const char *in, int *out) { *out = *(const int *)(in + 1 + 4 * threadIdx.x); }

extern "C" __global__ void shared_overrun(int *out, int index) {
  __shared__ int values[32];
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = values[index];
}

__device__ __noinline__ int endless(int n, volatile int *sink) {
  int spent[64];
  for (int i = 0; i < 64; i++) spent[i] = n + i;
  *sink = spent[n & 63];
  return endless(n + 1, sink) + spent[(n + 1) & 63];
}

extern "C" __global__ void recurse(int *out) { *out = endless(0, out); }

extern "C" __global__ void exit_early(int *out) {
  out[threadIdx.x] = 1;
  asm volatile("exit;");
  out[threadIdx.x] = 2;
}
