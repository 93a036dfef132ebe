/* gpu_matmul: the product of two n x n matrices by three kernels: naive, tiled through shared memory, and mma on
 * tensor cores with halves.
 *
 * Arguments: naive, tiled or mma (naive unless said), and n (128 unless said; a multiple of 16 for the others).
 * Prints the time of launch and sync and checks every element of some rows against a product of its own.
 */
#include "gpu_guest.h"
#include "matmul.ptx.h"
#include "mma.ptx.h"
#include "wasi_cuda.h"
#include <time.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* To half precision, nearest even; the data are small, so there is no overflow. */
static uint16_t half_of(float value) {
  _Static_assert(sizeof(float) == 4, "single precision");
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t sign = bits >> 16 & 0x8000;
  int exponent = (int)(bits >> 23 & 0xff) - 127;
  if (exponent < -14) {
    return (uint16_t)(sign | (uint32_t)lrintf(fabsf(value) * 16777216.0f));
  }
  uint32_t rounded = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
  return (uint16_t)(sign | ((rounded - (112u << 23)) >> 13));
}

static float float_of(uint16_t half) {
  float magnitude = (half & 0x7c00) == 0 ? (float)(half & 0x3ff) / 16777216.0f
                                         : ldexpf((float)(1024 + (half & 0x3ff)), (half >> 10 & 31) - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

static void multiply(int is_tiled, const float *a, const float *b, float *c, int n) {
  cuda_kernel kernel = cuda_check(
      is_tiled ? cuda_load(ptx_matmul_tiled, "matmul_tiled") : cuda_load(ptx_matmul_naive, "matmul_naive"), "load");
  size_t bytes = (size_t)n * (size_t)n * sizeof *a;
  cuda_args args = {0};
  cuda_push_in(&args, a, bytes);
  cuda_push_in(&args, b, bytes);
  cuda_push_out(&args, c, bytes);
  cuda_push_i32(&args, n);
  uint32_t tiles = cuda_blocks((uint32_t)n, 16);
  cuda_check(cuda_launch(kernel, cuda_dim2(tiles, tiles), cuda_dim2(16, 16), 0, &args), "launch");
  cuda_check(cuda_sync(), "sync");
}

/* The kernel takes the second matrix by columns. */
static void multiply_halves(float *a, float *b, float *c, int n) {
  size_t count = (size_t)n * (size_t)n;
  uint16_t *left = guest_memory(count, sizeof *left), *right = guest_memory(count, sizeof *right);
  for (size_t i = 0; i < count; i++) {
    left[i] = half_of(a[i]);
    right[i % (size_t)n * (size_t)n + i / (size_t)n] = half_of(b[i]);
    a[i] = float_of(left[i]);
    b[i] = float_of(half_of(b[i]));
  }
  cuda_kernel kernel = cuda_check(cuda_load(ptx_mma_f16, "mma_f16"), "load");
  cuda_args args = {0};
  cuda_push_in(&args, left, count * sizeof *left);
  cuda_push_in(&args, right, count * sizeof *right);
  cuda_push_out(&args, c, count * sizeof *c);
  cuda_push_i32(&args, n);
  cuda_push_i32(&args, n);
  cuda_check(cuda_launch(kernel, cuda_dim2((uint32_t)n / 8, (uint32_t)n / 16), cuda_dim(32), 0, &args), "launch");
  cuda_check(cuda_sync(), "sync");
}

static void check_row(const float *a, const float *b, int n, int row, float *want) {
  for (int column = 0; column < n; column++) {
    double sum = 0;
    for (int k = 0; k < n; k++) sum += (double)a[row * n + k] * b[k * n + column];
    want[column] = (float)sum;
  }
}

int main(int argc, char **argv) {
  const char *way = argc > 1 ? argv[1] : "naive";
  int is_naive = strcmp(way, "naive") == 0, is_tiled = strcmp(way, "tiled") == 0;
  if (!is_naive && !is_tiled && strcmp(way, "mma") != 0) guest_fail("argument 1: want naive, tiled or mma");
  int n = (int)guest_number(argc, argv, 2, 128, 1, 2048);
  if (!is_naive && n % 16 != 0) guest_fail("argument 2: want a multiple of 16");

  size_t count = (size_t)n * (size_t)n;
  float *a = guest_memory(count, sizeof *a), *b = guest_memory(count, sizeof *b), *c = guest_memory(count, sizeof *c);
  guest_fill(a, count, 1);
  guest_fill(b, count, 2);
  double start = seconds();
  if (is_naive || is_tiled) {
    multiply(is_tiled, a, b, c, n);
  } else {
    multiply_halves(a, b, c, n);
  }
  double took = seconds() - start;
  fprintf(stderr, "%s %d: %.1f ms, %.2f GFLOP/s\n", way, n, took * 1e3, 2.0 * n * n * n / took * 1e-9);

  float *want = guest_memory((size_t)n, sizeof *want);
  size_t wrong = 0, checked = 0;
  for (int row = 0; row < n; row += n / 8 + 1) {
    check_row(a, b, n, row, want);
    wrong += guest_count_wrong(c + row * n, want, (size_t)n, 1e-4f);
    checked += (size_t)n;
  }
  return guest_verdict(way, wrong, checked);
}
