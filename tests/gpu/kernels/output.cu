// printf from the device: conversions of every kind, lines of several threads, lines in pieces.

#include <stdio.h>

extern "C" __global__ void print_thread(int base) { printf("block %u thread %u value %d\n", blockIdx.x, threadIdx.x, base + (int)threadIdx.x); }

extern "C" __global__ void print_kinds() {
  printf("%d %i %u %x %X %o %c %%\n", -5, 7, 4000000000u, 0xbeefu, 0xBEEFu, 8u, 'z');
  printf("%lld %llu %llx\n", -9000000000ll, 18000000000000000000ull, 0x123456789abcull);
  printf("%f %.3f %e %g %8.2f|%-8.2f|%+d|%05d|%5s|%-5s|\n", 1.5, 3.14159, 12345.678, 0.0001, 2.5, 2.5, 3, 42, "ab", "cd");
  printf("no arguments\n");
}

extern "C" __global__ void print_some(const int *in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] < 0) printf("negative: in[%d] = %d, half %.1f\n", i, in[i], in[i] * 0.5f);
}
