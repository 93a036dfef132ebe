/* gpu_histogram: how often each byte occurs in the input, counted with atomics in shared memory.
 *
 * Writes a line for each byte that occurs: its value, a blank, its count. Checks that the counts are right.
 */
#include "gpu_guest.h"
#include "histogram.ptx.h"
#include "wasi_cuda.h"

int main(void) {
  size_t length;
  uint8_t *bytes = guest_input(&length);
  uint32_t counts[256] = {0}, want[256] = {0};

  cuda_kernel kernel = cuda_check(cuda_load(ptx_histogram_shared, "histogram_shared"), "load");
  cuda_args args = {0};
  cuda_push_in(&args, bytes, length);
  cuda_push_inout(&args, counts, sizeof counts);
  cuda_push_u32(&args, (uint32_t)length);
  cuda_check(cuda_launch(kernel, cuda_dim(8), cuda_dim(256), 0, &args), "launch");
  cuda_check(cuda_sync(), "sync");

  for (size_t i = 0; i < length; i++) want[bytes[i]]++;
  for (int value = 0; value < 256; value++) {
    if (counts[value] != 0) printf("%d %u\n", value, (unsigned)counts[value]);
  }
  return memcmp(counts, want, sizeof counts) == 0 ? 0 : 1;
}
