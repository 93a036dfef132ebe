/* bench_matmul_f32_os: bench_matmul_f32 as -Os shapes its loops. */
#include "bench_matmul_f32.c"
