// Barriers beyond __syncthreads: with a reduction, by name and number of threads, by counting arrivals; threads
// that leave before one; copies into shared memory that are waited for.

#include <cuda_pipeline.h>
#include <stdint.h>

extern "C" __global__ void barrier_reduce(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, value = i < n ? in[i] : 1;
  int positive = __syncthreads_count(value > 0);
  int all_small = __syncthreads_and(value < 1000);
  int any_zero = __syncthreads_or(value == 0);
  if (i < n) out[i] = positive * 4 + (all_small != 0) * 2 + (any_zero != 0);
}

// The first warp fills buffers for the second one; two named barriers say "full" and "empty". 64 threads.
extern "C" __global__ void producer_consumer(const int *in, int *out, int rounds) {
  __shared__ int buffer[32];
  int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (int round = 0; round < rounds; round++) {
      if (round > 0) asm volatile("bar.sync 2, 64;" ::: "memory");
      buffer[lane] = in[round * 32 + lane] * 3;
      __threadfence_block();
      asm volatile("bar.arrive 1, 64;" ::: "memory");
    }
  } else {
    for (int round = 0; round < rounds; round++) {
      asm volatile("bar.sync 1, 64;" ::: "memory");
      out[round * 32 + lane] = buffer[31 - lane] + round;
      if (round + 1 < rounds) asm volatile("bar.arrive 2, 64;" ::: "memory");
    }
  }
}

// Two halves of the block that meet among themselves under different names. 128 threads.
extern "C" __global__ void split_barriers(const int *in, int *out) {
  __shared__ int values[128];
  int thread = threadIdx.x, half = thread / 64;
  values[thread] = in[blockIdx.x * 128 + thread];
  for (int step = 1; step < 64; step *= 2) {
    if (half == 0) asm volatile("bar.sync 3, 64;" ::: "memory");
    else asm volatile("bar.sync 4, 64;" ::: "memory");
    int other = values[half * 64 + ((thread + step) % 64)];
    if (half == 0) asm volatile("bar.sync 3, 64;" ::: "memory");
    else asm volatile("bar.sync 4, 64;" ::: "memory");
    values[thread] += other;
  }
  __syncthreads();
  out[blockIdx.x * 128 + thread] = values[thread] - values[127 - thread];
}

// Threads past n leave at once; the others still meet.
extern "C" __global__ void early_exit(const int *in, int *out, int n) {
  __shared__ int values[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  values[threadIdx.x] = 0;
  if (i >= n) return;
  values[threadIdx.x] = in[i];
  __syncthreads();
  int next = threadIdx.x + 1 < blockDim.x && i + 1 < n ? values[threadIdx.x + 1] : 0;
  __syncthreads();
  values[threadIdx.x] = next * 2;
  __syncthreads();
  out[i] = values[threadIdx.x] + in[i];
}

// A barrier in a loop whose number of rounds the block has in common, and in a branch that all take.
extern "C" __global__ void barrier_loop(const int *rounds, int *out) {
  __shared__ int values[64];
  int thread = threadIdx.x, count = rounds[blockIdx.x];
  values[thread] = thread;
  if (count > 2) {
    for (int round = 0; round < count; round++) {
      __syncthreads();
      int taken = values[(thread + round + 1) % 64];
      __syncthreads();
      values[thread] = taken + round;
    }
  } else {
    __syncthreads();
    values[thread] *= -1;
  }
  __syncthreads();
  out[blockIdx.x * 64 + thread] = values[63 - thread];
}

// Copies of 4, 8 and 16 bytes that go on while others are waited for: two stages.
extern "C" __global__ void async_stages(const float *in, float *out, int tiles) {
  __shared__ __align__(16) float stage[2][128];
  int thread = threadIdx.x;
  for (int tile = 0; tile < tiles + 1; tile++) {
    if (tile < tiles) {
      if (thread < 32) __pipeline_memcpy_async(&stage[tile % 2][4 * thread], &in[tile * 128 + 4 * thread], 16);
      __pipeline_commit();
    }
    if (tile > 0) {
      if (tile < tiles) __pipeline_wait_prior(1);
      else __pipeline_wait_prior(0);
      __syncthreads();
      out[(tile - 1) * 128 + thread] = stage[(tile - 1) % 2][127 - thread] * 2.0f;
      __syncthreads();
    }
  }
}

extern "C" __global__ void async_sizes(const int *in, int *out, int valid) {
  __shared__ __align__(16) int values[96];
  int thread = threadIdx.x;
  __pipeline_memcpy_async(&values[thread], &in[thread], 4);
  if (thread < 16) __pipeline_memcpy_async(&values[32 + 2 * thread], &in[32 + 2 * thread], 8);
  // What is past `valid` of the last part is filled with zeros.
  if (thread < 8) {
    int there = min(max(valid - 4 * thread, 0), 4);
    __pipeline_memcpy_async(&values[64 + 4 * thread], &in[64 + 4 * thread], 16, 16 - 4 * there);
  }
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int i = thread; i < 96; i += 32) out[i] = values[95 - i];
}

// Arrivals are counted by a barrier object in shared memory; its phase flips twice.
extern "C" __global__ void counted_arrivals(const int *in, int *out) {
  __shared__ int values[64];
  __shared__ __align__(8) uint64_t barrier;
  uint32_t address = (uint32_t)__cvta_generic_to_shared(&barrier);
  int thread = threadIdx.x;
  if (thread == 0) asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(address), "r"(64) : "memory");
  __syncthreads();
  for (int phase = 0; phase < 2; phase++) {
    values[thread] = in[blockIdx.x * 64 + thread] + phase;
    uint64_t token;
    asm volatile("mbarrier.arrive.shared.b64 %0, [%1];" : "=l"(token) : "r"(address) : "memory");
    int done = 0;
    while (!done) {
      asm volatile("{ .reg .pred p; mbarrier.test_wait.shared.b64 p, [%1], %2; selp.s32 %0, 1, 0, p; }"
                   : "=r"(done) : "r"(address), "l"(token) : "memory");
    }
    int other = values[(thread + 9) % 64];
    __syncthreads();
    out[(blockIdx.x * 2 + phase) * 64 + thread] = other;
  }
}
