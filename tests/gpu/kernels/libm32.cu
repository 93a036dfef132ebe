// The accurate functions of single precision, which compile to long PTX: table look-ups, reductions of large
// arguments through local arrays, special cases.

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

UNARY(f32_sin, sinf(x))
UNARY(f32_cos, cosf(x))
UNARY(f32_tan, tanf(x))
UNARY(f32_asin, asinf(x))
UNARY(f32_acos, acosf(x))
UNARY(f32_atan, atanf(x))
UNARY(f32_exp, expf(x))
UNARY(f32_exp2, exp2f(x))
UNARY(f32_exp10, exp10f(x))
UNARY(f32_expm1, expm1f(x))
UNARY(f32_log, logf(x))
UNARY(f32_log2, log2f(x))
UNARY(f32_log10, log10f(x))
UNARY(f32_log1p, log1pf(x))
UNARY(f32_sinh, sinhf(x))
UNARY(f32_cosh, coshf(x))
UNARY(f32_tanh, tanhf(x))
UNARY(f32_asinh, asinhf(x))
UNARY(f32_acosh, acoshf(x))
UNARY(f32_atanh, atanhf(x))
UNARY(f32_cbrt, cbrtf(x))
UNARY(f32_erf, erff(x))
UNARY(f32_erfc, erfcf(x))
UNARY(f32_tgamma, tgammaf(x))
UNARY(f32_lgamma, lgammaf(x))
UNARY(f32_sinpi, sinpif(x))
UNARY(f32_round, roundf(x))
BINARY(f32_pow, powf(x, y))
BINARY(f32_atan2, atan2f(x, y))
BINARY(f32_hypot, hypotf(x, y))
BINARY(f32_fmod, fmodf(x, y))
BINARY(f32_remainder, remainderf(x, y))
BINARY(f32_fdim, fdimf(x, y))

extern "C" __global__ void f32_sincos(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) sincosf(in[i], &out[2 * i], &out[2 * i + 1]);
}

extern "C" __global__ void f32_parts(const float *in, float *out, int *exponents, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float whole;
  out[4 * i] = frexpf(in[i], &exponents[i]);
  out[4 * i + 1] = modff(in[i], &whole);
  out[4 * i + 2] = whole;
  out[4 * i + 3] = ldexpf(in[i], 5);
}
