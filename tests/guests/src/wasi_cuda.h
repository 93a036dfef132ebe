/* wasi_cuda.h: calling wasi:cuda from C. Header only; needs clang for wasm32 and nothing else.
 *
 * The imports of wasi:cuda/host@0.2.0 under their own names, and a small API on top of them: argument lists are
 * built by pushing, extents are cuda_dim3, and codes are checked by cuda_check, which prints what the host has to
 * say and exits. Every function answers a negative code (CUDA_E_...) for a failure; cuda_last_error has its text.
 *
 *   static float x[N], y[N];
 *   cuda_kernel kernel = cuda_load(ptx_text, "saxpy");
 *   cuda_args args = {0};
 *   cuda_push_f32(&args, 2.0f);
 *   cuda_push_in(&args, x, sizeof x);
 *   cuda_push_inout(&args, y, sizeof y);
 *   cuda_push_i32(&args, N);
 *   cuda_check(cuda_launch(kernel, cuda_dim(N / 256), cuda_dim(256), 0, &args), "launch");
 *   cuda_check(cuda_sync(), "sync");      // y is there now
 */
#ifndef WASI_CUDA_H
#define WASI_CUDA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WASI_CUDA_IMPORT(name) __attribute__((import_module("wasi:cuda/host@0.2.0"), import_name(#name))) extern

WASI_CUDA_IMPORT(wasi_cuda_load_ptx)
int64_t wasi_cuda_load_ptx(const void *ptx, uint32_t ptx_length, const void *entry, uint32_t entry_length);
WASI_CUDA_IMPORT(wasi_cuda_unload) int32_t wasi_cuda_unload(int64_t kernel);
WASI_CUDA_IMPORT(wasi_cuda_launch)
int32_t wasi_cuda_launch(int64_t kernel, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,
                         uint32_t block_y, uint32_t block_z, uint32_t shared, const void *args, uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_launch_async)
int32_t wasi_cuda_launch_async(int64_t kernel, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,
                               uint32_t block_y, uint32_t block_z, uint32_t shared, int64_t stream, const void *args,
                               uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_sync) int32_t wasi_cuda_sync(void);
WASI_CUDA_IMPORT(wasi_cuda_last_error_len) int32_t wasi_cuda_last_error_len(void);
WASI_CUDA_IMPORT(wasi_cuda_last_error_copy) int32_t wasi_cuda_last_error_copy(void *target, uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_alloc) int64_t wasi_cuda_alloc(int64_t bytes);
WASI_CUDA_IMPORT(wasi_cuda_free) int32_t wasi_cuda_free(int64_t buffer);
WASI_CUDA_IMPORT(wasi_cuda_memcpy_h2d)
int32_t wasi_cuda_memcpy_h2d(int64_t buffer, int64_t offset, const void *source, uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_memcpy_d2h)
int32_t wasi_cuda_memcpy_d2h(void *target, int64_t buffer, int64_t offset, uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_device_query) int64_t wasi_cuda_device_query(int32_t attribute);
WASI_CUDA_IMPORT(wasi_cuda_device_name) int32_t wasi_cuda_device_name(char *target, uint32_t length);
WASI_CUDA_IMPORT(wasi_cuda_stream_create) int64_t wasi_cuda_stream_create(void);
WASI_CUDA_IMPORT(wasi_cuda_stream_destroy) int32_t wasi_cuda_stream_destroy(int64_t stream);
WASI_CUDA_IMPORT(wasi_cuda_stream_sync) int32_t wasi_cuda_stream_sync(int64_t stream);
WASI_CUDA_IMPORT(wasi_cuda_event_create) int64_t wasi_cuda_event_create(void);
WASI_CUDA_IMPORT(wasi_cuda_event_destroy) int32_t wasi_cuda_event_destroy(int64_t event);
WASI_CUDA_IMPORT(wasi_cuda_event_record) int32_t wasi_cuda_event_record(int64_t event, int64_t stream);
WASI_CUDA_IMPORT(wasi_cuda_event_query) int32_t wasi_cuda_event_query(int64_t event);
WASI_CUDA_IMPORT(wasi_cuda_event_sync) int32_t wasi_cuda_event_sync(int64_t event);
WASI_CUDA_IMPORT(wasi_cuda_event_stream_wait) int32_t wasi_cuda_event_stream_wait(int64_t stream, int64_t event);
WASI_CUDA_IMPORT(wasi_cuda_event_elapsed_ns) int64_t wasi_cuda_event_elapsed_ns(int64_t start, int64_t end);

