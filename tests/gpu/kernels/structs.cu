// Parameters of all shapes: structures by value with pointers and arrays in them, many small ones, none; and
// functions that take and return structures.

#include <stdint.h>

struct Image {
  float *pixels;
  int width, height;
  short pitch;
};
struct Settings {
  Image source, target;
  float matrix[2][3];
  unsigned char flags[3];
  double gain;
};

extern "C" __global__ void transform(Settings settings) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  const Image &target = settings.target, &source = settings.source;
  if (x >= target.width || y >= target.height) return;
  int sx = (int)fmaf(settings.matrix[0][0], (float)x, fmaf(settings.matrix[0][1], (float)y, settings.matrix[0][2]));
  int sy = (int)fmaf(settings.matrix[1][0], (float)x, fmaf(settings.matrix[1][1], (float)y, settings.matrix[1][2]));
  float value = 0.0f;
  if (sx >= 0 && sx < source.width && sy >= 0 && sy < source.height) value = source.pixels[sy * source.pitch + sx];
  if (settings.flags[(x + y) % 3] != 0) value = (float)(value * settings.gain);
  target.pixels[y * target.pitch + x] = value;
}

extern "C" __global__ void many_params(char a, unsigned char b, short c, unsigned short d, int e, unsigned f, int64_t g,
                                       uint64_t h, float i, double j, bool k, int3 l, float2 m, char n, double4 o,
                                       double *out) {
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
  out[4] = e;
  out[5] = f;
  out[6] = (double)g;
  out[7] = (double)h;
  out[8] = i;
  out[9] = j;
  out[10] = k;
  out[11] = l.x * 100 + l.y * 10 + l.z;
  out[12] = m.x - m.y;
  out[13] = n;
  out[14] = o.x + o.y + o.z + o.w;
}

// An array in a structure that is indexed by what is only known at run time.
struct Table {
  int values[10];
};
extern "C" __global__ void look_up(Table table, const int *index, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = table.values[index[i]];
}

struct Complex {
  float re, im;
};
struct Big {
  int values[6];
  double weight;
};
__device__ __noinline__ Complex multiply(Complex a, Complex b) {
  return {__fsub_rn(__fmul_rn(a.re, b.re), __fmul_rn(a.im, b.im)), __fadd_rn(__fmul_rn(a.re, b.im), __fmul_rn(a.im, b.re))};
}
__device__ __noinline__ Big rotate(Big big, int by) {
  Big result;
  for (int i = 0; i < 6; i++) result.values[i] = big.values[(i + by) % 6];
  result.weight = big.weight * 2.0 + by;
  return result;
}

extern "C" __global__ void returned(const Complex *in, Complex *out, int *rotated, double *weights, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  Complex power = in[i];
  for (int k = 0; k < 3; k++) power = multiply(power, in[i]);
  out[i] = power;
  Big big = {{i, i + 1, i + 2, i + 3, i + 4, i + 5}, 0.5 * i};
  big = rotate(big, i % 6);
  for (int k = 0; k < 6; k++) rotated[6 * i + k] = big.values[k];
  weights[i] = big.weight;
}
