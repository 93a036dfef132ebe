// Approximate functions of the hardware: each result within the bounds that the PTX manual states.
// Arguments stay in the ranges for which there are bounds.

#define UNARY(name, expression)                                                        \
  extern "C" __global__ void name(const float *in, float *out, int n) {                \
    int i = blockIdx.x * blockDim.x + threadIdx.x;                                     \
    if (i >= n) return;                                                                \
    float x = in[i];                                                                   \
    out[i] = expression;                                                               \
  }
#define BINARY(name, expression)                                                       \
  extern "C" __global__ void name(const float *a, const float *b, float *out, int n) { \
    int i = blockIdx.x * blockDim.x + threadIdx.x;                                     \
    if (i >= n) return;                                                                \
    float x = a[i], y = b[i];                                                          \
    out[i] = expression;                                                               \
  }

__device__ __forceinline__ float ex2_approx(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float lg2_approx(float x) {
  float y;
  asm("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float tanh_approx(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float rcp_approx(float x) {
  float y;
  asm("rcp.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float sqrt_approx(float x) {
  float y;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

UNARY(approx_ex2, ex2_approx(x))
UNARY(approx_lg2, lg2_approx(x))
UNARY(approx_tanh, tanh_approx(x))
UNARY(approx_rcp, rcp_approx(x))
UNARY(approx_sqrt, sqrt_approx(x))
UNARY(approx_rsqrt, rsqrtf(x))
UNARY(approx_exp, __expf(x))
UNARY(approx_log, __logf(x))
UNARY(approx_log2, __log2f(x))
UNARY(approx_log10, __log10f(x))
UNARY(approx_sin, __sinf(x))
UNARY(approx_cos, __cosf(x))
BINARY(approx_pow, __powf(x, y))
BINARY(approx_div, __fdividef(x, y))