/* Result codes: zero and positive values are success. */
enum {
  CUDA_E_NOT_AVAILABLE = -1,
  CUDA_E_INVALID_POINTER = -2,
  CUDA_E_INVALID_KERNEL = -3,
  CUDA_E_MALFORMED_PTX = -4,
  CUDA_E_LAUNCH_FAILED = -5,
  CUDA_E_QUOTA_EXCEEDED = -6,
  CUDA_E_INTERNAL = -7,
  CUDA_E_INVALID_DIMENSIONS = -8,
  CUDA_E_INVALID_ARGS = -9,
  CUDA_E_KERNEL_ARGS_UNSUPPORTED = -10,
  CUDA_E_INVALID_HANDLE = -11,
  CUDA_E_NOT_READY = -12,
};

/* Attributes of cuda_query. CUDA_KIND: 1 for kernels on the CPU, 2 for CUDA. */
enum {
  CUDA_KIND = 0,
  CUDA_COMPUTE_CAPABILITY = 1,
  CUDA_MULTIPROCESSORS = 2,
  CUDA_MEMORY_BYTES = 3,
  CUDA_FREE_BYTES = 4,
  CUDA_WARP_SIZE = 5,
  CUDA_THREADS_PER_BLOCK_MAX = 6,
  CUDA_SHARED_BYTES_PER_BLOCK_MAX = 7,
};

typedef int64_t cuda_kernel;
typedef int64_t cuda_buffer;
typedef int64_t cuda_stream; /* 0 is the default stream */
typedef int64_t cuda_event;

/* Extents; zero counts as one, so that cuda_dim(256) and {.x = 8, .y = 8} say all. */
typedef struct {
  uint32_t x, y, z;
} cuda_dim3;

static inline cuda_dim3 cuda_dim(uint32_t x) { return (cuda_dim3){x, 1, 1}; }
static inline cuda_dim3 cuda_dim2(uint32_t x, uint32_t y) { return (cuda_dim3){x, y, 1}; }

/* Blocks of `size` that cover `count`. */
static inline uint32_t cuda_blocks(uint32_t count, uint32_t size) { return count == 0 ? 1 : (count - 1) / size + 1; }

/* The arguments of a launch, in the order of the kernel's parameters; starts as {0}. */
#define CUDA_ARGS_BYTES 1024
typedef struct {
  uint32_t length; /* past CUDA_ARGS_BYTES if something did not fit; then a launch is refused */
  uint8_t bytes[CUDA_ARGS_BYTES];
} cuda_args;

static inline void cuda_push(cuda_args *args, uint8_t tag, const void *value, uint32_t length) {
  uint32_t at = args->length;
  args->length += 1 + length;
  if (args->length > CUDA_ARGS_BYTES) {
    args->length = CUDA_ARGS_BYTES + 1;
    return;
  }
  args->bytes[at] = tag;
  memcpy(args->bytes + at + 1, value, length);
}

static inline void cuda_push_i32(cuda_args *args, int32_t value) { cuda_push(args, 0x01, &value, 4); }
static inline void cuda_push_i64(cuda_args *args, int64_t value) { cuda_push(args, 0x02, &value, 8); }
static inline void cuda_push_f32(cuda_args *args, float value) { cuda_push(args, 0x03, &value, 4); }
static inline void cuda_push_f64(cuda_args *args, double value) { cuda_push(args, 0x04, &value, 8); }
static inline void cuda_push_u32(cuda_args *args, uint32_t value) { cuda_push(args, 0x05, &value, 4); }
static inline void cuda_push_u64(cuda_args *args, uint64_t value) { cuda_push(args, 0x06, &value, 8); }

/* Windows of this program's memory: the kernel sees a copy, and what it wrote is back after a sync. */
static inline void cuda_push_window(cuda_args *args, uint8_t tag, const void *memory, size_t length) {
  uint32_t window[2] = {(uint32_t)(uintptr_t)memory, (uint32_t)length};
  cuda_push(args, tag, window, 8);
}
static inline void cuda_push_inout(cuda_args *args, void *memory, size_t length) {
  cuda_push_window(args, 0x07, memory, length);
}
static inline void cuda_push_in(cuda_args *args, const void *memory, size_t length) {
  cuda_push_window(args, 0x08, memory, length);
}
static inline void cuda_push_out(cuda_args *args, void *memory, size_t length) {
  cuda_push_window(args, 0x09, memory, length);
}

