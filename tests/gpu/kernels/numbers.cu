// Integer-heavy programs: random numbers of several generators, an estimate of pi, digests and checksums.
// All exact.

#include <stdint.h>

extern "C" __global__ void xorshift(uint32_t *states, uint32_t *out, int n, int rounds) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t x = states[i], sum = 0;
  for (int round = 0; round < rounds; round++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    sum += x >> 9;
  }
  states[i] = x;
  out[i] = sum;
}

extern "C" __global__ void splitmix(const uint64_t *seeds, uint64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint64_t z = seeds[i] + 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  out[i] = z ^ z >> 31;
}

// Ten rounds of Philox on counters that are the thread's number.
extern "C" __global__ void philox(uint4 *out, int n, unsigned key0, unsigned key1) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint4 c = make_uint4(i, 0, 0, 0);
  for (int round = 0; round < 10; round++) {
    unsigned high0 = __umulhi(0xd2511f53u, c.x), low0 = 0xd2511f53u * c.x;
    unsigned high1 = __umulhi(0xcd9e8d57u, c.z), low1 = 0xcd9e8d57u * c.z;
    c = make_uint4(high1 ^ c.y ^ key0, low1, high0 ^ c.w ^ key1, low0);
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  out[i] = c;
}

// Points in a square, counted if they are in the circle: integers, so the count is exact.
extern "C" __global__ void monte_carlo(unsigned long long *inside, int points, uint32_t seed) {
  uint32_t x = seed + (blockIdx.x * blockDim.x + threadIdx.x) * 2654435761u;
  unsigned count = 0;
  for (int i = 0; i < points; i++) {
    x = x * 1664525u + 1013904223u;
    uint32_t px = x >> 16;
    x = x * 1664525u + 1013904223u;
    uint32_t py = x >> 16;
    count += (uint64_t)px * px + (uint64_t)py * py < 0x100000000ull;
  }
  for (int offset = 16; offset > 0; offset /= 2) count += __shfl_down_sync(0xffffffff, count, offset);
  if (threadIdx.x % 32 == 0) atomicAdd(inside, (unsigned long long)count);
}

__constant__ uint32_t sha_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

__device__ __forceinline__ uint32_t rotate(uint32_t x, int by) { return __funnelshift_r(x, x, by); }

// SHA-256 of messages of `length` bytes each (below 56), one a thread.
extern "C" __global__ void sha256(const unsigned char *messages, unsigned char *digests, int n, int length) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t w[64];
  unsigned char block[64];
  for (int k = 0; k < 64; k++) block[k] = k < length ? messages[i * length + k] : k == length ? 0x80 : 0;
  block[62] = (unsigned char)(length >> 5);
  block[63] = (unsigned char)(length << 3);
  for (int k = 0; k < 16; k++)
    w[k] = (uint32_t)block[4 * k] << 24 | block[4 * k + 1] << 16 | block[4 * k + 2] << 8 | block[4 * k + 3];
  for (int k = 16; k < 64; k++) {
    uint32_t s0 = rotate(w[k - 15], 7) ^ rotate(w[k - 15], 18) ^ w[k - 15] >> 3;
    uint32_t s1 = rotate(w[k - 2], 17) ^ rotate(w[k - 2], 19) ^ w[k - 2] >> 10;
    w[k] = w[k - 16] + s0 + w[k - 7] + s1;
  }
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint32_t s[8];
  for (int k = 0; k < 8; k++) s[k] = h[k];
  for (int k = 0; k < 64; k++) {
    uint32_t s1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25), choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    uint32_t t1 = s[7] + s1 + choice + sha_constants[k] + w[k];
    uint32_t s0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    uint32_t t2 = s0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    for (int j = 7; j > 0; j--) s[j] = s[j - 1];
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int k = 0; k < 8; k++) {
    uint32_t word = h[k] + s[k];
    for (int j = 0; j < 4; j++) digests[i * 32 + 4 * k + j] = (unsigned char)(word >> (24 - 8 * j));
  }
}

extern "C" __global__ void crc32(const unsigned char *in, uint32_t *out, int n, int length) {
  __shared__ uint32_t table[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
    table[i] = value;
  }
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t crc = 0xffffffffu;
  for (int k = 0; k < length; k++) crc = table[(crc ^ in[i * length + k]) & 255] ^ crc >> 8;
  out[i] = ~crc;
}

extern "C" __global__ void fnv64(const unsigned char *in, uint64_t *out, int n, int length) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint64_t hash = 0xcbf29ce484222325ull;
  for (int k = 0; k < length; k++) hash = (hash ^ in[i * length + k]) * 0x100000001b3ull;
  out[i] = hash;
}

// Modular powers of 64-bit numbers: products of 128 bits, and their remainders bit by bit.
extern "C" __global__ void mod_power(const uint64_t *base, const uint32_t *exponent, uint64_t *out, int n, uint64_t modulus) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint64_t result = 1 % modulus, square = base[i] % modulus;
  for (uint32_t e = exponent[i]; e != 0; e >>= 1) {
    for (int step = 0; step < 2; step++) {
      uint64_t other = step == 0 ? result : square, product = 0, factor = square;
      if (step == 0 && !(e & 1)) continue;
      for (; other != 0; other >>= 1) {
        if (other & 1) product = product >= modulus - factor ? product - (modulus - factor) : product + factor;
        factor = factor >= modulus - factor ? factor - (modulus - factor) : factor + factor;
      }
      if (step == 0) result = product;
      else square = product;
    }
  }
  out[i] = result;
}
