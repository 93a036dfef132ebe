/* gpu_guest.h: what the gpu_* guests share: numbers from the command line, made-up data, input, output, a verdict.
 * It calls no device. Exit codes: 2 for input that a guest does not take, 1 for results that are wrong.
 */
#ifndef GPU_GUEST_H
#define GPU_GUEST_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noreturn)) static inline void guest_fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(2);
}

/* The number at a place of the command line, or the default; outside of [low, high] it is refused. */
static inline long guest_number(int argc, char **argv, int at, long preset, long low, long high) {
  if (at >= argc) return preset;
  char *end;
  long value = strtol(argv[at], &end, 10);
  if (*end != '\0' || end == argv[at] || value < low || value > high) {
    fprintf(stderr, "argument %d: want a number from %ld to %ld, got \"%s\"\n", at, low, high, argv[at]);
    exit(2);
  }
  return value;
}

static inline void *guest_memory(size_t count, size_t size) {
  void *memory = calloc(count > 0 ? count : 1, size);
  if (memory == NULL) guest_fail("out of memory");
  return memory;
}

/* Numbers in [-1, 1), the same in every run. */
static inline void guest_fill(float *values, size_t count, uint32_t seed) {
  uint32_t state = seed * 2654435761u + 1;
  for (size_t i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    values[i] = (float)(int32_t)state / 2147483648.0f;
  }
}

/* All of stdin. */
static inline uint8_t *guest_input(size_t *length) {
  size_t capacity = 1 << 16, used = 0;
  uint8_t *bytes = malloc(capacity);
  for (;;) {
    if (bytes == NULL) guest_fail("out of memory");
    ssize_t got = read(0, bytes + used, capacity - used);
    if (got < 0) guest_fail("cannot read stdin");
    if (got == 0) break;
    used += (size_t)got;
    if (used < capacity) continue;
    capacity *= 2;
    bytes = realloc(bytes, capacity);
  }
  *length = used;
  return bytes;
}

/* The numbers of stdin, apart from each other by anything that is no part of one; NULL if there are none. */
static inline float *guest_input_numbers(size_t *count) {
  size_t length;
  char *text = (char *)guest_input(&length);
  text = realloc(text, length + 1);
  if (text == NULL) guest_fail("out of memory");
  text[length] = '\0';
  float *numbers = guest_memory(length / 2 + 1, sizeof *numbers);
  *count = 0;
  for (char *at = text; *at != '\0';) {
    char *end;
    float value = strtof(at, &end);
    if (end == at) {
      at++;
      continue;
    }
    numbers[(*count)++] = value;
    at = end;
  }
  free(text);
  return numbers;
}

static inline void guest_output(const void *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t got = write(1, (const uint8_t *)bytes + sent, length - sent);
    if (got <= 0) guest_fail("cannot write stdout");
    sent += (size_t)got;
  }
}

/* How many values are further from what is wanted than `bound` times its size (or than `bound`, if that is less). */
static inline size_t guest_count_wrong(const float *got, const float *want, size_t count, float bound) {
  size_t wrong = 0;
  for (size_t i = 0; i < count; i++) {
    float size = fabsf(want[i]) > 1 ? fabsf(want[i]) : 1;
    wrong += !(fabsf(got[i] - want[i]) <= bound * size);
  }
  return wrong;
}

/* Prints the verdict and is the exit code of main. */
static inline int guest_verdict(const char *what, size_t wrong, size_t count) {
  if (wrong == 0) {
    printf("%s: all %zu right\n", what, count);
    return 0;
  }
  printf("%s: %zu of %zu wrong\n", what, wrong, count);
  return 1;
}

#endif
