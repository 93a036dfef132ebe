/* gpu_vector_add: the smallest program that uses the GPU: c = a + b through windows of its own memory.
 *
 * Argument: how many elements, 100000 unless said. Where there is no device it adds by itself and says so. The
 * result is checked element by element.
 */
#include "gpu_guest.h"
#include "vector.ptx.h"
#include "wasi_cuda.h"

static void add_on_device(const float *a, const float *b, float *c, int n) {
  cuda_kernel kernel = cuda_check(cuda_load(ptx_vector_add, "vector_add"), "load");
  cuda_args args = {0};
  cuda_push_in(&args, a, (size_t)n * sizeof *a);
  cuda_push_in(&args, b, (size_t)n * sizeof *b);
  cuda_push_out(&args, c, (size_t)n * sizeof *c);
  cuda_push_i32(&args, n);
  cuda_check(cuda_launch(kernel, cuda_dim(cuda_blocks((uint32_t)n, 256)), cuda_dim(256), 0, &args), "launch");
  cuda_check(cuda_sync(), "sync");
  cuda_check(cuda_unload(kernel), "unload");
}

int main(int argc, char **argv) {
  int n = (int)guest_number(argc, argv, 1, 100000, 0, 50000000);
  float *a = guest_memory((size_t)n, sizeof *a), *b = guest_memory((size_t)n, sizeof *b);
  float *c = guest_memory((size_t)n, sizeof *c);
  guest_fill(a, (size_t)n, 1);
  guest_fill(b, (size_t)n, 2);
  if (cuda_available()) {
    char name[64];
    int32_t length = (int32_t)cuda_check(wasi_cuda_device_name(name, sizeof name), "device name");
    printf("device: %.*s\n", (int)length, name);
    add_on_device(a, b, c, n);
  } else {
    puts("device: none, adding here");
    for (int i = 0; i < n; i++) c[i] = a[i] + b[i];
  }
  size_t wrong = 0;
  for (int i = 0; i < n; i++) wrong += c[i] != a[i] + b[i];
  return guest_verdict("vector_add", wrong, (size_t)n);
}
