// Where values live: constant memory, variables of the module with initial values and pointers, arrays of a
// thread that are indexed, shared arrays of several types, and pointers whose space is not known.

#include <stdint.h>

__constant__ int primes[16] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
__constant__ float weights[9];
__constant__ struct {
  short small;
  double large;
  unsigned char bytes[5];
} mixed = {-7, 2.5, {1, 2, 3, 4, 255}};

extern "C" __global__ void constants(const int *in, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = primes[in[i] & 15] * mixed.large + mixed.small + mixed.bytes[in[i] % 5u];
}

// The 3 x 3 weights are set by the host.
extern "C" __global__ void convolve3(const float *in, float *out, int width, int height) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  float sum = 0.0f;
#pragma unroll
  for (int dy = -1; dy <= 1; dy++) {
#pragma unroll
    for (int dx = -1; dx <= 1; dx++) {
      int px = min(max(x + dx, 0), width - 1), py = min(max(y + dy, 0), height - 1);
      sum = fmaf(weights[(dy + 1) * 3 + dx + 1], in[py * width + px], sum);
    }
  }
  out[y * width + x] = sum;
}

__device__ int counter = 5;
__device__ int table[6] = {10, 20, 30, 40, 50};
__device__ int *middle = &table[2];
__device__ const int *const ends[2] = {&table[0], &table[5]};
__device__ const char message[] = "TensorWasm";
__device__ double totals[3];
__device__ uint64_t big = 0x123456789abcdef0ull;
__device__ float fraction = 0.1f;

extern "C" __global__ void globals(int *out, char *text) {
  int i = threadIdx.x;
  if (i == 0) {
    out[0] = atomicAdd(&counter, 3);
    out[1] = middle[0] + middle[-1] * 100 + middle[1] * 10000;
    out[2] = (int)(ends[1] - ends[0]);
    out[3] = *ends[0];
    out[4] = (int)(big >> 40);
    out[5] = __float_as_int(fraction);
    totals[1] += 1.5;
    table[5] = 60 + counter;
    middle++;
  }
  if (i < sizeof message) text[i] = message[i];
}

// The histogram of a thread's own numbers, in an array that does not fit registers.
extern "C" __global__ void local_array(const unsigned char *in, int *out, int per_thread) {
  int counts[16], thread = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = 0; i < 16; i++) counts[i] = 0;
  for (int i = 0; i < per_thread; i++) counts[in[thread * per_thread + i] & 15]++;
  int best = 0;
  for (int i = 1; i < 16; i++)
    if (counts[i] > counts[best]) best = i;
  out[thread] = best * 1000 + counts[best];
}

// Insertion sort of eight numbers, and their bytes through a pointer of another type.
extern "C" __global__ void local_sort(const int *in, int *out, unsigned *sums) {
  int values[8], thread = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = 0; i < 8; i++) {
    int value = in[thread * 8 + i], at = i;
    while (at > 0 && values[at - 1] > value) {
      values[at] = values[at - 1];
      at--;
    }
    values[at] = value;
  }
  unsigned sum = 0;
  const unsigned char *bytes = (const unsigned char *)values;
  for (int i = 0; i < 32; i++) sum = sum * 31 + bytes[(i * (values[0] & 3) + i) & 31];
  for (int i = 0; i < 8; i++) out[thread * 8 + i] = values[i];
  sums[thread] = sum;
}

// A pointer to shared, global or the thread's own memory, as the input says.
extern "C" __global__ void generic_pointers(const int *in, const int *which, int *out) {
  __shared__ int shared_values[64];
  int own[4], i = blockIdx.x * blockDim.x + threadIdx.x;
  shared_values[threadIdx.x] = in[i] * 2;
  for (int k = 0; k < 4; k++) own[k] = in[i] + k;
  __syncthreads();
  const int *from = which[i] % 3 == 0 ? &shared_values[63 - threadIdx.x] : which[i] % 3 == 1 ? &in[i] : &own[which[i] & 3];
  out[i] = *from;
}

// Dynamic shared memory cut into three arrays of different types.
extern "C" __global__ void carved(const double *in, double *out, int n) {
  extern __shared__ double space[];
  double *doubles = space;
  int *ints = (int *)(doubles + n);
  unsigned char *bytes = (unsigned char *)(ints + n);
  int thread = threadIdx.x;
  if (thread < n) {
    doubles[thread] = in[blockIdx.x * n + thread];
    ints[thread] = (int)doubles[thread];
    bytes[thread] = (unsigned char)(ints[thread] & 0x7f);
  }
  __syncthreads();
  if (thread < n) {
    int other = n - 1 - thread;
    out[blockIdx.x * n + thread] = doubles[other] + ints[other] * 1000.0 + bytes[other] * 1e6;
  }
}

// Loads of all widths, cached, read-only, streaming and volatile; vectors of two and four.
extern "C" __global__ void load_kinds(const unsigned char *bytes, const short *shorts, const int2 *pairs,
                                      const double2 *doubles, const longlong2 *longs, volatile int *flags, double *out,
                                      int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int2 pair = __ldg(&pairs[i]);
  double2 two = doubles[i];
  longlong2 wide = longs[i];
  ushort4 four = *(const ushort4 *)&shorts[4 * i];
  int flag = flags[i];
  flags[i] = flag + 1;
  out[i] = __ldg(&bytes[i]) + (double)shorts[4 * i] + pair.x - pair.y + two.x * two.y + (double)(wide.x ^ wide.y) +
           four.y + four.w + __ldcs(&pairs[i].x) + __ldcg(&bytes[i]) + flag;
}

// Structures copied as a whole, whose fields are not all aligned to their size.
struct __attribute__((packed)) Packed {
  unsigned char kind;
  unsigned short length;
  int value;
};
struct Record {
  int key;
  char tag[7];
  double weight;
};

extern "C" __global__ void copy_records(const Record *in, Record *out, const Packed *packed, int *sums, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  Record record = in[n - 1 - i];
  record.key += packed[i].kind;
  record.tag[record.key & 3] = 'x';
  record.weight *= 2.0;
  out[i] = record;
  sums[i] = packed[i].length + packed[i].value;
}

extern "C" __global__ void through_pointers(const float *const *rows, float *out, int columns) {
  int i = threadIdx.x;
  if (i < columns) out[blockIdx.x * columns + i] = rows[blockIdx.x][i] * 2.0f;
}
