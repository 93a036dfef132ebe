/* image_filter: a binary PPM (P6) on stdin, the filtered PPM on stdout.
 *
 * The filter is the first argument, else the variable FILTER, else "blur": a 5x5 Gaussian (1 4 6 4 1, squared);
 * "edge": the Sobel magnitude of the luma, as grey. Pixels beyond the border repeat those on it. The output's
 * content type is given to the host. Exit code 2, with a line on stderr: unknown filter, or no image that it takes.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((import_module("wasi:tensor/host"), import_name("set-content-type"))) int
host_set_content_type(const char *ptr, int length);

#define PIXELS_MAX (64u * 1024 * 1024)

typedef struct {
  size_t width, height;
  unsigned max;
  const uint8_t *pixels; /* 3 bytes each */
} Image;

static void fail(const char *what) {
  fprintf(stderr, "image_filter: %s\n", what);
  exit(2);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static uint8_t *read_input(size_t *length) {
  size_t capacity = 1 << 20, used = 0;
  uint8_t *bytes = malloc(capacity);
  for (;;) {
    if (bytes == NULL) fail("out of memory");
    ssize_t got = read(0, bytes + used, capacity - used);
    if (got < 0) fail("cannot read stdin");
    if (got == 0) break;
    used += (size_t)got;
    if (used < capacity) continue;
    if (capacity > SIZE_MAX / 2) fail("out of memory");
    capacity *= 2;
    bytes = realloc(bytes, capacity);
  }
  *length = used;
  return bytes;
}

/* The next number of the header: spaces and comments (# to the end of the line) may stand before it. */
static unsigned read_number(const uint8_t *bytes, size_t length, size_t *at) {
  while (*at < length && (bytes[*at] == '#' || bytes[*at] == ' ' || (bytes[*at] >= '\t' && bytes[*at] <= '\r'))) {
    if (bytes[*at] == '#') {
      while (*at < length && bytes[*at] != '\n' && bytes[*at] != '\r') ++*at;
    } else {
      ++*at;
    }
  }
  unsigned value = 0;
  size_t start = *at;
  for (; *at < length && bytes[*at] >= '0' && bytes[*at] <= '9'; ++*at) {
    value = value * 10 + (bytes[*at] - '0');
    if (value > PIXELS_MAX) fail("a number of the header is too large");
  }
  if (*at == start) fail("the header lacks a number");
  return value;
}

static Image parse_image(const uint8_t *bytes, size_t length) {
  if (length < 2 || bytes[0] != 'P' || bytes[1] != '6') fail("the input is not a binary PPM (P6)");
  size_t at = 2;
  Image image;
  image.width = read_number(bytes, length, &at);
  image.height = read_number(bytes, length, &at);
  image.max = read_number(bytes, length, &at);
  if (image.width == 0 || image.height == 0) fail("the image is empty");
  if (image.height > PIXELS_MAX / image.width) fail("the image has more than 64 Mi pixels");
  if (image.max < 1 || image.max > 255) fail("the maximum value is not in 1..255");
  /* One white space ends the header, then the pixels start. */
  if (at == length || (bytes[at] != ' ' && (bytes[at] < '\t' || bytes[at] > '\r'))) fail("the header has no end");
  at++;
  if (length - at < image.width * image.height * 3) fail("the image is shorter than its header says");
  image.pixels = bytes + at;
  return image;
}

static size_t clamp(ptrdiff_t index, size_t count) {
  return index < 0 ? 0 : (size_t)index >= count ? count - 1 : (size_t)index;
}

/* One row blurred horizontally, 16 times too large: at most 4080. */
static void blur_row(const uint8_t *restrict row, size_t width, uint16_t *restrict out) {
  for (size_t x = 0; x < width; x++) {
    if (x == 2 && width > 4) {
      /* The inner bytes need no clamping; this loop is the one that vectorises. */
      for (size_t i = 6; i < (width - 2) * 3; i++) {
        out[i] = (uint16_t)(row[i - 6] + row[i + 6] + 4 * (row[i - 3] + row[i + 3]) + 6 * row[i]);
      }
      x = width - 2;
    }
    const uint8_t *far_left = row + clamp((ptrdiff_t)x - 2, width) * 3, *left = row + clamp((ptrdiff_t)x - 1, width) * 3;
    const uint8_t *right = row + clamp((ptrdiff_t)x + 1, width) * 3, *far_right = row + clamp((ptrdiff_t)x + 2, width) * 3;
    for (size_t c = 0; c < 3; c++) {
      out[x * 3 + c] =
          (uint16_t)(far_left[c] + far_right[c] + 4 * (left[c] + right[c]) + 6 * row[x * 3 + c]);
    }
  }
}

/* Five blurred rows become one: sums reach 65280, so they and the rounding fit 16 bits. */
static void combine_rows(const uint16_t *const rows[5], size_t length, uint8_t *restrict out) {
  const uint16_t *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2];
  const uint16_t *restrict d = rows[3], *restrict e = rows[4];
  for (size_t i = 0; i < length; i++) {
    uint16_t sum = (uint16_t)(a[i] + e[i] + 4 * (b[i] + d[i]) + 6 * c[i] + 128);
    out[i] = (uint8_t)(sum >> 8);
  }
}

