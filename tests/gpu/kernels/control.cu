// Control flow of every sort: switches, loops with several ways out, nested conditions, jumps, a small machine that
// is interpreted, and calls: not inlined, recursive, by pointer, virtual.

#include <stdint.h>

extern "C" __global__ void dense_switch(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = in[i], y;
  switch (x & 15) {
    case 0: y = x * 3; break;
    case 1: y = x ^ 0x55; break;
    case 2: y = x + out[i];
    case 3: y = x - 7; break;
    case 4: y = x << 2; break;
    case 5: y = x >> 3; break;
    case 6: y = ~x; break;
    case 7: y = x * x; break;
    case 8: y = x / 5; break;
    case 9: y = x % 11; break;
    case 10: y = -x; break;
    case 11: y = x & 0xff00; break;
    case 12: y = 42; break;
    default: y = 1;
  }
  out[i] = y;
}

extern "C" __global__ void sparse_switch(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  switch (in[i]) {
    case -1000: out[i] = 1; return;
    case 7: out[i] = 2; break;
    case 99: out[i] = 3;
    case 100: out[i] += 10; break;
    case 123456: out[i] = 5; return;
    default: out[i] = -1;
  }
  out[i] *= 2;
}

// A table of jumps, by the machine's own instruction.
extern "C" __global__ void jump_table(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = in[i], y;
  asm volatile(
      "{\n"
      "way_table: .branchtargets WAY_0, WAY_1, WAY_2, WAY_3, WAY_1;\n"
      "brx.idx %2, way_table;\n"
      "WAY_0: add.s32 %0, %1, 100; bra.uni WAY_END;\n"
      "WAY_1: mul.lo.s32 %0, %1, %1; bra.uni WAY_END;\n"
      "WAY_2: neg.s32 %0, %1; bra.uni WAY_END;\n"
      "WAY_3: mov.u32 %0, 7;\n"
      "WAY_END:\n"
      "}"
      : "=&r"(y) : "r"(x), "r"((unsigned)x % 5u));
  out[i] = y + 1;
}

extern "C" __global__ void collatz(const unsigned *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned long long x = in[i];
  int steps = 0;
  while (x > 1) {
    if (x & 1) x = 3 * x + 1;
    else x >>= 1;
    if (++steps >= 500) break;
  }
  out[i] = steps;
}

// Smallest factors: two loops, one in the other, with continue and two breaks.
extern "C" __global__ void nested_loops(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int limit = in[i], sum = 0;
  for (int a = 2; a < limit; a++) {
    if (a % 3 == 0) continue;
    int b = 2;
    for (; b * b <= a; b++) {
      if (a % b == 0) break;
      if (sum > 5000) goto full;
    }
    sum += b * b > a ? a : -1;
  }
full:
  out[i] = sum;
}

// A loop that is entered at two places.
extern "C" __global__ void two_entries(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = in[i], count = 0;
  if (x & 1) goto middle;
top:
  x += 3;
  count++;
middle:
  x ^= count;
  count += 2;
  if (count < 40 && x % 7 != 0) goto top;
  out[i] = x * 100 + count;
}

extern "C" __global__ void conditions(const int *a, const int *b, const int *c, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int x = a[i], y = b[i], z = c[i], result = 0;
  if ((x > 0 && y > 0) || (z < 0 && x != y)) result |= 1;
  if (x > y ? z > x : z > y && x > -50) result |= 2;
  if (!(x > 10) && !(y > 10 || z > 10)) result |= 4;
  do {
    if (x == 0) break;
    if (y / x > 3) {
      result |= 8;
      break;
    }
    result |= z % x == 1 ? 16 : 32;
  } while (false);
  out[i] = result;
}

// A stack machine: each thread runs the same program on its own input. 0 end, 1 push, 2 add, 3 mul, 4 dup,
// 5 swap, 6 sub, 7 jump if not zero (to the operand), 8 input.
extern "C" __global__ void machine(const int *program, const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int stack[16], top = 0, at = 0, fuel = 1000;
  while (fuel-- > 0) {
    int operation = program[at++];
    if (operation == 0) break;
    switch (operation) {
      case 1: stack[top++] = program[at++]; break;
      case 2: top--; stack[top - 1] += stack[top]; break;
      case 3: top--; stack[top - 1] *= stack[top]; break;
      case 4: stack[top] = stack[top - 1]; top++; break;
      case 5: {
        int kept = stack[top - 1];
        stack[top - 1] = stack[top - 2];
        stack[top - 2] = kept;
        break;
      }
      case 6: top--; stack[top - 1] -= stack[top]; break;
      case 7: {
        int target = program[at++];
        if (stack[--top] != 0) at = target;
        break;
      }
      case 8: stack[top++] = in[i]; break;
    }
  }
  out[i] = top > 0 ? stack[top - 1] : -1;
}

__device__ __noinline__ int cube(int x) { return x * x * x; }
__device__ __noinline__ float blend(float a, float b, float t) { return fmaf(t, b - a, a); }
__device__ __noinline__ void divide(int a, int b, int *quotient, int *rest) {
  *quotient = a / b;
  *rest = a % b;
}

extern "C" __global__ void calls(const int *in, int *out, float *blended, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int quotient, rest;
  divide(cube(in[i]), 17, &quotient, &rest);
  out[i] = quotient * 31 + rest;
  blended[i] = blend((float)in[i], 100.0f, 0.25f);
}

__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__device__ __noinline__ int is_odd(int n);
__device__ __noinline__ int is_even(int n) { return n == 0 ? 1 : is_odd(n - 1); }
__device__ __noinline__ int is_odd(int n) { return n == 0 ? 0 : is_even(n - 1); }

extern "C" __global__ void recursion(const int *in, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = fibonacci(in[i]) * 2 + is_even(in[i]);
}

typedef int (*Operation)(int, int);
__device__ int op_add(int a, int b) { return a + b; }
__device__ int op_sub(int a, int b) { return a - b; }
__device__ int op_mul(int a, int b) { return a * b; }
__device__ int op_max(int a, int b) { return a > b ? a : b; }
__device__ Operation operations[4] = {op_add, op_sub, op_mul, op_max};

extern "C" __global__ void by_pointer(const int *which, const int *a, const int *b, int *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = operations[which[i]](a[i], b[i]);
}

struct Form {
  __device__ virtual float area() const = 0;
};
struct Square : Form {
  float side;
  __device__ Square(float s) : side(s) {}
  __device__ __noinline__ float area() const override { return side * side; }
};
struct Rectangle : Form {
  float width, height;
  __device__ Rectangle(float w, float h) : width(w), height(h) {}
  __device__ __noinline__ float area() const override { return width * height; }
};
struct Point : Form {
  __device__ __noinline__ float area() const override { return 0.0f; }
};

extern "C" __global__ void by_class(const float *sizes, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  Square square(sizes[i]);
  Rectangle rectangle(sizes[i], 2.0f);
  Point point;
  const Form *form = i % 3 == 0 ? (const Form *)&square : i % 3 == 1 ? (const Form *)&rectangle : (const Form *)&point;
  out[i] = form->area();
}
