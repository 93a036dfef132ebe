// Gravity: the acceleration of every body by all others, straight and by tiles through shared memory, and a step.
// Written with explicit fused multiply-adds, so that the order of operations is what stands here.

#define SOFTENING 1e-3f

__device__ float3 pull(float4 mine, float4 other, float3 sum) {
  float dx = other.x - mine.x, dy = other.y - mine.y, dz = other.z - mine.z;
  float square = fmaf(dz, dz, fmaf(dy, dy, fmaf(dx, dx, SOFTENING)));
  float root = sqrtf(square);
  float force = __fdiv_rn(other.w, __fmul_rn(square, root));
  return make_float3(fmaf(force, dx, sum.x), fmaf(force, dy, sum.y), fmaf(force, dz, sum.z));
}

extern "C" __global__ void nbody_naive(const float4 *bodies, float4 *acceleration, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float4 mine = bodies[i];
  float3 sum = make_float3(0.0f, 0.0f, 0.0f);
  for (int j = 0; j < n; j++) sum = pull(mine, bodies[j], sum);
  acceleration[i] = make_float4(sum.x, sum.y, sum.z, 0.0f);
}

// Any n; shared memory of a body a thread.
extern "C" __global__ void nbody_tiled(const float4 *bodies, float4 *acceleration, int n) {
  extern __shared__ float4 tile[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float4 mine = i < n ? bodies[i] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  float3 sum = make_float3(0.0f, 0.0f, 0.0f);
  for (int start = 0; start < n; start += blockDim.x) {
    if (start + threadIdx.x < n) tile[threadIdx.x] = bodies[start + threadIdx.x];
    __syncthreads();
    int count = min((int)blockDim.x, n - start);
    for (int j = 0; j < count; j++) sum = pull(mine, tile[j], sum);
    __syncthreads();
  }
  if (i < n) acceleration[i] = make_float4(sum.x, sum.y, sum.z, 0.0f);
}

extern "C" __global__ void nbody_step(float4 *bodies, float4 *velocity, const float4 *acceleration, float dt, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float4 body = bodies[i], speed = velocity[i], change = acceleration[i];
  speed.x = fmaf(change.x, dt, speed.x);
  speed.y = fmaf(change.y, dt, speed.y);
  speed.z = fmaf(change.z, dt, speed.z);
  body.x = fmaf(speed.x, dt, body.x);
  body.y = fmaf(speed.y, dt, body.y);
  body.z = fmaf(speed.z, dt, body.z);
  bodies[i] = body;
  velocity[i] = speed;
}
