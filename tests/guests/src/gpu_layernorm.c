/* gpu_layernorm: every row of numbers brought to mean 0 and deviation 1, then scaled and shifted.
 *
 * Arguments: rows (64) and columns (256) of made-up data. One warp a row; the result is checked against double
 * precision, and the mean and deviation of the first rows are printed.
 */
#include "gpu_guest.h"
#include "softmax.ptx.h"
#include "wasi_cuda.h"

#define EPSILON 1e-5f

static void normalise(const float *row, const float *weight, const float *bias, int columns, float *out) {
  double mean = 0, squares = 0;
  for (int i = 0; i < columns; i++) mean += row[i];
  mean /= columns;
  for (int i = 0; i < columns; i++) squares += (row[i] - mean) * (row[i] - mean);
  double scale = 1 / sqrt(squares / columns + EPSILON);
  for (int i = 0; i < columns; i++) out[i] = (float)((row[i] - mean) * scale * weight[i] + bias[i]);
}

int main(int argc, char **argv) {
  int rows = (int)guest_number(argc, argv, 1, 64, 1, 65536), columns = (int)guest_number(argc, argv, 2, 256, 1, 65536);
  size_t count = (size_t)rows * (size_t)columns;
  if (count > 1 << 24) guest_fail("more than 16 Mi numbers");
  float *in = guest_memory(count, sizeof *in), *out = guest_memory(count, sizeof *out);
  float *weight = guest_memory((size_t)columns, sizeof *weight), *bias = guest_memory((size_t)columns, sizeof *bias);
  float *mean = guest_memory((size_t)rows, sizeof *mean), *scale = guest_memory((size_t)rows, sizeof *scale);
  guest_fill(in, count, 1);
  guest_fill(weight, (size_t)columns, 2);
  guest_fill(bias, (size_t)columns, 3);

  cuda_kernel kernel = cuda_check(cuda_load(ptx_layernorm, "layernorm"), "load");
  cuda_args args = {0};
  cuda_push_in(&args, in, count * sizeof *in);
  cuda_push_in(&args, weight, (size_t)columns * sizeof *weight);
  cuda_push_in(&args, bias, (size_t)columns * sizeof *bias);
  cuda_push_out(&args, out, count * sizeof *out);
  cuda_push_out(&args, mean, (size_t)rows * sizeof *mean);
  cuda_push_out(&args, scale, (size_t)rows * sizeof *scale);
  cuda_push_i32(&args, rows);
  cuda_push_i32(&args, columns);
  cuda_push_f32(&args, EPSILON);
  cuda_check(cuda_launch(kernel, cuda_dim(cuda_blocks((uint32_t)rows, 4)), cuda_dim(128), 0, &args), "launch");
  cuda_check(cuda_sync(), "sync");

  float *want = guest_memory((size_t)columns, sizeof *want);
  size_t wrong = 0;
  for (int row = 0; row < rows; row++) {
    normalise(in + row * columns, weight, bias, columns, want);
    wrong += guest_count_wrong(out + row * columns, want, (size_t)columns, 1e-3f);
    if (row < 3) printf("row %d: mean %.5f, deviation %.5f\n", row, (double)mean[row], (double)(1 / scale[row]));
  }
  return guest_verdict("layernorm", wrong, count);
}
