// Integer operations element by element: bits, products of all widths, quotients, packed bytes, shifts past the
// width. Each output array has one result an input; everything is exact.

#include <stdint.h>

extern "C" __global__ void bits32(const uint32_t *a, const uint32_t *b, uint32_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t x = a[i], y = b[i];
  uint32_t *to = out + 10 * i;
  to[0] = __popc(x);
  to[1] = __clz(x);
  to[2] = __ffs(x);
  to[3] = __brev(x);
  to[4] = __byte_perm(x, y, y & 0x7777);
  to[5] = __funnelshift_l(x, y, x);
  to[6] = __funnelshift_r(x, y, y);
  to[7] = __funnelshift_lc(x, y, x & 63);
  to[8] = __funnelshift_rc(x, y, y & 63);
  to[9] = (x & ~y) | (x ^ y) >> 3;
}

extern "C" __global__ void bits64(const uint64_t *a, uint64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint64_t x = a[i];
  out[5 * i] = __popcll(x);
  out[5 * i + 1] = __clzll(x);
  out[5 * i + 2] = __ffsll(x);
  out[5 * i + 3] = __brevll(x);
  out[5 * i + 4] = x << (x & 63) | x >> (64 - (x & 63) & 63);
}

// Fields and shifts in the machine's own words, with positions and amounts beyond the width.
extern "C" __global__ void fields(const int *a, const unsigned *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = a[i], *to = out + 8 * i;
  unsigned at = b[i] & 63, length = b[i] >> 8 & 63;
  asm("bfe.u32 %0, %1, %2, %3;" : "=r"(to[0]) : "r"(x), "r"(at), "r"(length));
  asm("bfe.s32 %0, %1, %2, %3;" : "=r"(to[1]) : "r"(x), "r"(at), "r"(length));
  asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(to[2]) : "r"(x), "r"(b[i]), "r"(at), "r"(length));
  asm("shl.b32 %0, %1, %2;" : "=r"(to[3]) : "r"(x), "r"(at));
  asm("shr.u32 %0, %1, %2;" : "=r"(to[4]) : "r"(x), "r"(at));
  asm("shr.s32 %0, %1, %2;" : "=r"(to[5]) : "r"(x), "r"(at));
  asm("bfind.u32 %0, %1;" : "=r"(to[6]) : "r"(x));
  asm("bfind.shiftamt.s32 %0, %1;" : "=r"(to[7]) : "r"(x));
}

extern "C" __global__ void products(const int *a, const int *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = a[i], y = b[i], *to = out + 10 * i;
  to[0] = x * y;
  to[1] = __mulhi(x, y);
  to[2] = __umulhi(x, y);
  to[3] = __mul24(x, y);
  to[4] = __umul24(x, y);
  to[5] = __sad(x, y, 7u);
  to[6] = __usad(x, y, 7u);
  to[7] = __hadd(x, y);
  to[8] = __rhadd(x, y);
  to[9] = __uhadd(x, y);
}

extern "C" __global__ void products64(const int64_t *a, const int64_t *b, int64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int64_t x = a[i], y = b[i], *to = out + 6 * i;
  to[0] = x * y;
  to[1] = __mul64hi(x, y);
  to[2] = __umul64hi(x, y);
  to[3] = (int64_t)(int)x * (int)y;
  to[4] = (int64_t)((uint64_t)(uint32_t)x * (uint32_t)y + (uint64_t)y);
  unsigned __int128 wide = (unsigned __int128)(uint64_t)x * (uint64_t)y + (uint64_t)x;
  to[5] = (int64_t)(wide >> 64);
}

// No divisor is zero, and the smallest number is not divided by -1.
extern "C" __global__ void quotients32(const int *a, const int *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = a[i], y = b[i], *to = out + 6 * i;
  to[0] = x / y;
  to[1] = x % y;
  to[2] = (unsigned)x / (unsigned)y;
  to[3] = (unsigned)x % (unsigned)y;
  to[4] = x / 7;
  to[5] = (unsigned)x % 10u;
}

