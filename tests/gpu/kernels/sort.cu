// Sorting: bitonic within a block and step by step across blocks, and one pass of a radix sort by four bits.
// Keys are unsigned integers, so the order is total.

// One block sorts 2 * blockDim.x keys, a power of two, in shared memory of that many.
extern "C" __global__ void bitonic_block(unsigned *keys) {
  extern __shared__ unsigned shared_keys[];
  int count = 2 * blockDim.x, base = blockIdx.x * count;
  shared_keys[threadIdx.x] = keys[base + threadIdx.x];
  shared_keys[threadIdx.x + blockDim.x] = keys[base + threadIdx.x + blockDim.x];
  for (int size = 2; size <= count; size <<= 1) {
    for (int stride = size >> 1; stride > 0; stride >>= 1) {
      __syncthreads();
      int left = 2 * threadIdx.x - (threadIdx.x & (stride - 1)), right = left + stride;
      bool descending = (left & size) != 0;
      unsigned a = shared_keys[left], b = shared_keys[right];
      if ((a > b) != descending) {
        shared_keys[left] = b;
        shared_keys[right] = a;
      }
    }
  }
  __syncthreads();
  keys[base + threadIdx.x] = shared_keys[threadIdx.x];
  keys[base + threadIdx.x + blockDim.x] = shared_keys[threadIdx.x + blockDim.x];
}

// One step over global memory: compares keys `stride` apart in runs of `size`.
extern "C" __global__ void bitonic_step(unsigned *keys, int n, int size, int stride) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int other = i ^ stride;
  if (i >= n || other <= i) return;
  unsigned a = keys[i], b = keys[other];
  if ((a > b) == ((i & size) == 0)) {
    keys[i] = b;
    keys[other] = a;
  }
}

// A stable pass over the four bits at `shift` by one block of 128 threads: count, scan, scatter.
extern "C" __global__ void radix_pass(const unsigned *in, unsigned *out, int n, int shift) {
  __shared__ unsigned counts[16][128];
  __shared__ unsigned starts[16];
  int thread = threadIdx.x, share = (n + 127) / 128, from = thread * share, to = min(from + share, n);
  for (int digit = 0; digit < 16; digit++) counts[digit][thread] = 0;
  for (int i = from; i < to; i++) counts[in[i] >> shift & 15][thread]++;
  __syncthreads();
  if (thread < 16) {
    unsigned sum = 0;
    for (int t = 0; t < 128; t++) {
      unsigned own = counts[thread][t];
      counts[thread][t] = sum;
      sum += own;
    }
    starts[thread] = sum;
  }
  __syncthreads();
  if (thread == 0) {
    unsigned sum = 0;
    for (int digit = 0; digit < 16; digit++) {
      unsigned own = starts[digit];
      starts[digit] = sum;
      sum += own;
    }
  }
  __syncthreads();
  for (int i = from; i < to; i++) {
    unsigned key = in[i], digit = key >> shift & 15;
    out[starts[digit] + counts[digit][thread]++] = key;
  }
}

// Odd-even transposition in one block: n phases, each with a barrier.
extern "C" __global__ void odd_even_sort(short *keys, int n) {
  for (int phase = 0; phase < n; phase++) {
    for (int i = 2 * threadIdx.x + (phase & 1); i + 1 < n; i += 2 * blockDim.x) {
      short a = keys[i], b = keys[i + 1];
      if (a > b) {
        keys[i] = b;
        keys[i + 1] = a;
      }
    }
    __syncthreads();
  }
}
