/* gpu_scan: the running sum of n whole numbers, in three launches: within blocks, over their totals, added up.
 *
 * Argument: n, 200000 unless said, at most a million. Everything stays in device memory in between.
 */
#include "gpu_guest.h"
#include "scan.ptx.h"
#include "wasi_cuda.h"

#define PER_BLOCK 1024

int main(int argc, char **argv) {
  uint32_t n = (uint32_t)guest_number(argc, argv, 1, 200000, 1, 1 << 20);
  uint32_t blocks = cuda_blocks(n, PER_BLOCK), bytes = n * sizeof(int32_t);
  int32_t *values = guest_memory(n, sizeof *values), *sums = guest_memory(n, sizeof *sums);
  for (uint32_t i = 0; i < n; i++) values[i] = (int32_t)(i * 2654435761u >> 24) - 100;

  cuda_kernel scan = cuda_check(cuda_load(ptx_scan_blelloch, "scan_blelloch"), "load");
  cuda_kernel add = cuda_check(cuda_load(ptx_scan_add_totals, "scan_add_totals"), "load");
  cuda_buffer in = cuda_check(cuda_alloc(bytes), "alloc"), out = cuda_check(cuda_alloc(bytes), "alloc");
  /* Totals of the blocks, then their own running sums; one more for the total of these. */
  cuda_buffer totals = cuda_check(cuda_alloc((2 * blocks + 1) * sizeof(int32_t)), "alloc");
  uint64_t offsets = blocks * sizeof(int32_t), end = 2 * offsets;
  cuda_check(cuda_upload(in, 0, values, bytes), "upload");

  cuda_args within = {0};
  cuda_push_buffer(&within, in, 0);
  cuda_push_buffer(&within, out, 0);
  cuda_push_buffer(&within, totals, 0);
  cuda_push_i32(&within, (int32_t)n);
  cuda_check(cuda_launch(scan, cuda_dim(blocks), cuda_dim(PER_BLOCK / 2), PER_BLOCK * 4, &within), "launch 1");
  cuda_args over = {0};
  cuda_push_buffer(&over, totals, 0);
  cuda_push_buffer(&over, totals, offsets);
  cuda_push_buffer(&over, totals, end);
  cuda_push_i32(&over, (int32_t)blocks);
  cuda_check(cuda_launch(scan, cuda_dim(1), cuda_dim(PER_BLOCK / 2), PER_BLOCK * 4, &over), "launch 2");
  cuda_args added = {0};
  cuda_push_buffer(&added, out, 0);
  cuda_push_buffer(&added, totals, offsets);
  cuda_push_i32(&added, (int32_t)n);
  cuda_push_i32(&added, PER_BLOCK);
  cuda_check(cuda_launch(add, cuda_dim(blocks), cuda_dim(256), 0, &added), "launch 3");
  cuda_check(cuda_download(sums, out, 0, bytes), "download");

  size_t wrong = 0;
  int32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    wrong += sums[i] != sum;
    sum += values[i];
  }
  printf("sum of all: %d\n", (int)sum);
  return guest_verdict("scan", wrong, n);
}
