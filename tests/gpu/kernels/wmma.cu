// Tensor cores by the C++ interface: loads, multiply-accumulate and store of 16 x 16 x 16 fragments.
// One warp a tile; n, m and k are multiples of 16. Layouts of fragments are the device's own business.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

// C = A * B + C, A and B row-major halves, C row-major floats.
extern "C" __global__ void wmma_f16(const half *a, const half *b, float *c, int n, int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  float *tile = c + blockIdx.y * 16 * n + blockIdx.x * 16;
  wmma::load_matrix_sync(sum, tile, n, wmma::mem_row_major);
  for (int at = 0; at < k; at += 16) {
    wmma::load_matrix_sync(left, a + blockIdx.y * 16 * k + at, k);
    wmma::load_matrix_sync(right, b + at * n + blockIdx.x * 16, n);
    wmma::mma_sync(sum, left, right, sum);
  }
  wmma::store_matrix_sync(tile, sum, n, wmma::mem_row_major);
}

// Column-major B and C, halves accumulated in halves, then scaled element by element.
extern "C" __global__ void wmma_f16_columns(const half *a, const half *b, half *c, int m, int k, float scale) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, half> sum;
  wmma::fill_fragment(sum, __float2half(0.0f));
  for (int at = 0; at < k; at += 16) {
    wmma::load_matrix_sync(left, a + blockIdx.y * 16 * k + at, k);
    wmma::load_matrix_sync(right, b + blockIdx.x * 16 * k + at, k);
    wmma::mma_sync(sum, left, right, sum);
  }
  for (int i = 0; i < sum.num_elements; i++) sum.x[i] = __hmul(sum.x[i], __float2half(scale));
  wmma::store_matrix_sync(c + blockIdx.x * 16 * m + blockIdx.y * 16, sum, m, wmma::mem_col_major);
}

extern "C" __global__ void wmma_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int n, int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  for (int at = 0; at < k; at += 16) {
    wmma::load_matrix_sync(left, a + blockIdx.y * 16 * k + at, k);
    wmma::load_matrix_sync(right, b + at * n + blockIdx.x * 16, n);
    wmma::mma_sync(sum, left, right, sum);
  }
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n + blockIdx.x * 16, sum, n, wmma::mem_row_major);
}

extern "C" __global__ void wmma_s8(const signed char *a, const signed char *b, int *c, int n, int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, signed char, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, signed char, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, int> sum;
  wmma::fill_fragment(sum, 0);
  for (int at = 0; at < k; at += 16) {
    wmma::load_matrix_sync(left, a + blockIdx.y * 16 * k + at, k);
    wmma::load_matrix_sync(right, b + at * n + blockIdx.x * 16, n);
    wmma::mma_sync(sum, left, right, sum);
  }
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n + blockIdx.x * 16, sum, n, wmma::mem_row_major);
}

// The two oblong shapes; A is 32 x 16 or 8 x 16.
extern "C" __global__ void wmma_m32n8k16(const half *a, const half *b, float *c) {
  wmma::fragment<wmma::matrix_a, 32, 8, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 32, 8, 16, half, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 32, 8, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  wmma::load_matrix_sync(left, a, 16);
  wmma::load_matrix_sync(right, b, 8);
  wmma::mma_sync(sum, left, right, sum);
  wmma::store_matrix_sync(c, sum, 8, wmma::mem_row_major);
}

extern "C" __global__ void wmma_m8n32k16(const half *a, const half *b, float *c) {
  wmma::fragment<wmma::matrix_a, 8, 32, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 8, 32, 16, half, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 8, 32, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  wmma::load_matrix_sync(left, a, 16);
  wmma::load_matrix_sync(right, b, 32);
  wmma::mma_sync(sum, left, right, sum);
  wmma::store_matrix_sync(c, sum, 32, wmma::mem_row_major);
}

extern "C" __global__ void wmma_tf32(const float *a, const float *b, float *c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 8, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  wmma::load_matrix_sync(left, a, 8);
  wmma::load_matrix_sync(right, b, 16);
  for (int i = 0; i < left.num_elements; i++) left.x[i] = wmma::__float_to_tf32(left.x[i]);
  for (int i = 0; i < right.num_elements; i++) right.x[i] = wmma::__float_to_tf32(right.x[i]);
  wmma::mma_sync(sum, left, right, sum);
  wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}