/* A place in a device buffer, `offset` bytes into it. */
static inline void cuda_push_buffer(cuda_args *args, cuda_buffer buffer, uint64_t offset) {
  uint64_t place[2] = {(uint64_t)buffer, offset};
  cuda_push(args, 0x0a, place, 16);
}

/* Compiles a NUL-terminated PTX text and looks a kernel up. */
static inline cuda_kernel cuda_load(const char *ptx, const char *entry) {
  return wasi_cuda_load_ptx(ptx, (uint32_t)strlen(ptx), entry, (uint32_t)strlen(entry));
}
static inline int32_t cuda_unload(cuda_kernel kernel) { return wasi_cuda_unload(kernel); }

static inline uint32_t cuda_extent(uint32_t extent) { return extent == 0 ? 1 : extent; }

/* Launches on a stream. Results in windows are there after a sync. */
static inline int32_t cuda_launch_on(cuda_stream stream, cuda_kernel kernel, cuda_dim3 grid, cuda_dim3 block,
                                     uint32_t shared, const cuda_args *args) {
  if (args->length > CUDA_ARGS_BYTES) return CUDA_E_KERNEL_ARGS_UNSUPPORTED;
  return wasi_cuda_launch_async(kernel, cuda_extent(grid.x), cuda_extent(grid.y), cuda_extent(grid.z),
                                cuda_extent(block.x), cuda_extent(block.y), cuda_extent(block.z), shared, stream,
                                args->bytes, args->length);
}
static inline int32_t cuda_launch(cuda_kernel kernel, cuda_dim3 grid, cuda_dim3 block, uint32_t shared,
                                  const cuda_args *args) {
  if (args->length > CUDA_ARGS_BYTES) return CUDA_E_KERNEL_ARGS_UNSUPPORTED;
  return wasi_cuda_launch(kernel, cuda_extent(grid.x), cuda_extent(grid.y), cuda_extent(grid.z), cuda_extent(block.x),
                          cuda_extent(block.y), cuda_extent(block.z), shared, args->bytes, args->length);
}
static inline int32_t cuda_sync(void) { return wasi_cuda_sync(); }

/* Device memory, zero at the start. */
static inline cuda_buffer cuda_alloc(uint64_t bytes) { return wasi_cuda_alloc((int64_t)bytes); }
static inline int32_t cuda_free(cuda_buffer buffer) { return wasi_cuda_free(buffer); }
static inline int32_t cuda_upload(cuda_buffer buffer, uint64_t offset, const void *source, size_t length) {
  return wasi_cuda_memcpy_h2d(buffer, (int64_t)offset, source, (uint32_t)length);
}
static inline int32_t cuda_download(void *target, cuda_buffer buffer, uint64_t offset, size_t length) {
  return wasi_cuda_memcpy_d2h(target, buffer, (int64_t)offset, (uint32_t)length);
}

static inline int64_t cuda_query(int32_t attribute) { return wasi_cuda_device_query(attribute); }

/* Whether there is a device for this program. */
static inline int cuda_available(void) { return cuda_query(CUDA_KIND) >= 0; }

/* The text of the last error, cut to the size given; the empty text if there is none. */
static inline void cuda_last_error(char *text, uint32_t size) {
  int32_t length = wasi_cuda_last_error_copy(text, size - 1);
  text[length < 0 ? 0 : length] = '\0';
}

static inline const char *cuda_code_name(int64_t code) {
  static const char *const names[] = {
      "ok",           "not available",     "invalid pointer",   "invalid kernel",     "malformed PTX",
      "launch failed", "quota exceeded",    "internal error",    "invalid dimensions", "invalid arguments",
      "arguments not supported", "invalid handle", "not ready",
  };
  return code >= 0 ? names[0] : code < -12 ? "unknown code" : names[-code];
}

/* Passes a result on if it is one; else prints what failed and why on stderr, and exits with 3 for a host without
 * a device, with 4 for everything else. */
static inline int64_t cuda_check(int64_t code, const char *what) {
  if (code >= 0) return code;
  if (code == CUDA_E_NOT_AVAILABLE) {
    fprintf(stderr, "%s: this host has no CUDA device for this program\n", what);
    exit(3);
  }
  char text[513];
  cuda_last_error(text, sizeof text);
  fprintf(stderr, "%s: %s (%d)%s%s\n", what, cuda_code_name(code), (int)code, text[0] == '\0' ? "" : ": ", text);
  exit(4);
}

#endif
