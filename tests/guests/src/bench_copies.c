/* bench_copies: text put together from short pieces, each moved by memory.copy (bulk memory): run(n) moves 1 to 32
 * bytes at a time, run_large(n) 64 KiB at a time and fills as much. Both return a checksum of the buffer.
 */
#include <stdint.h>
#include <string.h>

#define BYTES (64u * 1024)

static uint8_t source[BYTES + 64], target[BYTES + 64];

static uint32_t checksum(void) {
  uint32_t sum = 0;
  for (uint32_t at = 0; at < BYTES; at += 4) {
    uint32_t word;
    memcpy(&word, target + at, 4);
    sum = sum * 31 + word;
  }
  return sum;
}

static void fill(void) {
  for (uint32_t at = 0; at < sizeof source; at++) source[at] = (uint8_t)(at * 2654435761u >> 24);
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  fill();
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    for (uint32_t used = 0; used < BYTES;) {
      uint32_t from = (used * 40503u + round) % BYTES, length = 1 + (source[from] & 31);
      memcpy(target + used, source + from, length);
      used += length;
    }
    sum ^= checksum();
  }
  return sum;
}

__attribute__((export_name("run_large"))) uint32_t run_large(uint32_t rounds) {
  fill();
  for (uint32_t round = 0; round < rounds; round++) {
    memset(target, (int)round & 0xff, BYTES);
    memcpy(target + (round & 31), source, BYTES);
    memmove(source + (round & 7), target, BYTES);
  }
  return checksum();
}
