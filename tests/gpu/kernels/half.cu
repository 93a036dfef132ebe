// Halves: arithmetic one by one and in pairs, conversions in every rounding, comparisons, a dot product.
// Each operation rounds once to 11 bits.

#include <cuda_fp16.h>

extern "C" __global__ void half_ops(const __half *a, const __half *b, const __half *c, __half *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  __half x = a[i], y = b[i], z = c[i], *to = out + 10 * i;
  to[0] = __hadd_rn(x, y);
  to[1] = __hsub_rn(x, y);
  to[2] = __hmul_rn(x, y);
  to[3] = __hfma(x, y, z);
  to[4] = __hneg(x);
  to[5] = __habs(x);
  to[6] = __hmin(x, y);
  to[7] = __hmax(x, y);
  to[8] = __hfma_relu(x, y, z);
  to[9] = __hadd_sat(x, y);
}

extern "C" __global__ void half2_ops(const __half2 *a, const __half2 *b, const __half2 *c, __half2 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  __half2 x = a[i], y = b[i], z = c[i], *to = out + 8 * i;
  to[0] = __hadd2_rn(x, y);
  to[1] = __hsub2_rn(x, y);
  to[2] = __hmul2_rn(x, y);
  to[3] = __hfma2(x, y, z);
  to[4] = __lowhigh2highlow(x);
  to[5] = __hmax2(x, y);
  to[6] = __halves2half2(__low2half(x), __high2half(y));
  to[7] = __hge2(x, y);
}

extern "C" __global__ void half_conversions(const float *in, unsigned short *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i];
  out[4 * i] = __half_as_ushort(__float2half_rn(x));
  out[4 * i + 1] = __half_as_ushort(__float2half_rz(x));
  out[4 * i + 2] = __half_as_ushort(__float2half_ru(x));
  out[4 * i + 3] = __half_as_ushort(__float2half_rd(x));
}

extern "C" __global__ void half_integers(const __half *in, const int *numbers, int *out, __half *halves, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[3 * i] = __half2int_rn(in[i]);
  out[3 * i + 1] = __half2int_rz(in[i]);
  out[3 * i + 2] = (int)__half2uint_rd(in[i]);
  halves[2 * i] = __int2half_rn(numbers[i]);
  halves[2 * i + 1] = __short2half_rn((short)numbers[i]);
}

extern "C" __global__ void half_compare(const __half *a, const __half *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  __half x = a[i], y = b[i];
  out[i] = __hlt(x, y) | __hle(x, y) << 1 | __hgt(x, y) << 2 | __heq(x, y) << 3 | __hne(x, y) << 4 | __hisnan(x) << 5 |
           __hltu(x, y) << 6;
}

// y = alpha x + y in pairs, as inference does it; n is the number of pairs.
extern "C" __global__ void half_axpy(__half alpha, const __half2 *x, __half2 *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = __hfma2(__half2half2(alpha), x[i], y[i]);
}

// Products of halves added up in single precision by a warp.
extern "C" __global__ void half_dot(const __half2 *a, const __half2 *b, float *out, int n) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += 32) {
    float2 x = __half22float2(a[blockIdx.x * n + i]), y = __half22float2(b[blockIdx.x * n + i]);
    sum = fmaf(x.x, y.x, fmaf(x.y, y.y, sum));
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// Functions of halves; approximate.
extern "C" __global__ void half_functions(const __half *in, __half *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  __half x = in[i], *to = out + 6 * i;
  to[0] = hsqrt(x);
  to[1] = hrcp(x);
  to[2] = hexp(x);
  to[3] = hlog(x);
  to[4] = __hdiv(x, __float2half(3.0f));
  to[5] = hfloor(x);
}
