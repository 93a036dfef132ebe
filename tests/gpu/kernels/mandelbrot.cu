// Escape times: of the Mandelbrot set in single and double precision, and of a Julia set; and their colours.
// The loop leaves at different times in different threads. Operations are explicit, so counts are exact.

extern "C" __global__ void mandelbrot(int *out, int width, int height, float left, float top, float step, int limit) {
  int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
  if (px >= width || py >= height) return;
  float cx = fmaf((float)px, step, left), cy = fmaf((float)py, step, top);
  float x = 0.0f, y = 0.0f;
  int count = 0;
  while (count < limit) {
    float xx = __fmul_rn(x, x), yy = __fmul_rn(y, y);
    if (__fadd_rn(xx, yy) > 4.0f) break;
    float next = __fadd_rn(__fsub_rn(xx, yy), cx);
    y = fmaf(__fadd_rn(x, x), y, cy);
    x = next;
    count++;
  }
  out[py * width + px] = count;
}

extern "C" __global__ void mandelbrot_f64(int *out, int width, int height, double left, double top, double step,
                                          int limit) {
  int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
  if (px >= width || py >= height) return;
  double cx = fma((double)px, step, left), cy = fma((double)py, step, top);
  double x = 0.0, y = 0.0;
  int count = 0;
  for (; count < limit; count++) {
    double xx = __dmul_rn(x, x), yy = __dmul_rn(y, y);
    if (__dadd_rn(xx, yy) > 4.0) break;
    double next = __dadd_rn(__dsub_rn(xx, yy), cx);
    y = fma(__dadd_rn(x, x), y, cy);
    x = next;
  }
  out[py * width + px] = count;
}

extern "C" __global__ void julia(unsigned char *out, int width, int height, float cx, float cy, float step, int limit) {
  int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
  if (px >= width || py >= height) return;
  float x = __fmul_rn((float)(px - width / 2), step), y = __fmul_rn((float)(py - height / 2), step);
  int count = 0;
  do {
    float xx = __fmul_rn(x, x), yy = __fmul_rn(y, y);
    if (__fadd_rn(xx, yy) > 4.0f) break;
    y = fmaf(__fadd_rn(x, x), y, cy);
    x = __fadd_rn(__fsub_rn(xx, yy), cx);
  } while (++count < limit);
  out[py * width + px] = (unsigned char)count;
}

// Red, green, blue of a count: black inside the set, else a band of colours.
extern "C" __global__ void colour(const int *counts, uchar3 *pixels, int n, int limit) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int count = counts[i];
  uchar3 pixel = make_uchar3(0, 0, 0);
  if (count < limit) {
    pixel.x = (unsigned char)(count * 9 % 256);
    pixel.y = (unsigned char)(count * 5 % 256);
    pixel.z = (unsigned char)(128 + count * 3 % 128);
  }
  pixels[i] = pixel;
}
