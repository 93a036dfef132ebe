// Arithmetic with a stated rounding, in single and double precision: to nearest even, to zero, up and down.
// Every result is the exact one rounded once; minima and maxima prefer numbers to NaN.

#define ROUNDINGS(call, type, ...) call##_rn(__VA_ARGS__), call##_rz(__VA_ARGS__), call##_ru(__VA_ARGS__), call##_rd(__VA_ARGS__)

extern "C" __global__ void rounded_f32(const float *a, const float *b, const float *c, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = a[i], y = b[i], z = c[i];
  float results[] = {ROUNDINGS(__fadd, float, x, y), ROUNDINGS(__fsub, float, x, y), ROUNDINGS(__fmul, float, x, y),
                     ROUNDINGS(__fmaf, float, x, y, z), ROUNDINGS(__fdiv, float, x, y), ROUNDINGS(__fsqrt, float, x),
                     ROUNDINGS(__frcp, float, x)};
#pragma unroll
  for (int k = 0; k < 28; k++) out[28 * i + k] = results[k];
}

extern "C" __global__ void rounded_f64(const double *a, const double *b, const double *c, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double x = a[i], y = b[i], z = c[i];
  double results[] = {ROUNDINGS(__dadd, double, x, y), ROUNDINGS(__dsub, double, x, y), ROUNDINGS(__dmul, double, x, y),
                      ROUNDINGS(__fma, double, x, y, z), ROUNDINGS(__ddiv, double, x, y), ROUNDINGS(__dsqrt, double, x),
                      ROUNDINGS(__drcp, double, x)};
#pragma unroll
  for (int k = 0; k < 28; k++) out[28 * i + k] = results[k];
}

extern "C" __global__ void compare_f32(const float *a, const float *b, unsigned *out, float *ends, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = a[i], y = b[i];
  unsigned bits = 0;
  bits |= (x < y) << 0 | (x <= y) << 1 | (x > y) << 2 | (x >= y) << 3 | (x == y) << 4 | (x != y) << 5;
  bits |= !(x < y) << 6 | (x != x || y != y) << 7 | (isnan(x) != 0) << 8 | (isinf(x) != 0) << 9 | (isfinite(x) != 0) << 10;
  bits |= (signbit(x) != 0) << 11 | (x < y || x > y) << 12;
  out[i] = bits;
  ends[2 * i] = fminf(x, y);
  ends[2 * i + 1] = fmaxf(x, y);
}

extern "C" __global__ void compare_f64(const double *a, const double *b, unsigned *out, double *ends, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double x = a[i], y = b[i];
  out[i] = (x < y) | (x <= y) << 1 | (x > y) << 2 | (x >= y) << 3 | (x == y) << 4 | (x != y) << 5 | (x != x || y != y) << 6;
  ends[2 * i] = fmin(x, y);
  ends[2 * i + 1] = fmax(x, y);
}

// Subnormals kept, and flushed to zero on the way in and out.
extern "C" __global__ void flushed(const float *a, const float *b, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float *to = out + 6 * i;
  asm("add.f32 %0, %1, %2;" : "=f"(to[0]) : "f"(a[i]), "f"(b[i]));
  asm("add.ftz.f32 %0, %1, %2;" : "=f"(to[1]) : "f"(a[i]), "f"(b[i]));
  asm("mul.f32 %0, %1, %2;" : "=f"(to[2]) : "f"(a[i]), "f"(b[i]));
  asm("mul.ftz.f32 %0, %1, %2;" : "=f"(to[3]) : "f"(a[i]), "f"(b[i]));
  asm("fma.rn.ftz.f32 %0, %1, %2, %1;" : "=f"(to[4]) : "f"(a[i]), "f"(b[i]));
  asm("mul.sat.f32 %0, %1, %2;" : "=f"(to[5]) : "f"(a[i]), "f"(b[i]));
}
