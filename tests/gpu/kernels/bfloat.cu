// bfloat16: arithmetic one by one and in pairs, conversions, a sum of squares.
// Each operation rounds once to 8 bits; fused ones too.

#include <cuda_bf16.h>

extern "C" __global__ void bfloat_ops(const __nv_bfloat16 *a, const __nv_bfloat16 *b, const __nv_bfloat16 *c,
                                      __nv_bfloat16 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  __nv_bfloat16 x = a[i], y = b[i], z = c[i], *to = out + 8 * i;
  to[0] = __hadd_rn(x, y);
  to[1] = __hsub_rn(x, y);
  to[2] = __hmul_rn(x, y);
  to[3] = __hfma(x, y, z);
  to[4] = __hneg(x);
  to[5] = __habs(x);
  to[6] = __hmin(x, y);
  to[7] = __hmax(x, y);
}

extern "C" __global__ void bfloat2_ops(const __nv_bfloat162 *a, const __nv_bfloat162 *b, __nv_bfloat162 *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[3 * i] = __hadd2_rn(a[i], b[i]);
  out[3 * i + 1] = __hmul2_rn(a[i], b[i]);
  out[3 * i + 2] = __hfma2(a[i], b[i], a[i]);
}

extern "C" __global__ void bfloat_conversions(const float *in, const __nv_bfloat16 *narrow, unsigned short *out,
                                              float *floats, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[3 * i] = __bfloat16_as_ushort(__float2bfloat16_rn(in[i]));
  out[3 * i + 1] = __bfloat16_as_ushort(__float2bfloat16_rz(in[i]));
  __nv_bfloat162 both = __floats2bfloat162_rn(in[i], -in[i]);
  out[3 * i + 2] = __bfloat16_as_ushort(__high2bfloat16(both));
  floats[i] = __bfloat162float(narrow[i]);
}

// Row-wise scaling by the root mean square, as transformers store their activations.
extern "C" __global__ void bfloat_rmsnorm(const __nv_bfloat16 *in, __nv_bfloat16 *out, int columns) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += 32) {
    float x = __bfloat162float(in[blockIdx.x * columns + i]);
    sum = fmaf(x, x, sum);
  }
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffff, sum, mask);
  float scale = 1.0f / sqrtf(__fadd_rn(sum / columns, 1e-6f));
  for (int i = threadIdx.x; i < columns; i += 32) {
    int at = blockIdx.x * columns + i;
    out[at] = __float2bfloat16_rn(__fmul_rn(__bfloat162float(in[at]), scale));
  }
}
