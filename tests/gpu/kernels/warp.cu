// What the lanes of a warp do together: votes, matches, reductions, shuffles of all kinds and widths.
// Blocks are whole warps; masks name the lanes that take part.

#include <stdint.h>

extern "C" __global__ void votes(const int *in, unsigned *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int value = i < n ? in[i] : 0;
  unsigned *to = out + 6 * i;
  to[0] = __ballot_sync(0xffffffff, value & 1);
  to[1] = __any_sync(0xffffffff, value > 1000) != 0;
  to[2] = __all_sync(0xffffffff, value < 2000) != 0;
  to[3] = __ballot_sync(0xffffffff, i < n && value % 3 == 0);
  int same;
  asm volatile("{ .reg .pred p, q; setp.gt.s32 p, %1, 0; vote.sync.uni.pred q, p, 0xffffffff; selp.s32 %0, 1, 0, q; }"
               : "=r"(same) : "r"(value));
  to[4] = same;
  to[5] = __activemask();
}

extern "C" __global__ void matches(const int *in, const int64_t *wide, unsigned *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned *to = out + 4 * i;
  int all;
  to[0] = __match_any_sync(0xffffffff, in[i]);
  to[1] = __match_any_sync(0xffffffff, wide[i]);
  to[2] = __match_all_sync(0xffffffff, in[i] >> 8, &all);
  to[3] = all != 0;
}

extern "C" __global__ void reductions(const int *in, int *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, value = in[i], *to = out + 8 * i;
  to[0] = __reduce_add_sync(0xffffffff, value);
  to[1] = __reduce_min_sync(0xffffffff, value);
  to[2] = __reduce_max_sync(0xffffffff, value);
  to[3] = __reduce_min_sync(0xffffffff, (unsigned)value);
  to[4] = __reduce_max_sync(0xffffffff, (unsigned)value);
  to[5] = __reduce_and_sync(0xffffffff, (unsigned)value | 0xf0f0u);
  to[6] = __reduce_or_sync(0xffffffff, (unsigned)value & 0x1111u);
  to[7] = __reduce_xor_sync(0xffffffff, (unsigned)value);
}

extern "C" __global__ void shuffles(const int *in, int *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, value = in[i], *to = out + 8 * i;
  to[0] = __shfl_sync(0xffffffff, value, 5);
  to[1] = __shfl_sync(0xffffffff, value, value & 31);
  to[2] = __shfl_up_sync(0xffffffff, value, 3);
  to[3] = __shfl_down_sync(0xffffffff, value, 7, 16);
  to[4] = __shfl_xor_sync(0xffffffff, value, 9, 8);
  to[5] = __shfl_up_sync(0xffffffff, value, 1, 4);
  to[6] = __shfl_sync(0xffffffff, value, 11, 8);
  to[7] = __shfl_xor_sync(0xffffffff, value, 31);
}

extern "C" __global__ void shuffles_wide(const double *in, double *out, const float *single, float *single_out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = __shfl_xor_sync(0xffffffff, in[i], 16) + __shfl_down_sync(0xffffffff, in[i], 1);
  single_out[i] = __shfl_sync(0xffffffff, single[i], (threadIdx.x * 7 + 3) % 32);
}

// Half of the warp shuffles and votes within its own branch, each half under its own mask.
extern "C" __global__ void halves(const int *in, int *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, value = in[i], result;
  if (threadIdx.x % 32 < 16) {
    result = __shfl_xor_sync(0x0000ffff, value, 1) + (int)__popc(__ballot_sync(0x0000ffff, value > 0));
  } else {
    result = __shfl_down_sync(0xffff0000, value, 2, 16) - (int)__popc(__ballot_sync(0xffff0000, value > 0));
  }
  __syncwarp();
  out[i] = result;
}

// A loop whose lanes leave at different times; after it all of them come together again.
extern "C" __global__ void reconverge(const int *in, int *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, rest = in[i] & 31, steps = 0;
  while (rest != 0) {
    rest &= rest - 1;
    steps++;
  }
  __syncwarp();
  out[i] = __reduce_add_sync(0xffffffff, steps) * 100 + steps;
}

// Exchange through shared memory with only a barrier of the warp.
extern "C" __global__ void warp_exchange(const int *in, int *out) {
  __shared__ int values[256];
  int thread = threadIdx.x, i = blockIdx.x * blockDim.x + thread;
  values[thread] = in[i];
  __syncwarp();
  int other = values[thread ^ 1];
  __syncwarp();
  values[thread] = other * 2 + 1;
  __syncwarp();
  out[i] = values[(thread & ~31) | ((thread + 5) & 31)];
}

extern "C" __global__ void lanes(unsigned *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned *to = out + 7 * i;
  asm("mov.u32 %0, %%laneid;" : "=r"(to[0]));
  asm("mov.u32 %0, %%lanemask_eq;" : "=r"(to[1]));
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(to[2]));
  asm("mov.u32 %0, %%lanemask_le;" : "=r"(to[3]));
  asm("mov.u32 %0, %%lanemask_gt;" : "=r"(to[4]));
  asm("mov.u32 %0, %%lanemask_ge;" : "=r"(to[5]));
  to[6] = warpSize;
}
