// The accurate functions of double precision: polynomials of explicit fused multiply-adds, exponents put together
// from integer halves, quotients by refined reciprocals.

#define UNARY(name, expression)                                                           \
  extern "C" __global__ void name(const double *in, double *out, int n) {                 \
    int i = blockIdx.x * blockDim.x + threadIdx.x;                                        \
    if (i >= n) return;                                                                   \
    double x = in[i];                                                                     \
    out[i] = expression;                                                                  \
  }
#define BINARY(name, expression)                                                          \
  extern "C" __global__ void name(const double *a, const double *b, double *out, int n) { \
    int i = blockIdx.x * blockDim.x + threadIdx.x;                                        \
    if (i >= n) return;                                                                   \
    double x = a[i], y = b[i];                                                            \
    out[i] = expression;                                                                  \
  }

UNARY(f64_sin, sin(x))
UNARY(f64_cos, cos(x))
UNARY(f64_tan, tan(x))
UNARY(f64_asin, asin(x))
UNARY(f64_acos, acos(x))
UNARY(f64_atan, atan(x))
UNARY(f64_exp, exp(x))
UNARY(f64_exp2, exp2(x))
UNARY(f64_expm1, expm1(x))
UNARY(f64_log, log(x))
UNARY(f64_log2, log2(x))
UNARY(f64_log10, log10(x))
UNARY(f64_log1p, log1p(x))
UNARY(f64_sinh, sinh(x))
UNARY(f64_cosh, cosh(x))
UNARY(f64_tanh, tanh(x))
UNARY(f64_cbrt, cbrt(x))
UNARY(f64_sqrt, sqrt(x))
UNARY(f64_rsqrt, rsqrt(x))
UNARY(f64_erf, erf(x))
UNARY(f64_erfc, erfc(x))
UNARY(f64_lgamma, lgamma(x))
BINARY(f64_pow, pow(x, y))
BINARY(f64_atan2, atan2(x, y))
BINARY(f64_hypot, hypot(x, y))
BINARY(f64_fmod, fmod(x, y))
BINARY(f64_div, x / y)

// Compensated summation of a column by each thread: every operation matters.
extern "C" __global__ void f64_kahan(const double *in, double *out, int rows, int columns) {
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = 0.0, lost = 0.0;
  for (int row = 0; row < rows; row++) {
    double y = __dsub_rn(in[row * columns + column], lost), t = __dadd_rn(sum, y);
    lost = __dsub_rn(__dsub_rn(t, sum), y);
    sum = t;
  }
  out[column] = sum;
}
