// Histograms of bytes: counted in shared memory by block, then added to the global one; and straight to global.
// Every count is an integer, so any order gives the same.

extern "C" __global__ void histogram_shared(const unsigned char *in, unsigned *counts, unsigned n) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&local[in[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    if (local[i] != 0) atomicAdd(&counts[i], local[i]);
}

extern "C" __global__ void histogram_global(const unsigned char *in, unsigned *counts, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&counts[in[i]], 1u);
}

// Bins over [low, high) of floats; what is outside is counted in the last two bins.
extern "C" __global__ void histogram_float(const float *in, unsigned *counts, unsigned n, float low, float high,
                                           unsigned bins) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float value = in[i];
  unsigned bin;
  if (value < low) {
    bin = bins;
  } else if (value >= high) {
    bin = bins + 1;
  } else {
    bin = (unsigned)__fdiv_rn(__fmul_rn(__fsub_rn(value, low), (float)bins), __fsub_rn(high, low));
    if (bin >= bins) bin = bins - 1;
  }
  atomicAdd(&counts[bin], 1u);
}

// One counter a warp and value at once: lanes with the same value elect the lowest to add for all.
extern "C" __global__ void histogram_match(const unsigned char *in, unsigned *counts, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned active = __ballot_sync(0xffffffff, i < n);
  if (i >= n) return;
  unsigned value = in[i];
  unsigned same = __match_any_sync(active, value);
  if (__ffs(same) - 1 == threadIdx.x % 32) atomicAdd(&counts[value], __popc(same));
}
