// Grids and blocks of one, two and three dimensions: where a thread is, and how many there are.

extern "C" __global__ void linear_ids(unsigned *out) {
  unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[i] = ((blockIdx.x * 31 + blockIdx.y) * 31 + blockIdx.z) * 1000003 + (threadIdx.x * 37 + threadIdx.y) * 37 + threadIdx.z;
}

extern "C" __global__ void special_registers(unsigned *out) {
  unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  unsigned *to = out + 12 * (block * blockDim.x * blockDim.y * blockDim.z + thread), lane, warp;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm("mov.u32 %0, %%warpid;" : "=r"(warp));
  to[0] = lane;
  to[1] = warp;
  to[2] = gridDim.x;
  to[3] = gridDim.y;
  to[4] = gridDim.z;
  to[5] = blockDim.x;
  to[6] = blockDim.y;
  to[7] = blockDim.z;
  to[8] = warpSize;
  // Clocks and places differ from run to run; they only must not go back, or be out of range.
  unsigned multiprocessor, multiprocessors;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(multiprocessor));
  asm volatile("mov.u32 %0, %%nsmid;" : "=r"(multiprocessors));
  to[9] = multiprocessor < multiprocessors;
  long long start = clock64();
  unsigned long long time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  to[10] = clock64() >= start;
  to[11] = time != 0;
}

// Volume by all dimensions: each thread strides over the grid in each of them.
extern "C" __global__ void fill_volume(int *out, int nx, int ny, int nz) {
  for (int z = blockIdx.z * blockDim.z + threadIdx.z; z < nz; z += gridDim.z * blockDim.z)
    for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < ny; y += gridDim.y * blockDim.y)
      for (int x = blockIdx.x * blockDim.x + threadIdx.x; x < nx; x += gridDim.x * blockDim.x)
        out[(z * ny + y) * nx + x] += x + 100 * y + 10000 * z;
}
