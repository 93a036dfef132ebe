/* bench_matmul_f32: the naive product of two 96 x 96 matrices, n times: a loop of two loads and a multiply-add.
 * ELEMENT may be defined by a file that includes this one. run(n) returns a checksum of the last product's bits.
 */
#include <stdint.h>
#include <string.h>

#ifndef ELEMENT
#define ELEMENT float
#endif
#define SIZE 96

static ELEMENT left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static void multiply(void) {
  for (int row = 0; row < SIZE; row++) {
    for (int column = 0; column < SIZE; column++) {
      ELEMENT sum = 0;
      for (int inner = 0; inner < SIZE; inner++) sum += left[row][inner] * right[inner][column];
      product[row][column] = sum;
    }
  }
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  for (int at = 0; at < SIZE * SIZE; at++) {
    left[at / SIZE][at % SIZE] = (ELEMENT)(at % 17) / 4;
    right[at / SIZE][at % SIZE] = (ELEMENT)(at % 13) / 8;
  }
  for (uint32_t round = 0; round < rounds; round++) {
    multiply();
    left[round % SIZE][0] = product[0][round % SIZE] / SIZE;
  }
  uint32_t checksum = 0;
  for (uint32_t at = 0; at < sizeof product / 4; at++) {
    uint32_t bits;
    memcpy(&bits, (const uint8_t *)product + at * 4, 4);
    checksum = checksum * 31 + bits;
  }
  return checksum;
}
