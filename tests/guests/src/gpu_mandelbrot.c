/* gpu_mandelbrot: a picture of the Mandelbrot set, counted and coloured on the device, as PNG or PPM on stdout.
 *
 * Arguments: width (640), height (480), limit of iterations (256), png or ppm. The content type is given to the
 * host. The PNG is not compressed: its one stream is of stored blocks.
 */
#include "gpu_guest.h"
#include "mandelbrot.ptx.h"
#include "wasi_cuda.h"

__attribute__((import_module("wasi:tensor/host"), import_name("set-content-type"))) int
host_set_content_type(const char *ptr, int length);

#define STORED_MAX 65535u

static void render(uint8_t *pixels, int width, int height, int limit) {
  uint32_t count = (uint32_t)(width * height);
  cuda_kernel escape = cuda_check(cuda_load(ptx_mandelbrot, "mandelbrot"), "load");
  cuda_kernel colour = cuda_check(cuda_load(ptx_colour, "colour"), "load");
  cuda_buffer counts = cuda_check(cuda_alloc(count * sizeof(int32_t)), "alloc");
  float step = 2.6f / (float)(width < height ? width : height);
  cuda_args args = {0};
  cuda_push_buffer(&args, counts, 0);
  cuda_push_i32(&args, width);
  cuda_push_i32(&args, height);
  cuda_push_f32(&args, -0.7f - step * (float)width / 2);
  cuda_push_f32(&args, -step * (float)height / 2);
  cuda_push_f32(&args, step);
  cuda_push_i32(&args, limit);
  cuda_dim3 grid = cuda_dim2(cuda_blocks((uint32_t)width, 16), cuda_blocks((uint32_t)height, 16));
  cuda_check(cuda_launch(escape, grid, cuda_dim2(16, 16), 0, &args), "launch");
  cuda_args colours = {0};
  cuda_push_buffer(&colours, counts, 0);
  cuda_push_out(&colours, pixels, count * 3);
  cuda_push_i32(&colours, (int32_t)count);
  cuda_push_i32(&colours, limit);
  cuda_check(cuda_launch(colour, cuda_dim(cuda_blocks(count, 256)), cuda_dim(256), 0, &colours), "launch");
  cuda_check(cuda_sync(), "sync");
}

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t crc_of(const uint8_t *bytes, size_t length) {
  uint32_t table[256], crc = 0xffffffff;
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) table[i] = table[i] & 1 ? 0xedb88320 ^ table[i] >> 1 : table[i] >> 1;
  }
  for (size_t i = 0; i < length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
  return ~crc;
}

/* Writes a chunk: its length, then name and data, which lie at chunk + 4, then the checksum of these. */
static void put_chunk(uint8_t *chunk, const char *name, uint32_t length) {
  put_u32(chunk, length);
  memcpy(chunk + 4, name, 4);
  put_u32(chunk + 8 + length, crc_of(chunk + 4, length + 4));
  guest_output(chunk, length + 12);
}

static void put_png(const uint8_t *pixels, uint32_t width, uint32_t height) {
  size_t row = 3 * (size_t)width + 1, raw = row * height, blocks = (raw + STORED_MAX - 1) / STORED_MAX;
  uint8_t *chunk = guest_memory(raw + 5 * blocks + 32, 1), *data = chunk + 8;
  guest_output("\x89PNG\r\n\x1a\n", 8);
  put_u32(data, width);
  put_u32(data + 4, height);
  memcpy(data + 8, "\x08\x02\0\0\0", 5);
  put_chunk(chunk, "IHDR", 13);

  size_t used = 2;
  uint32_t low = 1, high = 0; /* of Adler's checksum */
  memcpy(data, "\x78\x01", 2);
  for (size_t at = 0; at < raw; at++) {
    if (at % STORED_MAX == 0) {
      uint32_t length = raw - at < STORED_MAX ? (uint32_t)(raw - at) : STORED_MAX;
      data[used] = at + length == raw;
      data[used + 1] = (uint8_t)length, data[used + 2] = (uint8_t)(length >> 8);
      data[used + 3] = (uint8_t)~length, data[used + 4] = (uint8_t)(~length >> 8);
      used += 5;
    }
    /* Each row begins with its filter: none. */
    uint8_t byte = at % row == 0 ? 0 : pixels[at / row * (row - 1) + at % row - 1];
    data[used++] = byte;
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  put_u32(data + used, high << 16 | low);
  put_chunk(chunk, "IDAT", (uint32_t)used + 4);
  put_chunk(chunk, "IEND", 0);
}

int main(int argc, char **argv) {
  int width = (int)guest_number(argc, argv, 1, 640, 1, 4096), height = (int)guest_number(argc, argv, 2, 480, 1, 4096);
  int limit = (int)guest_number(argc, argv, 3, 256, 1, 100000);
  const char *format = argc > 4 ? argv[4] : "png";
  int is_png = strcmp(format, "png") == 0;
  if (!is_png && strcmp(format, "ppm") != 0) guest_fail("argument 4: want png or ppm");

  size_t bytes = 3 * (size_t)width * (size_t)height;
  uint8_t *pixels = guest_memory(bytes, 1);
  render(pixels, width, height, limit);
  const char *content_type = is_png ? "image/png" : "image/x-portable-pixmap";
  host_set_content_type(content_type, (int)strlen(content_type));
  if (is_png) {
    put_png(pixels, (uint32_t)width, (uint32_t)height);
    return 0;
  }
  char header[40];
  guest_output(header, (size_t)snprintf(header, sizeof header, "P6\n%d %d\n255\n", width, height));
  guest_output(pixels, bytes);
  return 0;
}
