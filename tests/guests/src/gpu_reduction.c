/* gpu_reduction: the sum of the numbers on stdin, by shuffles within warps and shared memory within blocks.
 *
 * Without numbers on stdin it sums n made-up ones; argument: n, 1000000 unless said. Each launch leaves a sum a
 * block in device memory, until one is left. Prints the sum, and fails if it is far from one in double precision.
 */
#include "gpu_guest.h"
#include "reduce.ptx.h"
#include "wasi_cuda.h"

#define BLOCK 256

int main(int argc, char **argv) {
  size_t count;
  float *numbers = guest_input_numbers(&count);
  if (count == 0) {
    count = (size_t)guest_number(argc, argv, 1, 1000000, 1, 50000000);
    numbers = guest_memory(count, sizeof *numbers);
    guest_fill(numbers, count, 1);
  }
  cuda_kernel kernel = cuda_check(cuda_load(ptx_block_reduce_shuffle, "block_reduce_shuffle"), "load");
  uint32_t left = (uint32_t)count;
  cuda_buffer from = cuda_check(cuda_alloc(left * sizeof *numbers), "alloc");
  cuda_check(cuda_upload(from, 0, numbers, left * sizeof *numbers), "upload");
  while (left > 1) {
    uint32_t blocks = cuda_blocks(left, BLOCK);
    cuda_buffer to = cuda_check(cuda_alloc(blocks * sizeof *numbers), "alloc");
    cuda_args args = {0};
    cuda_push_buffer(&args, from, 0);
    cuda_push_buffer(&args, to, 0);
    cuda_push_i32(&args, (int32_t)left);
    cuda_check(cuda_launch(kernel, cuda_dim(blocks), cuda_dim(BLOCK), 0, &args), "launch");
    cuda_check(cuda_free(from), "free");
    from = to;
    left = blocks;
  }
  float sum;
  cuda_check(cuda_download(&sum, from, 0, sizeof sum), "download");

  double want = 0, size = 0;
  for (size_t i = 0; i < count; i++) {
    want += numbers[i];
    size += fabs(numbers[i]);
  }
  printf("%.9g\n", (double)sum);
  if (fabs(sum - want) <= 1e-5 * size) return 0;
  fprintf(stderr, "want %.9g\n", want);
  return 1;
}
