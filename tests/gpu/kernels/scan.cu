// Prefix sums within a block: Hillis-Steele with two buffers, Blelloch's sweep up and down, and by shuffles.
// Integers, so every order of addition gives the same; blocks scan by themselves.

// Inclusive. Shared memory of two ints a thread.
extern "C" __global__ void scan_hillis_steele(const int *in, int *out, int n) {
  extern __shared__ int buffers[];
  int thread = threadIdx.x, i = blockIdx.x * blockDim.x + thread, source = 0;
  buffers[thread] = i < n ? in[i] : 0;
  __syncthreads();
  for (int offset = 1; offset < blockDim.x; offset <<= 1) {
    int value = buffers[source * blockDim.x + thread];
    if (thread >= offset) value += buffers[source * blockDim.x + thread - offset];
    buffers[(1 - source) * blockDim.x + thread] = value;
    source = 1 - source;
    __syncthreads();
  }
  if (i < n) out[i] = buffers[source * blockDim.x + thread];
}

// Exclusive, two elements a thread, a power of two of them; shared memory of two ints a thread. Also the total.
extern "C" __global__ void scan_blelloch(const int *in, int *out, int *totals, int n) {
  extern __shared__ int values[];
  int thread = threadIdx.x, count = 2 * blockDim.x, base = blockIdx.x * count;
  values[2 * thread] = base + 2 * thread < n ? in[base + 2 * thread] : 0;
  values[2 * thread + 1] = base + 2 * thread + 1 < n ? in[base + 2 * thread + 1] : 0;
  int offset = 1;
  for (int pairs = count >> 1; pairs > 0; pairs >>= 1) {
    __syncthreads();
    if (thread < pairs) values[offset * (2 * thread + 2) - 1] += values[offset * (2 * thread + 1) - 1];
    offset <<= 1;
  }
  __syncthreads();
  if (thread == 0) {
    totals[blockIdx.x] = values[count - 1];
    values[count - 1] = 0;
  }
  for (int pairs = 1; pairs < count; pairs <<= 1) {
    offset >>= 1;
    __syncthreads();
    if (thread < pairs) {
      int left = offset * (2 * thread + 1) - 1, right = offset * (2 * thread + 2) - 1;
      int kept = values[left];
      values[left] = values[right];
      values[right] += kept;
    }
  }
  __syncthreads();
  if (base + 2 * thread < n) out[base + 2 * thread] = values[2 * thread];
  if (base + 2 * thread + 1 < n) out[base + 2 * thread + 1] = values[2 * thread + 1];
}

// Inclusive, by shuffles within the warps and once more over their totals; whole warps.
extern "C" __global__ void scan_shuffle(const int *in, int *out, int n) {
  __shared__ int totals[32];
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int value = i < n ? in[i] : 0;
  for (int offset = 1; offset < 32; offset <<= 1) {
    int other = __shfl_up_sync(0xffffffff, value, offset);
    if (lane >= offset) value += other;
  }
  if (lane == 31) totals[warp] = value;
  __syncthreads();
  if (warp == 0) {
    int total = lane < blockDim.x / 32 ? totals[lane] : 0;
    for (int offset = 1; offset < 32; offset <<= 1) {
      int other = __shfl_up_sync(0xffffffff, total, offset);
      if (lane >= offset) total += other;
    }
    totals[lane] = total;
  }
  __syncthreads();
  if (warp > 0) value += totals[warp - 1];
  if (i < n) out[i] = value;
}

// Adds to every block's elements what the blocks before it came to.
extern "C" __global__ void scan_add_totals(int *out, const int *totals, int n, int per_block) {
  for (int i = threadIdx.x; i < per_block; i += blockDim.x) {
    int at = blockIdx.x * per_block + i;
    if (at < n) out[at] += totals[blockIdx.x];
  }
}

// Keeps what is positive, in order: ballot and popcount within a warp, one atomic a block for its place.
extern "C" __global__ void compact_positive(const int *in, int *out, int *count, int n) {
  __shared__ int offsets[32];
  __shared__ int start;
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int value = i < n ? in[i] : 0;
  unsigned kept = __ballot_sync(0xffffffff, value > 0);
  int rank = __popc(kept & ((1u << lane) - 1));
  if (lane == 0) offsets[warp] = __popc(kept);
  __syncthreads();
  if (threadIdx.x == 0) {
    int total = 0;
    for (int w = 0; w < blockDim.x / 32; w++) {
      int own = offsets[w];
      offsets[w] = total;
      total += own;
    }
    start = atomicAdd(count, total);
  }
  __syncthreads();
  if (value > 0) out[start + offsets[warp] + rank] = value;
}
