/* bench_qsort: sorts 4,096 numbers, n times, comparing through a pointer (call_indirect): run(n) by a quicksort of
 * our own, run_libc(n) by the C library's qsort. Both return a checksum of the order.
 */
#include <stdint.h>
#include <stdlib.h>

#define COUNT 4096

typedef int (*Comparator)(const void *, const void *);

static int ascending(const void *a, const void *b) {
  uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
  return (first > second) - (first < second);
}

static int descending(const void *a, const void *b) { return ascending(b, a); }

static int by_low_half(const void *a, const void *b) {
  uint32_t first = *(const uint32_t *)a & 0xffff, second = *(const uint32_t *)b & 0xffff;
  return first != second ? (first > second) - (first < second) : ascending(a, b);
}

static Comparator const comparators[] = {ascending, descending, by_low_half};
static uint32_t numbers[COUNT];

static void swap(uint32_t *a, uint32_t *b) {
  uint32_t held = *a;
  *a = *b, *b = held;
}

/* Sorts first..last (inclusive); the recursion takes the smaller part, the loop the larger. */
static void quicksort(uint32_t *first, uint32_t *last, Comparator compare) {
  while (first < last) {
    uint32_t pivot = first[(last - first) / 2];
    uint32_t *low = first, *high = last;
    while (low <= high) {
      while (compare(low, &pivot) < 0) low++;
      while (compare(high, &pivot) > 0) high--;
      if (low <= high) swap(low++, high--);
    }
    if (high - first < last - low) {
      quicksort(first, high, compare);
      first = low;
    } else {
      quicksort(low, last, compare);
      last = high;
    }
  }
}

static void fill(uint32_t seed) {
  for (int at = 0; at < COUNT; at++) numbers[at] = seed = seed * 1664525 + 1013904223;
}

static uint32_t checksum(void) {
  uint32_t sum = 0;
  for (int at = 0; at < COUNT; at++) sum = sum * 31 + numbers[at];
  return sum;
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    fill(round);
    quicksort(numbers, numbers + COUNT - 1, comparators[round % 3]);
    sum ^= checksum();
  }
  return sum;
}

__attribute__((export_name("run_libc"))) uint32_t run_libc(uint32_t rounds) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    fill(round);
    qsort(numbers, COUNT, sizeof numbers[0], comparators[round % 3]);
    sum ^= checksum();
  }
  return sum;
}