extern "C" __global__ void quotients64(const int64_t *a, const int64_t *b, int64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int64_t x = a[i], y = b[i], *to = out + 6 * i;
  to[0] = x / y;
  to[1] = x % y;
  to[2] = (uint64_t)x / (uint64_t)y;
  to[3] = (uint64_t)x % (uint64_t)y;
  to[4] = x / 1000000007ll;
  to[5] = (uint64_t)x % 10ull;
}

// Bytes and shorts, which PTX computes in 16 bits: wrap, saturate, divide, compare with their own signs.
extern "C" __global__ void narrow(const int8_t *a, const uint8_t *b, const int16_t *c, const uint16_t *d, int16_t *out,
                                  int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int16_t *to = out + 10 * i;
  int sum = a[i] + (int8_t)b[i];
  to[0] = (int8_t)sum;
  to[1] = sum < -128 ? -128 : sum > 127 ? 127 : sum;
  to[2] = (uint8_t)(b[i] * 3 + 1);
  to[3] = c[i] * (int16_t)d[i];
  to[4] = (int16_t)(d[i] / (b[i] | 1));
  to[5] = c[i] / (a[i] | 1);
  to[6] = c[i] % (a[i] | 1);
  to[7] = c[i] >> (b[i] & 15);
  to[8] = (int16_t)(d[i] >> (b[i] & 15));
  to[9] = (c[i] < (int16_t)d[i]) + 2 * ((uint16_t)c[i] < d[i]) + 4 * (a[i] < 0) + 8 * (b[i] > 200);
}

// Four bytes a word: dot products and the packed operations of video.
extern "C" __global__ void packed(const uint32_t *a, const uint32_t *b, uint32_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t x = a[i], y = b[i], *to = out + 14 * i;
  to[0] = __dp4a((int)x, (int)y, -5);
  to[1] = __dp4a(x, y, 5u);
  to[2] = __dp2a_lo((int)x, (int)y, 9);
  to[3] = __dp2a_hi(x, y, 9u);
  to[4] = __vadd4(x, y);
  to[5] = __vsub4(x, y);
  to[6] = __vaddus4(x, y);
  to[7] = __vsubss4(x, y);
  to[8] = __vabsdiffu4(x, y);
  to[9] = __vmaxs4(x, y);
  to[10] = __vminu4(x, y);
  to[11] = __vcmpgtu4(x, y);
  to[12] = __vsadu4(x, y);
  to[13] = __vavgu4(x, y);
}

extern "C" __global__ void extremes(const int *a, const int *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = a[i], y = b[i], *to = out + 8 * i;
  to[0] = min(x, y);
  to[1] = max(x, y);
  to[2] = min((unsigned)x, (unsigned)y);
  to[3] = max((unsigned)x, (unsigned)y);
  to[4] = abs(x);
  to[5] = x < y ? (unsigned)x - y : (unsigned)y - x;
  to[6] = 0u - x;
  to[7] = ~x;
}

// Carries through four words.
extern "C" __global__ void add_wide(const uint32_t *a, const uint32_t *b, uint32_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const uint32_t *x = a + 4 * i, *y = b + 4 * i;
  uint32_t *to = out + 8 * i;
  asm("add.cc.u32 %0, %4, %8; addc.cc.u32 %1, %5, %9; addc.cc.u32 %2, %6, %10; addc.u32 %3, %7, %11;"
      : "=&r"(to[0]), "=&r"(to[1]), "=&r"(to[2]), "=&r"(to[3])
      : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
  asm("sub.cc.u32 %0, %4, %8; subc.cc.u32 %1, %5, %9; subc.cc.u32 %2, %6, %10; subc.u32 %3, %7, %11;"
      : "=&r"(to[4]), "=&r"(to[5]), "=&r"(to[6]), "=&r"(to[7])
      : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
}
