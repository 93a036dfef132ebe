/* gpu_native: the kernels of the GPU bench as plain C loops, for gcc (native) and clang (wasm32 with SIMD).
 *
 * One thread, literal ports of tests/gpu/kernels: no tuning, no fast math. With a main it times itself and prints
 * one line of JSON a kernel (arguments: rounds, then cpu for time on the processor); as a library it exports what the bench needs to do that. Both take the same inputs,
 * so that results can be compared by sample.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define LARGE (16 * 1024 * 1024)
#define SMALL (64 * 1024)
#define MATRIX 512
#define TILE 16
#define WIDTH 1024
#define HEIGHT 768
#define LIMIT 256
#define SQUARE 4096
#define BODIES 8192
#define BLOCK 256
#define RADIUS 3

static float a[LARGE], b[LARGE], c[LARGE];

static void vector_add(int n) {
  for (int i = 0; i < n; i++) c[i] = a[i] + b[i];
}
static void run_vector_add_small(void) { vector_add(SMALL); }
static void run_vector_add(void) { vector_add(LARGE); }

static void run_saxpy(void) {
  for (int i = 0; i < LARGE; i++) c[i] = 0.5f * a[i] + c[i];
}

static void run_matmul_naive(void) {
  for (int row = 0; row < MATRIX; row++) {
    for (int column = 0; column < MATRIX; column++) {
      float sum = 0;
      for (int k = 0; k < MATRIX; k++) sum += a[row * MATRIX + k] * b[k * MATRIX + column];
      c[row * MATRIX + column] = sum;
    }
  }
}

static void run_matmul_tiled(void) {
  static float left[TILE][TILE], right[TILE][TILE];
  for (int y0 = 0; y0 < MATRIX; y0 += TILE) {
    for (int x0 = 0; x0 < MATRIX; x0 += TILE) {
      float sums[TILE][TILE] = {{0}};
      for (int k0 = 0; k0 < MATRIX; k0 += TILE) {
        for (int y = 0; y < TILE; y++) {
          for (int x = 0; x < TILE; x++) {
            left[y][x] = a[(y0 + y) * MATRIX + k0 + x];
            right[y][x] = b[(k0 + y) * MATRIX + x0 + x];
          }
        }
        for (int y = 0; y < TILE; y++)
          for (int x = 0; x < TILE; x++)
            for (int k = 0; k < TILE; k++) sums[y][x] += left[y][k] * right[k][x];
      }
      for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) c[(y0 + y) * MATRIX + x0 + x] = sums[y][x];
    }
  }
}

static void run_mandelbrot(void) {
  const float left = -2.0f, top = -1.2f, step = 0.003f;
  for (int py = 0; py < HEIGHT; py++) {
    for (int px = 0; px < WIDTH; px++) {
      float cx = (float)px * step + left, cy = (float)py * step + top, x = 0, y = 0;
      int count = 0;
      while (count < LIMIT) {
        float xx = x * x, yy = y * y;
        if (xx + yy > 4.0f) break;
        float next = xx - yy + cx;
        y = (x + x) * y + cy;
        x = next;
        count++;
      }
      c[py * WIDTH + px] = (float)count;
    }
  }
}

static void stencil_edge(int from, int to) {
  for (int i = from; i < to; i++) {
    float sum = 0;
    for (int offset = -RADIUS; offset <= RADIUS; offset++)
      if (i + offset >= 0 && i + offset < LARGE) sum += a[i + offset];
    c[i] = sum;
  }
}
static void run_stencil(void) {
  stencil_edge(0, RADIUS);
  for (int i = RADIUS; i < LARGE - RADIUS; i++) {
    float sum = 0;
    for (int offset = -RADIUS; offset <= RADIUS; offset++) sum += a[i + offset];
    c[i] = sum;
  }
  stencil_edge(LARGE - RADIUS, LARGE);
}

static void run_transpose(void) {
  for (int y = 0; y < SQUARE; y++)
    for (int x = 0; x < SQUARE; x++) c[x * SQUARE + y] = a[y * SQUARE + x];
}

static void run_nbody(void) {
  for (int i = 0; i < BODIES; i++) {
    float sx = 0, sy = 0, sz = 0;
    for (int j = 0; j < BODIES; j++) {
      float dx = a[4 * j] - a[4 * i], dy = a[4 * j + 1] - a[4 * i + 1], dz = a[4 * j + 2] - a[4 * i + 2];
      float square = dz * dz + (dy * dy + (dx * dx + 1e-3f));
      float force = a[4 * j + 3] / (square * sqrtf(square));
      sx += force * dx;
      sy += force * dy;
      sz += force * dz;
    }
    c[4 * i] = sx;
    c[4 * i + 1] = sy;
    c[4 * i + 2] = sz;
    c[4 * i + 3] = 0;
  }
}

static void run_block_reduce(void) {
  static float partial[BLOCK];
  for (int block = 0; block < LARGE / BLOCK; block++) {
    for (int i = 0; i < BLOCK; i++) partial[i] = a[block * BLOCK + i];
    for (int half = BLOCK / 2; half > 0; half /= 2)
      for (int i = 0; i < half; i++) partial[i] += partial[i + half];
    c[block] = partial[0];
  }
}

typedef struct {
  const char *name;
  void (*run)(void);
  /* Bytes moved or operations done by a run, in thousand millions; 0: as many as were counted. */
  double work;
} Kernel;

