// Atomics of every type and operation, on global and shared memory. Each thread does its share on a slot that
// others use as well; results do not hang on the order, and old values are checked where they are a permutation.

#include <cuda_fp16.h>
#include <stdint.h>

extern "C" __global__ void atomics_i32(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int value = in[i];
  atomicAdd(&out[0], value);
  atomicSub(&out[1], value);
  atomicMin(&out[2], value);
  atomicMax(&out[3], value);
  atomicAnd(&out[4], value | 0x0f0f0f0f);
  atomicOr(&out[5], value & 0x10101010);
  atomicXor(&out[6], value);
  atomicMin((unsigned *)&out[7], (unsigned)value);
  atomicMax((unsigned *)&out[8], (unsigned)value);
  atomicInc((unsigned *)&out[9], 6u);
  atomicDec((unsigned *)&out[10], 6u);
}

extern "C" __global__ void atomics_i64(const int64_t *in, int64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int64_t value = in[i];
  atomicAdd((unsigned long long *)&out[0], (unsigned long long)value);
  atomicMin((long long *)&out[1], (long long)value);
  atomicMax((long long *)&out[2], (long long)value);
  atomicMin((unsigned long long *)&out[3], (unsigned long long)value);
  atomicMax((unsigned long long *)&out[4], (unsigned long long)value);
  atomicAnd((unsigned long long *)&out[5], (unsigned long long)value | 0xff00ff00ff00ff00ull);
  atomicOr((unsigned long long *)&out[6], (unsigned long long)value & 0x1010101010101010ull);
  atomicXor((unsigned long long *)&out[7], (unsigned long long)value);
}

// Whole numbers, so that sums are exact in any order.
extern "C" __global__ void atomics_float(const float *in, float *single, double *dual, __half2 *pair, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(single, in[i]);
  atomicAdd(dual, (double)in[i] * 0.5);
  atomicAdd(pair, __floats2half2_rn(in[i], -in[i]));
}

// Every thread takes a ticket: the old values are all numbers once.
extern "C" __global__ void tickets(int *counter, int *taken, unsigned long long *wide, int *taken_wide, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  taken[i] = atomicAdd(counter, 1);
  taken_wide[i] = (int)atomicAdd(wide, 3ull);
}

// A float maximum and a product, by compare-and-swap loops.
__device__ float atomic_max_float(float *target, float value) {
  int *bits = (int *)target, old = *bits, assumed;
  do {
    assumed = old;
    old = atomicCAS(bits, assumed, __float_as_int(fmaxf(value, __int_as_float(assumed))));
  } while (assumed != old);
  return __int_as_float(old);
}

extern "C" __global__ void cas_loops(const float *in, float *largest, unsigned long long *product, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomic_max_float(largest, in[i]);
  unsigned long long old = *product, assumed;
  do {
    assumed = old;
    old = atomicCAS(product, assumed, assumed * (2 * (unsigned long long)i + 3));
  } while (assumed != old);
}

extern "C" __global__ void cas_short(unsigned short *slots, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned short old = slots[i % 3], assumed;
  do {
    assumed = old;
    old = atomicCAS(&slots[i % 3], assumed, (unsigned short)(assumed + 5));
  } while (assumed != old);
}

// Values that are handed around by exchanges: nothing is lost, nothing is made up.
extern "C" __global__ void exchanges(const int *in, int *slot, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = atomicExch(slot, in[i]);
}

extern "C" __global__ void atomics_shared(const int *in, int *out, int n) {
  __shared__ int sum, least, bits;
  __shared__ unsigned counter;
  __shared__ unsigned long long wide;
  __shared__ float weight;
  if (threadIdx.x == 0) {
    sum = 0;
    least = 0x7fffffff;
    bits = 0;
    counter = 0;
    wide = 0;
    weight = 0.0f;
  }
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    atomicAdd(&sum, in[i]);
    atomicMin(&least, in[i]);
    atomicOr(&bits, in[i] & 0xff);
    atomicInc(&counter, 9u);
    atomicAdd(&wide, (unsigned long long)(unsigned)in[i]);
    atomicAdd(&weight, (float)(in[i] & 15));
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    int *to = out + 8 * blockIdx.x;
    to[0] = sum;
    to[1] = least;
    to[2] = bits;
    to[3] = (int)counter;
    to[4] = (int)wide;
    to[5] = (int)(wide >> 32);
    to[6] = (int)weight;
    to[7] = 1;
  }
}

// Scopes and orders as C++ has them, and reductions without an old value.
extern "C" __global__ void scoped(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd_block(&out[0], in[i]);
  atomicAdd_system(&out[1], in[i]);
  int value = in[i], old;
  asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], %2;" : "=r"(old) : "l"(&out[2]), "r"(value) : "memory");
  asm volatile("red.relaxed.cta.global.max.s32 [%0], %1;" ::"l"(&out[3]), "r"(value) : "memory");
  asm volatile("red.release.sys.global.xor.b32 [%0], %1;" ::"l"(&out[4]), "r"(value) : "memory");
  if (old == 0x12345678) out[5] = 1;
}

// A lock that one thread a block takes: the counter is not atomic itself.
extern "C" __global__ void locked(int *lock, int *counter, int *history) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    __threadfence();
    int before = *(volatile int *)counter;
    history[before] = 1;
    *(volatile int *)counter = before + 1;
    __threadfence();
    atomicExch(lock, 0);
  }
}
