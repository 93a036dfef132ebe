// Tensor cores: C = A * B by mma.sync of each element type, fragments loaded by hand, one warp a 16 x 8 tile.
// A is row-major m x k, B is column-major k x n (its columns are contiguous), C row-major. m, n and k are
// multiples of the shape. Sums of small integers are exact whatever the order; others within a bound.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

__device__ __forceinline__ uint32_t word(const void *address) { return *(const uint32_t *)address; }

__device__ __forceinline__ void store_tile(float *c, int n, int row, int column, const float d[4]) {
  int group = threadIdx.x >> 2, pair = (threadIdx.x & 3) * 2;
  c[(row + group) * n + column + pair] = d[0];
  c[(row + group) * n + column + pair + 1] = d[1];
  c[(row + group + 8) * n + column + pair] = d[2];
  c[(row + group + 8) * n + column + pair + 1] = d[3];
}

extern "C" __global__ void mma_f16(const __half *a, const __half *b, float *c, int n, int k) {
  int group = threadIdx.x >> 2, pair = (threadIdx.x & 3) * 2, row = blockIdx.y * 16, column = blockIdx.x * 8;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 16) {
    const __half *left = a + (row + group) * k + at + pair, *right = b + (column + group) * k + at + pair;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(left + 8)), "r"(word(left + 8 * k + 8)),
                   "r"(word(right)), "r"(word(right + 8)));
  }
  store_tile(c, n, row, column, d);
}

extern "C" __global__ void mma_f16_k8(const __half *a, const __half *b, float *c, int n, int k) {
  int group = threadIdx.x >> 2, pair = (threadIdx.x & 3) * 2, row = blockIdx.y * 16, column = blockIdx.x * 8;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 8) {
    const __half *left = a + (row + group) * k + at + pair, *right = b + (column + group) * k + at + pair;
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(right)));
  }
  store_tile(c, n, row, column, d);
}

// Halves all the way: the accumulator too.
extern "C" __global__ void mma_f16_f16(const __half *a, const __half *b, __half *c, int n, int k) {
  int group = threadIdx.x >> 2, pair = (threadIdx.x & 3) * 2, row = blockIdx.y * 16, column = blockIdx.x * 8;
  uint32_t d[2] = {0, 0};
  for (int at = 0; at < k; at += 16) {
    const __half *left = a + (row + group) * k + at + pair, *right = b + (column + group) * k + at + pair;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
                 : "+r"(d[0]), "+r"(d[1])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(left + 8)), "r"(word(left + 8 * k + 8)),
                   "r"(word(right)), "r"(word(right + 8)));
  }
  *(uint32_t *)(c + (row + group) * n + column + pair) = d[0];
  *(uint32_t *)(c + (row + group + 8) * n + column + pair) = d[1];
}

extern "C" __global__ void mma_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int n, int k) {
  int group = threadIdx.x >> 2, pair = (threadIdx.x & 3) * 2, row = blockIdx.y * 16, column = blockIdx.x * 8;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 16) {
    const __nv_bfloat16 *left = a + (row + group) * k + at + pair, *right = b + (column + group) * k + at + pair;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(left + 8)), "r"(word(left + 8 * k + 8)),
                   "r"(word(right)), "r"(word(right + 8)));
  }
  store_tile(c, n, row, column, d);
}

// Single precision rounded to tf32 first (cvt.rna: to nearest, ties away from zero).
extern "C" __global__ void mma_tf32(const float *a, const float *b, float *c, int n, int k) {
  int group = threadIdx.x >> 2, lane = threadIdx.x & 3, row = blockIdx.y * 16, column = blockIdx.x * 8;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 8) {
    const float *left = a + (row + group) * k + at + lane, *right = b + (column + group) * k + at + lane;
    float sources[6] = {left[0], left[8 * k], left[4], left[8 * k + 4], right[0], right[4]};
    uint32_t r[6];
#pragma unroll
    for (int i = 0; i < 6; i++) asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r[i]) : "f"(sources[i]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "r"(r[4]), "r"(r[5]));
  }
  store_tile(c, n, row, column, d);
}

extern "C" __global__ void mma_s8(const int8_t *a, const int8_t *b, int *c, int n, int k) {
  int group = threadIdx.x >> 2, four = (threadIdx.x & 3) * 4, row = blockIdx.y * 16, column = blockIdx.x * 8;
  int d[4] = {0, 0, 0, 0};
  for (int at = 0; at < k; at += 32) {
    const int8_t *left = a + (row + group) * k + at + four, *right = b + (column + group) * k + at + four;
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(left + 16)), "r"(word(left + 8 * k + 16)),
                   "r"(word(right)), "r"(word(right + 16)));
  }
  int pair = (threadIdx.x & 3) * 2;
  c[(row + group) * n + column + pair] = d[0];
  c[(row + group) * n + column + pair + 1] = d[1];
  c[(row + group + 8) * n + column + pair] = d[2];
  c[(row + group + 8) * n + column + pair + 1] = d[3];
}

// Unsigned by signed, the smaller shape, saturating.
extern "C" __global__ void mma_u8_s8(const uint8_t *a, const int8_t *b, int *c, int n, int k) {
  int group = threadIdx.x >> 2, four = (threadIdx.x & 3) * 4, row = blockIdx.y * 16, column = blockIdx.x * 8;
  int d[4] = {0, 0, 0, 0};
  for (int at = 0; at < k; at += 16) {
    const uint8_t *left = a + (row + group) * k + at + four;
    const int8_t *right = b + (column + group) * k + at + four;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.satfinite.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(word(left)), "r"(word(left + 8 * k)), "r"(word(right)));
  }
  int pair = (threadIdx.x & 3) * 2;
  c[(row + group) * n + column + pair] = d[0];
  c[(row + group) * n + column + pair + 1] = d[1];
  c[(row + group + 8) * n + column + pair] = d[2];
  c[(row + group + 8) * n + column + pair + 1] = d[3];
}

// Through shared memory with ldmatrix: 16 x 16 of A by x4, 16 x 8 of B by x2.
extern "C" __global__ void mma_ldmatrix(const __half *a, const __half *b, float *c, int n, int k) {
  __shared__ __align__(16) __half left[16][24], right[8][24];
  int lane = threadIdx.x, row = blockIdx.y * 16, column = blockIdx.x * 8;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 16) {
    for (int i = lane; i < 256; i += 32) left[i / 16][i % 16] = a[(row + i / 16) * k + at + i % 16];
    for (int i = lane; i < 128; i += 32) right[i / 16][i % 16] = b[(column + i / 16) * k + at + i % 16];
    __syncwarp();
    uint32_t x[4], y[2];
    uint32_t address = (uint32_t)__cvta_generic_to_shared(&left[lane % 16][lane / 16 * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(address));
    address = (uint32_t)__cvta_generic_to_shared(&right[lane % 8][lane / 8 % 2 * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(y[0]), "=r"(y[1]) : "r"(address));
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    __syncwarp();
  }
  store_tile(c, n, row, column, d);
}

// One 8 x 8 matrix of 16-bit elements transposed by ldmatrix.trans: lane l gets elements 2(l%4) and +1 of column l/4.
extern "C" __global__ void ldmatrix_transposed(const uint16_t *in, uint32_t *out) {
  __shared__ __align__(16) uint16_t tile[8][8];
  for (int i = threadIdx.x; i < 64; i += 32) tile[i / 8][i % 8] = in[i];
  __syncwarp();
  uint32_t address = (uint32_t)__cvta_generic_to_shared(&tile[threadIdx.x % 8][0]), value;
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(value) : "r"(address));
  out[threadIdx.x] = value;
}
