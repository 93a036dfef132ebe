/* gpu_sort: the whole numbers on stdin in rising order, by a bitonic network of many launches.
 *
 * One a line, in and out; numbers that do not fit 32 bits with sign are refused, and text that is none is
 * passed over. Keys are padded to a power of two with the largest one.
 */
#include "gpu_guest.h"
#include "sort.ptx.h"
#include "wasi_cuda.h"

/* Signed numbers in the order of unsigned ones. */
static uint32_t key_of(int32_t value) { return (uint32_t)value ^ 0x80000000u; }
static int32_t value_of(uint32_t key) { return (int32_t)(key ^ 0x80000000u); }

static uint32_t *read_keys(uint32_t *count, uint32_t *padded) {
  size_t length;
  char *text = (char *)guest_input(&length);
  uint32_t *keys = guest_memory(length + 2, 2 * sizeof *keys);
  text = realloc(text, length + 1);
  if (text == NULL) guest_fail("out of memory");
  text[length] = '\0';
  *count = 0;
  for (char *at = text; *at != '\0';) {
    char *end;
    long long value = strtoll(at, &end, 10);
    if (end == at) {
      at++;
      continue;
    }
    if (value < INT32_MIN || value > INT32_MAX) guest_fail("a number does not fit 32 bits");
    keys[(*count)++] = key_of((int32_t)value);
    at = end;
  }
  for (*padded = 1; *padded < *count;) *padded *= 2;
  for (uint32_t i = *count; i < *padded; i++) keys[i] = UINT32_MAX;
  return keys;
}

int main(void) {
  uint32_t count, padded;
  uint32_t *keys = read_keys(&count, &padded);
  uint32_t bytes = padded * sizeof *keys;
  cuda_kernel kernel = cuda_check(cuda_load(ptx_bitonic_step, "bitonic_step"), "load");
  cuda_buffer buffer = cuda_check(cuda_alloc(bytes), "alloc");
  cuda_check(cuda_upload(buffer, 0, keys, bytes), "upload");
  for (uint32_t size = 2; size <= padded; size *= 2) {
    for (uint32_t stride = size / 2; stride > 0; stride /= 2) {
      cuda_args args = {0};
      cuda_push_buffer(&args, buffer, 0);
      cuda_push_i32(&args, (int32_t)padded);
      cuda_push_i32(&args, (int32_t)size);
      cuda_push_i32(&args, (int32_t)stride);
      cuda_check(cuda_launch(kernel, cuda_dim(cuda_blocks(padded, 256)), cuda_dim(256), 0, &args), "launch");
    }
  }
  cuda_check(cuda_download(keys, buffer, 0, bytes), "download");
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0 && keys[i - 1] > keys[i]) return 1;
    printf("%d\n", (int)value_of(keys[i]));
  }
  return 0;
}
