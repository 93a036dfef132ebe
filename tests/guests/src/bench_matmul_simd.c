/* bench_matmul_simd: the product of two 128 x 128 f32 matrices, n times, four columns to a vector.
 * run(n) returns a checksum of the last product's bits.
 */
#include <stdint.h>
#include <wasm_simd128.h>

#define SIZE 128

static float left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static void multiply(void) {
  for (int row = 0; row < SIZE; row++) {
    for (int column = 0; column < SIZE; column += 4) {
      v128_t sum = wasm_f32x4_const_splat(0);
      for (int inner = 0; inner < SIZE; inner++) {
        v128_t factor = wasm_v128_load32_splat(&left[row][inner]);
        sum = wasm_f32x4_add(sum, wasm_f32x4_mul(factor, wasm_v128_load(&right[inner][column])));
      }
      wasm_v128_store(&product[row][column], sum);
    }
  }
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  for (int at = 0; at < SIZE * SIZE; at++) {
    left[at / SIZE][at % SIZE] = (float)(at % 17) / 4;
    right[at / SIZE][at % SIZE] = (float)(at % 13) / 8;
  }
  for (uint32_t round = 0; round < rounds; round++) {
    multiply();
    left[round % SIZE][0] = product[0][round % SIZE] / SIZE;
  }
  v128_t checksum = wasm_i32x4_const_splat(0);
  for (int at = 0; at < SIZE * SIZE; at += 4) {
    v128_t scaled = wasm_i32x4_mul(checksum, wasm_i32x4_const_splat(31));
    checksum = wasm_i32x4_add(scaled, wasm_v128_load(&product[at / SIZE][at % SIZE]));
  }
  return (uint32_t)(wasm_i32x4_extract_lane(checksum, 0) ^ wasm_i32x4_extract_lane(checksum, 1) ^
                    wasm_i32x4_extract_lane(checksum, 2) ^ wasm_i32x4_extract_lane(checksum, 3));
}
