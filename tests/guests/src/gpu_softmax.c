/* gpu_softmax: the softmax of the numbers on stdin, in rows.
 *
 * Argument: how many numbers a row has; all of them unless said. Writes the rows, numbers apart by blanks. What
 * is left over from whole rows is refused. One block a row.
 */
#include "gpu_guest.h"
#include "softmax.ptx.h"
#include "wasi_cuda.h"

int main(int argc, char **argv) {
  size_t count;
  float *numbers = guest_input_numbers(&count);
  if (count == 0) guest_fail("no numbers on stdin");
  size_t columns = (size_t)guest_number(argc, argv, 1, (long)count, 1, 1 << 20);
  if (count % columns != 0) guest_fail("the numbers do not fill whole rows");
  float *out = guest_memory(count, sizeof *out);

  cuda_kernel kernel = cuda_check(cuda_load(ptx_softmax_block, "softmax_block"), "load");
  cuda_args args = {0};
  cuda_push_in(&args, numbers, count * sizeof *numbers);
  cuda_push_out(&args, out, count * sizeof *out);
  cuda_push_i32(&args, (int32_t)columns);
  cuda_dim3 grid = cuda_dim((uint32_t)(count / columns)), block = cuda_dim(128);
  cuda_check(cuda_launch(kernel, grid, block, 128 * sizeof(float), &args), "launch");
  cuda_check(cuda_sync(), "sync");

  for (size_t i = 0; i < count; i++) printf("%.6g%c", (double)out[i], (i + 1) % columns == 0 ? '\n' : ' ');
  return 0;
}
