/* bench_convolve: a 3 x 3 convolution (1 2 1, 2 4 2, 1 2 1, / 16) of a grey 256 x 256 image, n times in place of
 * itself; pixels beyond the border repeat those on it. run(n) returns a checksum of the pixels.
 */
#include <stdint.h>
#include <string.h>

#define SIZE 256

static const int KERNEL[3][3] = {{1, 2, 1}, {2, 4, 2}, {1, 2, 1}};
static uint8_t image[SIZE][SIZE], filtered[SIZE][SIZE];

static int clamp(int at) { return at < 0 ? 0 : at >= SIZE ? SIZE - 1 : at; }

static uint8_t pixel(int y, int x) {
  int sum = 8;
  for (int dy = 0; dy < 3; dy++) {
    for (int dx = 0; dx < 3; dx++) sum += KERNEL[dy][dx] * image[clamp(y + dy - 1)][clamp(x + dx - 1)];
  }
  return (uint8_t)(sum / 16);
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  for (uint32_t at = 0; at < SIZE * SIZE; at++) image[at / SIZE][at % SIZE] = (uint8_t)((at * 2654435761u) >> 24);
  for (uint32_t round = 0; round < rounds; round++) {
    for (int y = 0; y < SIZE; y++) {
      for (int x = 0; x < SIZE; x++) filtered[y][x] = pixel(y, x);
    }
    memcpy(image, filtered, sizeof image);
    image[round % SIZE][round % SIZE] ^= 0xff;
  }
  uint32_t checksum = 0;
  for (int at = 0; at < SIZE * SIZE; at++) checksum = checksum * 31 + image[at / SIZE][at % SIZE];
  return checksum;
}
