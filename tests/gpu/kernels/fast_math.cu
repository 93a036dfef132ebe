// The same functions as programs write them, compiled with -use_fast_math: approximate, subnormals flushed,
// quotients and roots not rounded. Built with that flag in every flavour.

extern "C" __global__ void fast_unary(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i], *to = out + 8 * i;
  to[0] = expf(x);
  to[1] = logf(x);
  to[2] = sinf(x);
  to[3] = cosf(x);
  to[4] = tanhf(x);
  to[5] = sqrtf(x);
  to[6] = 1.0f / x;
  to[7] = rsqrtf(x);
}

extern "C" __global__ void fast_binary(const float *a, const float *b, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = a[i], y = b[i];
  out[3 * i] = x / y;
  out[3 * i + 1] = powf(x, y);
  out[3 * i + 2] = x / (1.0f + expf(-y));
}

extern "C" __global__ void fast_normalise(float3 *vectors, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float3 v = vectors[i];
  float scale = rsqrtf(v.x * v.x + v.y * v.y + v.z * v.z);
  vectors[i] = make_float3(v.x * scale, v.y * scale, v.z * scale);
}