static const Kernel kernels[] = {
    {"vector_add 64K", run_vector_add_small, 12e-9 * SMALL},
    {"vector_add 16M", run_vector_add, 12e-9 * LARGE},
    {"saxpy 16M", run_saxpy, 12e-9 * LARGE},
    {"matmul naive 512", run_matmul_naive, 2e-9 * MATRIX * MATRIX * MATRIX},
    {"matmul tiled 512", run_matmul_tiled, 2e-9 * MATRIX * MATRIX * MATRIX},
    {"mandelbrot 1024x768", run_mandelbrot, 0},
    {"stencil1d 16M", run_stencil, 8e-9 * LARGE},
    {"transpose 4096", run_transpose, 8e-9 * SQUARE * SQUARE},
    {"nbody 8192", run_nbody, 20e-9 * BODIES * BODIES},
    {"block_reduce 16M", run_block_reduce, 4e-9 * LARGE},
};

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))
#else
#define EXPORT(name)
#endif

EXPORT(count) int count(void) { return sizeof kernels / sizeof *kernels; }
EXPORT(name) const char *name(int kernel) { return kernels[kernel].name; }

EXPORT(prepare) void prepare(void) {
  for (int i = 0; i < LARGE; i++) {
    a[i] = (float)(i % 1009) * 0.001f + 0.25f;
    b[i] = (float)(i % 997) * 0.002f;
    c[i] = 1.0f;
  }
}

EXPORT(run) void run(int kernel) { kernels[kernel].run(); }

/* What a run of a kernel came to, in thousand millions; after a run of it. */
EXPORT(work) double work(int kernel) {
  if (kernels[kernel].work > 0) return kernels[kernel].work;
  double iterations = 0;
  for (int i = 0; i < WIDTH * HEIGHT; i++) iterations += c[i];
  return 8e-9 * iterations;
}

/* An element of the last result. */
EXPORT(sample) float sample(int at) { return c[at]; }

#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 7;
  /* Time on the processor instead of the wall's, for a machine that others use. */
  clockid_t clock = argc > 2 && argv[2][0] == 'c' ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  prepare();
  for (int kernel = 0; kernel < count(); kernel++) {
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
      double start = seconds(clock);
      run(kernel);
      double took = seconds(clock) - start;
      if (took < best) best = took;
    }
    printf("{\"name\":\"%s\",\"perSecond\":%.4g}\n", name(kernel), work(kernel) / best);
    fflush(stdout);
  }
  return 0;
}
#endif
