// Element-wise kernels: one thread an element, grid-stride loops, vector types, and indices that wrap around.
// Fused multiply-adds are written as such, so that results do not hang on the compiler's contraction.

extern "C" __global__ void vector_add(const float *a, const float *b, float *c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

extern "C" __global__ void saxpy(float alpha, const float *__restrict__ x, float *__restrict__ y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = fmaf(alpha, x[i], y[i]);
}

extern "C" __global__ void daxpy(double alpha, const double *x, double *y, size_t n) {
  size_t stride = (size_t)gridDim.x * blockDim.x;
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) y[i] = fma(alpha, x[i], y[i]);
}

extern "C" __global__ void add_i32(const int *a, const int *b, int *c, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

extern "C" __global__ void add_float4(const float4 *a, const float4 *b, float4 *c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float4 x = a[i], y = b[i];
  c[i] = make_float4(x.x + y.x, x.y - y.y, x.z * y.z, fmaf(x.w, y.w, 1.0f));
}

extern "C" __global__ void swizzle_uchar4(const uchar4 *in, uchar4 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uchar4 pixel = in[i];
  out[i] = make_uchar4(pixel.z, pixel.y, pixel.x, 255 - pixel.w);
}

// Thread 0 computes index 2^32 - 1, which is out of range; the others read their left neighbour.
extern "C" __global__ void wrap_index(const unsigned *in, unsigned *out, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x - 1;
  if (i < n) out[i] = in[i] * 3;
}

// Reversal: the index falls as the thread's number rises.
extern "C" __global__ void reverse(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[n - 1 - i] = in[i];
}

extern "C" __global__ void gather(const float *in, const int *index, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[index[i]];
}

extern "C" __global__ void scatter_strided(const int *in, int *out, int n, int stride) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i * stride] = in[i];
}

extern "C" __global__ void fill_bytes(unsigned char *out, unsigned char value, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = value + (unsigned char)i;
}

extern "C" __global__ void nothing() {}
