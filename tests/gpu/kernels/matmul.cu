// Products of row-major matrices, n by n: every output by itself, and by tiles through shared memory.
// The sum runs over k upwards, each step one fused multiply-add, so both give the same bits.

#define TILE 16

extern "C" __global__ void matmul_naive(const float *a, const float *b, float *c, int n) {
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n || column >= n) return;
  float sum = 0.0f;
  for (int k = 0; k < n; k++) sum = fmaf(a[row * n + k], b[k * n + column], sum);
  c[row * n + column] = sum;
}

// n is a multiple of the tile.
extern "C" __global__ void matmul_tiled(const float *a, const float *b, float *c, int n) {
  __shared__ float left[TILE][TILE], right[TILE][TILE];
  int row = blockIdx.y * TILE + threadIdx.y;
  int column = blockIdx.x * TILE + threadIdx.x;
  float sum = 0.0f;
  for (int tile = 0; tile < n; tile += TILE) {
    left[threadIdx.y][threadIdx.x] = a[row * n + tile + threadIdx.x];
    right[threadIdx.y][threadIdx.x] = b[(tile + threadIdx.y) * n + column];
    __syncthreads();
    for (int k = 0; k < TILE; k++) sum = fmaf(left[threadIdx.y][k], right[k][threadIdx.x], sum);
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// Any m, n, k; tiles at the edge are filled with zeros.
extern "C" __global__ void matmul_ragged(const float *a, const float *b, float *c, int m, int n, int inner) {
  __shared__ float left[TILE][TILE + 1], right[TILE][TILE + 1];
  int row = blockIdx.y * TILE + threadIdx.y;
  int column = blockIdx.x * TILE + threadIdx.x;
  float sum = 0.0f;
  for (int tile = 0; tile < inner; tile += TILE) {
    int k = tile + threadIdx.x;
    left[threadIdx.y][threadIdx.x] = row < m && k < inner ? a[row * inner + k] : 0.0f;
    k = tile + threadIdx.y;
    right[threadIdx.y][threadIdx.x] = k < inner && column < n ? b[k * n + column] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int k2 = 0; k2 < TILE; k2++) sum = fmaf(left[threadIdx.y][k2], right[k2][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

// 4 x 4 outputs a thread in registers, 64 x 64 a block of 16 x 16 threads; n is a multiple of 64.
extern "C" __global__ void matmul_blocked(const float *a, const float *b, float *c, int n) {
  __shared__ float left[16][64], right[16][64];
  int thread = threadIdx.y * 16 + threadIdx.x;
  float sum[4][4] = {};
  for (int tile = 0; tile < n; tile += 16) {
    for (int i = thread; i < 64 * 16; i += 256) {
      left[i % 16][i / 16] = a[(blockIdx.y * 64 + i / 16) * n + tile + i % 16];
      right[i / 64][i % 64] = b[(tile + i / 64) * n + blockIdx.x * 64 + i % 64];
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 16; k++) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        x[i] = left[k][threadIdx.y * 4 + i];
        y[i] = right[k][threadIdx.x * 4 + i];
      }
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++)
      c[(blockIdx.y * 64 + threadIdx.y * 4 + i) * n + blockIdx.x * 64 + threadIdx.x * 4 + j] = sum[i][j];
}

extern "C" __global__ void matmul_f64(const double *a, const double *b, double *c, int n) {
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n || column >= n) return;
  double sum = 0.0;
  for (int k = 0; k < n; k++) sum = fma(a[row * n + k], b[k * n + column], sum);
  c[row * n + column] = sum;
}

extern "C" __global__ void matmul_i32(const int *a, const int *b, int *c, int n) {
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n || column >= n) return;
  int sum = 0;
  for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
  c[row * n + column] = sum;
}
