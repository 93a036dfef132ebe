/* bench_matmul_f64: bench_matmul_f32 in double precision. */
#define ELEMENT double
#include "bench_matmul_f32.c"