static void blur(const Image *image, uint8_t *out) {
  size_t length = image->width * 3;
  uint16_t *ring = allocate(5 * length, sizeof *ring);
  size_t ready = 0; /* rows blurred so far; row y lies at y mod 5 */
  for (size_t y = 0; y < image->height; y++) {
    for (; ready < image->height && ready <= y + 2; ready++) {
      blur_row(image->pixels + ready * length, image->width, ring + ready % 5 * length);
    }
    const uint16_t *rows[5];
    for (int i = 0; i < 5; i++) {
      rows[i] = ring + clamp((ptrdiff_t)y + i - 2, image->height) % 5 * length;
    }
    combine_rows(rows, length, out + y * length);
  }
  free(ring);
}

/* The luma of one row (weights of BT.601 in 256ths), with the first and last value repeated around it. */
static void luma_row(const uint8_t *restrict row, size_t width, int16_t *restrict out) {
  for (size_t x = 0; x < width; x++) {
    out[x + 1] = (int16_t)((77 * row[x * 3] + 150 * row[x * 3 + 1] + 29 * row[x * 3 + 2] + 128) >> 8);
  }
  out[0] = out[1];
  out[width + 1] = out[width];
}

static void sobel_row(const int16_t *restrict above, const int16_t *restrict here, const int16_t *restrict below,
                      size_t width, float max, uint8_t *restrict grey) {
  for (size_t x = 0; x < width; x++) {
    int gx = above[x + 2] + 2 * here[x + 2] + below[x + 2] - above[x] - 2 * here[x] - below[x];
    int gy = below[x] + 2 * below[x + 1] + below[x + 2] - above[x] - 2 * above[x + 1] - above[x + 2];
    /* The squares stay below 2^24, so single precision is exact up to the root. */
    float magnitude = sqrtf((float)(gx * gx + gy * gy));
    grey[x] = (uint8_t)(int)(magnitude > max ? max : magnitude);
  }
}

static void edge(const Image *image, uint8_t *out) {
  size_t width = image->width, stride = width + 2;
  int16_t *ring = allocate(3 * stride, sizeof *ring);
  uint8_t *grey = allocate(width, 1);
  size_t ready = 0;
  for (size_t y = 0; y < image->height; y++) {
    for (; ready < image->height && ready <= y + 1; ready++) {
      luma_row(image->pixels + ready * width * 3, width, ring + ready % 3 * stride);
    }
    sobel_row(ring + clamp((ptrdiff_t)y - 1, image->height) % 3 * stride, ring + y % 3 * stride,
              ring + clamp((ptrdiff_t)y + 1, image->height) % 3 * stride, width, (float)image->max, grey);
    uint8_t *row = out + y * width * 3;
    for (size_t x = 0; x < width; x++) row[x * 3] = row[x * 3 + 1] = row[x * 3 + 2] = grey[x];
  }
  free(grey);
  free(ring);
}

static void write_all(const void *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t got = write(1, (const uint8_t *)bytes + sent, length - sent);
    if (got <= 0) fail("cannot write stdout");
    sent += (size_t)got;
  }
}

int main(int argc, char **argv) {
  const char *filter = argc > 1 ? argv[1] : getenv("FILTER");
  if (filter == NULL) filter = "blur";
  int is_edge = strcmp(filter, "edge") == 0;
  if (!is_edge && strcmp(filter, "blur") != 0) fail("the filter is neither blur nor edge");

  size_t length;
  uint8_t *bytes = read_input(&length);
  Image image = parse_image(bytes, length);
  size_t pixel_bytes = image.width * image.height * 3;
  uint8_t *out = allocate(pixel_bytes, 1);
  if (is_edge) {
    edge(&image, out);
  } else {
    blur(&image, out);
  }

  static const char content_type[] = "image/x-portable-pixmap";
  host_set_content_type(content_type, sizeof content_type - 1);
  char header[64];
  int header_length =
      snprintf(header, sizeof header, "P6\n%zu %zu\n%u\n", image.width, image.height, image.max);
  write_all(header, (size_t)header_length);
  write_all(out, pixel_bytes);
  return 0;
}
