/* gpu_saxpy: y = alpha x + y, as a library of exports that takes its arguments as JSON.
 *
 * run(alpha, n) fills x with 0, 1, 2, ... and y with ones, keeps both in device memory for three steps, and
 * returns the sum of y, or a negative code of wasi:cuda, whose text it logs.
 */
#include "vector.ptx.h"
#include "wasi_cuda.h"

__attribute__((import_module("tensor_wasm:log/host@0.1.0"), import_name("log"))) int
host_log(int level, const char *text, int length);

#define LOG_ERROR 4
#define ELEMENTS_MAX (1 << 20)
#define STEPS 3

static float values[ELEMENTS_MAX];

static double sum_of(int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += values[i];
  return sum;
}

static int32_t iterate(cuda_kernel kernel, cuda_buffer x, cuda_buffer y, float alpha, int n) {
  size_t bytes = (size_t)n * sizeof *values;
  for (int i = 0; i < n; i++) values[i] = (float)i;
  int32_t code = cuda_upload(x, 0, values, bytes);
  for (int i = 0; i < n; i++) values[i] = 1;
  if (code >= 0) code = cuda_upload(y, 0, values, bytes);
  cuda_args args = {0};
  cuda_push_f32(&args, alpha);
  cuda_push_buffer(&args, x, 0);
  cuda_push_buffer(&args, y, 0);
  cuda_push_i32(&args, n);
  for (int step = 0; step < STEPS && code >= 0; step++) {
    /* The kernel strides over the grid, so a few blocks are enough for any size. */
    code = cuda_launch(kernel, cuda_dim(8), cuda_dim(256), 0, &args);
  }
  return code < 0 ? code : cuda_download(values, y, 0, bytes);
}

static double failure(int64_t code) {
  char text[512];
  cuda_last_error(text, sizeof text);
  const char *what = text[0] == '\0' ? cuda_code_name(code) : text;
  host_log(LOG_ERROR, what, (int)strlen(what));
  return (double)code;
}

__attribute__((export_name("run"))) double run(float alpha, int32_t n) {
  if (n < 1 || n > ELEMENTS_MAX) return CUDA_E_INVALID_ARGS;
  cuda_kernel kernel = cuda_load(ptx_saxpy, "saxpy");
  if (kernel < 0) return failure(kernel);
  cuda_buffer x = cuda_alloc((uint64_t)n * sizeof *values), y = cuda_alloc((uint64_t)n * sizeof *values);
  int32_t code = x < 0 ? (int32_t)x : y < 0 ? (int32_t)y : iterate(kernel, x, y, alpha, n);
  double result = code < 0 ? failure(code) : sum_of(n);
  if (x >= 0) cuda_free(x);
  if (y >= 0) cuda_free(y);
  cuda_unload(kernel);
  return result;
}
