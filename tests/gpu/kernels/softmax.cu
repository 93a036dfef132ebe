// Rows: softmax by one block a row and by one warp a row, and layer normalisation, the way inference does them.
// expf is the accurate one; sums are of a fixed order.

#include <math_constants.h>

// One block a row, a power of two of threads; shared memory of one float a thread.
extern "C" __global__ void softmax_block(const float *in, float *out, int columns) {
  extern __shared__ float values[];
  const float *row = in + (size_t)blockIdx.x * columns;
  float *target = out + (size_t)blockIdx.x * columns;
  float largest = -CUDART_INF_F;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) largest = fmaxf(largest, row[i]);
  values[threadIdx.x] = largest;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half >>= 1) {
    if (threadIdx.x < half) values[threadIdx.x] = fmaxf(values[threadIdx.x], values[threadIdx.x + half]);
    __syncthreads();
  }
  largest = values[0];
  __syncthreads();
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float power = expf(row[i] - largest);
    target[i] = power;
    sum += power;
  }
  values[threadIdx.x] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half >>= 1) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  sum = values[0];
  for (int i = threadIdx.x; i < columns; i += blockDim.x) target[i] /= sum;
}

__device__ __forceinline__ float warp_max(float value) {
  for (int mask = 16; mask > 0; mask >>= 1) value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, mask));
  return value;
}

__device__ __forceinline__ float warp_sum(float value) {
  for (int mask = 16; mask > 0; mask >>= 1) value += __shfl_xor_sync(0xffffffff, value, mask);
  return value;
}

// One warp a row; blockDim.x is a multiple of 32.
extern "C" __global__ void softmax_warp(const float *in, float *out, int rows, int columns) {
  int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float *source = in + (size_t)row * columns;
  float largest = -CUDART_INF_F;
  for (int i = lane; i < columns; i += 32) largest = fmaxf(largest, source[i]);
  largest = warp_max(largest);
  float sum = 0.0f;
  for (int i = lane; i < columns; i += 32) sum += expf(source[i] - largest);
  float scale = 1.0f / warp_sum(sum);
  for (int i = lane; i < columns; i += 32) out[(size_t)row * columns + i] = expf(source[i] - largest) * scale;
}

// One warp a row: (x - mean) / sqrt(variance + epsilon) * weight + bias; also mean and reciprocal deviation.
extern "C" __global__ void layernorm(const float *__restrict__ in, const float *__restrict__ weight,
                                     const float *__restrict__ bias, float *__restrict__ out,
                                     float *__restrict__ mean_out, float *__restrict__ scale_out, int rows,
                                     int columns, float epsilon) {
  int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float *source = in + (size_t)row * columns;
  float sum = 0.0f;
  for (int i = lane; i < columns; i += 32) sum += source[i];
  float mean = warp_sum(sum) / columns;
  float squares = 0.0f;
  for (int i = lane; i < columns; i += 32) {
    float difference = source[i] - mean;
    squares = fmaf(difference, difference, squares);
  }
  float scale = 1.0f / sqrtf(__fadd_rn(warp_sum(squares) / columns, epsilon));
  for (int i = lane; i < columns; i += 32) {
    float normal = (source[i] - mean) * scale;
    out[(size_t)row * columns + i] = fmaf(normal, weight[i], bias[i]);
  }
  if (lane == 0) {
    mean_out[row] = mean;
    scale_out[row] = scale;
  }
}

extern "C" __global__ void rmsnorm(const float *in, const float *weight, float *out, int columns, float epsilon) {
  __shared__ float sums[32];
  const float *row = in + (size_t)blockIdx.x * columns;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum = fmaf(row[i], row[i], sum);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? sums[threadIdx.x % 32] : 0.0f);
  float scale = rsqrtf(__fadd_rn(sum / columns, epsilon));
  for (int i = threadIdx.x; i < columns; i += blockDim.x) out[(size_t)blockIdx.x * columns + i] = row[i] * scale * weight[i];
}
