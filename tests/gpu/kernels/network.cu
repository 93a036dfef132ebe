// Layers of neural networks: activations, an optimiser's step, convolutions, pooling, attention in two ways.
// Exponentials and hyperbolic tangents are the accurate ones.

#include <math_constants.h>

extern "C" __global__ void activations(const float *in, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i], *to = out + 6 * i;
  to[0] = fmaxf(x, 0.0f);
  to[1] = 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
  to[2] = 0.5f * x * (1.0f + erff(x * 0.70710678f));
  to[3] = x / (1.0f + expf(-x));
  to[4] = x > 0.0f ? x : 0.1f * x;
  to[5] = x > 20.0f ? x : log1pf(expf(x));
}

extern "C" __global__ void gelu_backward(const float *in, const float *gradient, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i], cube = 0.044715f * x * x * x, scale = 0.7978845608f;
  float inner = scale * (x + cube), t = tanhf(inner), c = coshf(inner), sech = 1.0f / (c * c);
  out[i] = gradient[i] * (0.5f * (1.0f + t) + x * 0.5f * sech * scale * (1.0f + 3.0f * 0.044715f * x * x));
}

extern "C" __global__ void adamw(float *weights, const float *gradients, float *m, float *v, int n, float rate,
                                 float beta1, float beta2, float correction1, float correction2, float epsilon,
                                 float decay) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float gradient = gradients[i];
  float mean = fmaf(beta1, m[i], fmaf(-beta1, gradient, gradient));
  float square = fmaf(beta2, v[i], fmaf(-beta2, gradient * gradient, gradient * gradient));
  m[i] = mean;
  v[i] = square;
  float weight = weights[i];
  weights[i] = weight - rate * (mean / correction1 / (sqrtf(square / correction2) + epsilon) + decay * weight);
}

// NCHW, padding of one, stride of one or two: one thread an output; bias and ReLU.
extern "C" __global__ void conv2d(const float *in, const float *filters, const float *bias, float *out, int channels,
                                  int height, int width, int outputs, int stride) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, o = blockIdx.z;
  int out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
  if (x >= out_width || y >= out_height) return;
  float sum = bias[o];
  for (int c = 0; c < channels; c++) {
    for (int ky = 0; ky < 3; ky++) {
      int iy = y * stride + ky - 1;
      if (iy < 0 || iy >= height) continue;
      for (int kx = 0; kx < 3; kx++) {
        int ix = x * stride + kx - 1;
        if (ix < 0 || ix >= width) continue;
        sum = fmaf(in[(c * height + iy) * width + ix], filters[((o * channels + c) * 3 + ky) * 3 + kx], sum);
      }
    }
  }
  out[(o * out_height + y) * out_width + x] = fmaxf(sum, 0.0f);
}

extern "C" __global__ void max_pool(const float *in, float *out, int *where, int height, int width) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.z;
  int out_width = width / 2, out_height = height / 2;
  if (x >= out_width || y >= out_height) return;
  float best = -CUDART_INF_F;
  int at = -1;
  for (int i = 0; i < 4; i++) {
    int from = (c * height + 2 * y + i / 2) * width + 2 * x + i % 2;
    if (in[from] > best) {
      best = in[from];
      at = from;
    }
  }
  out[(c * out_height + y) * out_width + x] = best;
  where[(c * out_height + y) * out_width + x] = at;
}

// Causal attention of one head, one block a query: scores in shared memory (one float a key and a thread).
extern "C" __global__ void attention(const float *q, const float *k, const float *v, float *out, int tokens, int size) {
  extern __shared__ float scores[];
  __shared__ float total;
  int query = blockIdx.x, keys = query + 1;
  float scale = rsqrtf((float)size);
  for (int key = threadIdx.x; key < keys; key += blockDim.x) {
    float dot = 0.0f;
    for (int i = 0; i < size; i++) dot = fmaf(q[query * size + i], k[key * size + i], dot);
    scores[key] = dot * scale;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    float largest = -CUDART_INF_F, sum = 0.0f;
    for (int key = 0; key < keys; key++) largest = fmaxf(largest, scores[key]);
    for (int key = 0; key < keys; key++) {
      scores[key] = expf(scores[key] - largest);
      sum += scores[key];
    }
    total = sum;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < size; i += blockDim.x) {
    float sum = 0.0f;
    for (int key = 0; key < keys; key++) sum = fmaf(scores[key], v[key * size + i], sum);
    out[query * size + i] = sum / total;
  }
}

// The same with running maximum and sum, one warp a query and 32 keys at a time; size is 32.
extern "C" __global__ void attention_online(const float *q, const float *k, const float *v, float *out, int tokens) {
  int query = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (query >= tokens) return;
  float largest = -CUDART_INF_F, total = 0.0f, sum = 0.0f;
  for (int start = 0; start <= query; start += 32) {
    int key = start + lane;
    float score = -CUDART_INF_F;
    if (key <= query) {
      score = 0.0f;
      for (int i = 0; i < 32; i++) score = fmaf(q[query * 32 + i], k[key * 32 + i], score);
      score *= 0.17677669529f;
    }
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, mask));
    float next = fmaxf(largest, top), keep = expf(largest - next), weight = expf(score - next), weights = weight;
    for (int mask = 16; mask > 0; mask >>= 1) weights += __shfl_xor_sync(0xffffffff, weights, mask);
    total = total * keep + weights;
    sum *= keep;
    for (int j = 0; j < 32 && start + j <= query; j++) {
      sum = fmaf(__shfl_sync(0xffffffff, weight, j), v[(start + j) * 32 + lane], sum);
    }
    largest = next;
  }
  out[query * 32 + lane] = sum / total;
}

// Cross entropy of one row a warp: the loss and the gradient of the logits.
extern "C" __global__ void cross_entropy(const float *logits, const int *targets, float *losses, float *gradient,
                                         int rows, int classes) {
  int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float *from = logits + row * classes;
  float largest = -CUDART_INF_F, sum = 0.0f;
  for (int i = lane; i < classes; i += 32) largest = fmaxf(largest, from[i]);
  for (int mask = 16; mask > 0; mask >>= 1) largest = fmaxf(largest, __shfl_xor_sync(0xffffffff, largest, mask));
  for (int i = lane; i < classes; i += 32) sum += expf(from[i] - largest);
  for (int mask = 16; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, mask);
  for (int i = lane; i < classes; i += 32) {
    gradient[row * classes + i] = expf(from[i] - largest) / sum - (i == targets[row] ? 1.0f : 0.0f);
  }
  if (lane == 0) losses[row] = logf(sum) + largest - from[targets[row]];
}
