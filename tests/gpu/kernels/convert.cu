// Conversions between all number types, in every rounding, saturating as the hardware does: NaN becomes zero,
// (or the largest pattern, for 64 bits), what is too large the nearest end.

#include <stdint.h>

extern "C" __global__ void float_to_int(const float *in, int64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i];
  int64_t *to = out + 12 * i;
  to[0] = __float2int_rn(x);
  to[1] = __float2int_rz(x);
  to[2] = __float2int_ru(x);
  to[3] = __float2int_rd(x);
  to[4] = __float2uint_rn(x);
  to[5] = __float2uint_rz(x);
  to[6] = __float2uint_ru(x);
  to[7] = __float2uint_rd(x);
  to[8] = __float2ll_rn(x);
  to[9] = __float2ll_rd(x);
  to[10] = __float2ull_rz(x);
  to[11] = __float2ull_ru(x);
}

extern "C" __global__ void double_to_int(const double *in, int64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double x = in[i];
  int64_t *to = out + 8 * i;
  to[0] = __double2int_rn(x);
  to[1] = __double2int_rd(x);
  to[2] = __double2uint_rz(x);
  to[3] = __double2uint_ru(x);
  to[4] = __double2ll_rn(x);
  to[5] = __double2ll_ru(x);
  to[6] = __double2ull_rz(x);
  to[7] = __double2ull_rd(x);
}

extern "C" __global__ void int_to_float(const int64_t *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int64_t x = in[i];
  float *to = out + 12 * i;
  to[0] = __int2float_rn((int)x);
  to[1] = __int2float_rz((int)x);
  to[2] = __int2float_ru((int)x);
  to[3] = __int2float_rd((int)x);
  to[4] = __uint2float_rn((unsigned)x);
  to[5] = __uint2float_rz((unsigned)x);
  to[6] = __uint2float_ru((unsigned)x);
  to[7] = __uint2float_rd((unsigned)x);
  to[8] = __ll2float_rn(x);
  to[9] = __ll2float_rd(x);
  to[10] = __ull2float_rn((uint64_t)x);
  to[11] = __ull2float_ru((uint64_t)x);
}

extern "C" __global__ void int_to_double(const int64_t *in, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int64_t x = in[i];
  double *to = out + 6 * i;
  to[0] = __int2double_rn((int)x);
  to[1] = __uint2double_rn((unsigned)x);
  to[2] = __ll2double_rn(x);
  to[3] = __ll2double_rz(x);
  to[4] = __ull2double_ru((uint64_t)x);
  to[5] = __ull2double_rd((uint64_t)x);
}

extern "C" __global__ void double_to_float(const double *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[4 * i] = __double2float_rn(in[i]);
  out[4 * i + 1] = __double2float_rz(in[i]);
  out[4 * i + 2] = __double2float_ru(in[i]);
  out[4 * i + 3] = __double2float_rd(in[i]);
}

extern "C" __global__ void whole_floats(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i], *to = out + 8 * i;
  to[0] = rintf(x);
  to[1] = truncf(x);
  to[2] = floorf(x);
  to[3] = ceilf(x);
  to[4] = __saturatef(__fadd_rn(x, 0.0f));
  to[5] = fabsf(x);
  to[6] = -x;
  to[7] = copysignf(1.5f, x);
}

extern "C" __global__ void whole_doubles(const double *in, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double x = in[i], *to = out + 6 * i;
  to[0] = rint(x);
  to[1] = trunc(x);
  to[2] = floor(x);
  to[3] = ceil(x);
  to[4] = fabs(x);
  to[5] = (double)(float)x;
}

// To and from bytes and shorts, as images do.
extern "C" __global__ void float_bytes(const unsigned char *in, const float *scale, signed char *narrow,
                                       unsigned short *wide, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float value = __fmul_rn((float)in[i], scale[i]);
  narrow[i] = (signed char)fminf(fmaxf(value, -128.0f), 127.0f);
  wide[i] = (unsigned short)fminf(fmaxf(rintf(value), 0.0f), 65535.0f);
}

extern "C" __global__ void reinterpret(const float *f, const double *d, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[4 * i] = __float_as_int(f[i]) + 1;
  out[4 * i + 1] = __float_as_int(__uint_as_float(__float_as_uint(f[i]) ^ 0x80000000u));
  out[4 * i + 2] = __double2hiint(d[i]);
  out[4 * i + 3] = __double2loint(__hiloint2double(__double2loint(d[i]), __double2hiint(d[i])));
}
