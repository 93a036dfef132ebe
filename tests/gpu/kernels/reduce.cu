// Sums and extremes: by shuffles within a warp, by shared memory and barriers within a block, by atomics across.
// The order of every floating-point sum is fixed, except where atomics make it.

extern "C" __global__ void warp_sum(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float value = i < n ? in[i] : 0.0f;
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_down_sync(0xffffffff, value, offset);
  if (threadIdx.x % 32 == 0) out[i / 32] = value;
}

extern "C" __global__ void warp_max_xor(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int value = i < n ? in[i] : (int)0x80000000;
  for (int mask = 16; mask > 0; mask >>= 1) value = max(value, __shfl_xor_sync(0xffffffff, value, mask));
  if (i < n) out[i] = value;
}

extern "C" __global__ void block_reduce(const float *in, float *out, int n) {
  __shared__ float partial[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  partial[threadIdx.x] = i < n ? in[i] : 0.0f;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half >>= 1) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

// Dynamic shared memory of one float a thread; blockDim.x is a power of two.
extern "C" __global__ void block_reduce_dynamic(const float *in, float *out, int n) {
  extern __shared__ float values[];
  float sum = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  values[threadIdx.x] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half >>= 1) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = values[0];
}

// Shuffles within each warp, then the first warp sums the warps'; up to 1024 threads, whole warps.
extern "C" __global__ void block_reduce_shuffle(const float *in, float *out, int n) {
  __shared__ float sums[32];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  float value = i < n ? in[i] : 0.0f;
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_down_sync(0xffffffff, value, offset);
  if (lane == 0) sums[warp] = value;
  __syncthreads();
  if (warp == 0) {
    value = lane < blockDim.x / 32 ? sums[lane] : 0.0f;
    for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_down_sync(0xffffffff, value, offset);
    if (lane == 0) out[blockIdx.x] = value;
  }
}

// A whole sum in one launch: partial sums, then the block that comes last adds them up in order.
__device__ unsigned blocks_done = 0;

extern "C" __global__ void sum_last_block(const int *in, long long *partial, long long *out, int n) {
  __shared__ long long values[128];
  __shared__ bool is_last;
  long long sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  values[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = values[0];
    __threadfence();
    is_last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && threadIdx.x == 0) {
    long long total = 0;
    for (unsigned block = 0; block < gridDim.x; block++) total += ((volatile long long *)partial)[block];
    *out = total;
  }
}

extern "C" __global__ void sum_atomic(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(out, in[i]);
}

// Smallest value and where it stands first, by shuffles of pairs; one block of whole warps.
extern "C" __global__ void arg_min(const float *in, float *value_out, int *index_out, int n) {
  __shared__ float values[32];
  __shared__ int indices[32];
  float best = __int_as_float(0x7f800000);
  int where = 0x7fffffff;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    if (in[i] < best) {
      best = in[i];
      where = i;
    }
  }
  for (int offset = 16; offset > 0; offset >>= 1) {
    float other = __shfl_down_sync(0xffffffff, best, offset);
    int other_where = __shfl_down_sync(0xffffffff, where, offset);
    if (other < best || (other == best && other_where < where)) {
      best = other;
      where = other_where;
    }
  }
  if (threadIdx.x % 32 == 0) {
    values[threadIdx.x / 32] = best;
    indices[threadIdx.x / 32] = where;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < blockDim.x / 32; warp++) {
      if (values[warp] < best || (values[warp] == best && indices[warp] < where)) {
        best = values[warp];
        where = indices[warp];
      }
    }
    *value_out = best;
    *index_out = where;
  }
}

// The legacy way: the last warp goes on without barriers through volatile shared memory. One block of 64.
extern "C" __global__ void reduce_volatile(const int *in, int *out) {
  __shared__ volatile int values[64];
  int thread = threadIdx.x;
  values[thread] = in[blockIdx.x * 64 + thread];
  __syncthreads();
  if (thread < 32) {
    values[thread] = values[thread] + values[thread + 32];
    __syncwarp();
    if (thread < 16) values[thread] = values[thread] + values[thread + 16];
    __syncwarp();
    if (thread < 8) values[thread] = values[thread] + values[thread + 8];
    __syncwarp();
    if (thread < 4) values[thread] = values[thread] + values[thread + 4];
    __syncwarp();
    if (thread < 2) values[thread] = values[thread] + values[thread + 2];
    __syncwarp();
    if (thread == 0) out[blockIdx.x] = values[0] + values[1];
  }
}
