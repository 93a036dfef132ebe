// Stencils: one dimension with a halo in shared memory, five points in two dimensions, seven in three.
// Neighbours beyond the edge count as zero; sums are written with explicit operations.

#define RADIUS 3
#define BLOCK 256

// Sum of 2 * RADIUS + 1 neighbours, from left to right. blockDim.x is BLOCK.
extern "C" __global__ void stencil1d(const float *in, float *out, int n) {
  __shared__ float tile[BLOCK + 2 * RADIUS];
  int i = blockIdx.x * blockDim.x + threadIdx.x, at = threadIdx.x + RADIUS;
  tile[at] = i < n ? in[i] : 0.0f;
  if (threadIdx.x < RADIUS) {
    int left = i - RADIUS, right = i + BLOCK;
    tile[at - RADIUS] = left >= 0 && left < n ? in[left] : 0.0f;
    tile[at + BLOCK] = right < n ? in[right] : 0.0f;
  }
  __syncthreads();
  float sum = 0.0f;
#pragma unroll
  for (int offset = -RADIUS; offset <= RADIUS; offset++) sum = __fadd_rn(sum, tile[at + offset]);
  if (i < n) out[i] = sum;
}

// One step of heat: centre + rate * (sum of the four neighbours - 4 * centre); the border stays.
extern "C" __global__ void heat2d(const float *in, float *out, int width, int height, float rate) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  int at = y * width + x;
  float centre = in[at];
  if (x == 0 || y == 0 || x == width - 1 || y == height - 1) {
    out[at] = centre;
    return;
  }
  float sum = __fadd_rn(__fadd_rn(in[at - 1], in[at + 1]), __fadd_rn(in[at - width], in[at + width]));
  out[at] = fmaf(rate, fmaf(-4.0f, centre, sum), centre);
}

// Seven points; the block is three-dimensional.
extern "C" __global__ void laplace3d(const float *in, float *out, int nx, int ny, int nz) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  int z = blockIdx.z * blockDim.z + threadIdx.z;
  if (x >= nx || y >= ny || z >= nz) return;
  int plane = nx * ny, at = z * plane + y * nx + x;
  float sum = __fmul_rn(-6.0f, in[at]);
  if (x > 0) sum = __fadd_rn(sum, in[at - 1]);
  if (x < nx - 1) sum = __fadd_rn(sum, in[at + 1]);
  if (y > 0) sum = __fadd_rn(sum, in[at - nx]);
  if (y < ny - 1) sum = __fadd_rn(sum, in[at + nx]);
  if (z > 0) sum = __fadd_rn(sum, in[at - plane]);
  if (z < nz - 1) sum = __fadd_rn(sum, in[at + plane]);
  out[at] = sum;
}

// One generation of the game of life on a torus, through a tile with halo of 16 x 16.
extern "C" __global__ void game_of_life(const unsigned char *in, unsigned char *out, int width, int height) {
  __shared__ unsigned char tile[18][18];
  int x0 = blockIdx.x * 16 - 1, y0 = blockIdx.y * 16 - 1;
  for (int i = threadIdx.y * 16 + threadIdx.x; i < 18 * 18; i += 256) {
    int x = (x0 + i % 18 + width) % width, y = (y0 + i / 18 + height) % height;
    tile[i / 18][i % 18] = in[y * width + x];
  }
  __syncthreads();
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x >= width || y >= height) return;
  int alive = 0;
  for (int dy = 0; dy < 3; dy++)
    for (int dx = 0; dx < 3; dx++)
      if (dx != 1 || dy != 1) alive += tile[threadIdx.y + dy][threadIdx.x + dx];
  out[y * width + x] = alive == 3 || (alive == 2 && tile[threadIdx.y + 1][threadIdx.x + 1] != 0);
}
