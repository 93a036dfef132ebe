/* bench_sieve: the sieve of Eratosthenes over 256 KiB, n times: one store per iteration of a short loop.
 * run(n) returns the number of primes found in all rounds together.
 */
#include <stdint.h>
#include <string.h>

#define LIMIT (256u * 1024)

static uint8_t composite[LIMIT];

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  uint32_t primes = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    memset(composite, 0, LIMIT);
    for (uint32_t candidate = 2; candidate < LIMIT; candidate++) {
      if (composite[candidate]) continue;
      primes++;
      for (uint32_t multiple = candidate * 2; multiple < LIMIT; multiple += candidate) composite[multiple] = 1;
    }
  }
  return primes;
}
