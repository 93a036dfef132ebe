// Sparse matrices and graphs in compressed rows: products by one thread and by one warp a row, one step of a
// breadth-first search, relaxing of edges, ranks.

extern "C" __global__ void spmv_scalar(const int *rows, const int *columns, const float *values, const float *x, float *y,
                                       int n) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n) return;
  float sum = 0.0f;
  for (int i = rows[row]; i < rows[row + 1]; i++) sum = fmaf(values[i], x[columns[i]], sum);
  y[row] = sum;
}

extern "C" __global__ void spmv_vector(const int *rows, const int *columns, const float *values, const float *x, float *y,
                                       int n) {
  int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= n) return;
  float sum = 0.0f;
  for (int i = rows[row] + lane; i < rows[row + 1]; i += 32) sum = fmaf(values[i], x[columns[i]], sum);
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
  if (lane == 0) y[row] = sum;
}

// All nodes at depth `level` give their neighbours without one the next; `changed` says whether any did.
extern "C" __global__ void bfs_step(const int *rows, const int *columns, int *depth, int *changed, int n, int level) {
  int node = blockIdx.x * blockDim.x + threadIdx.x;
  if (node >= n || depth[node] != level) return;
  for (int i = rows[node]; i < rows[node + 1]; i++) {
    int neighbour = columns[i];
    if (depth[neighbour] == -1) {
      depth[neighbour] = level + 1;
      *changed = 1;
    }
  }
}

// A queue of nodes instead: each node is put there once.
extern "C" __global__ void bfs_queue(const int *rows, const int *columns, int *depth, const int *queue, int count,
                                     int *next, int *next_count, int level) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  int node = queue[i];
  for (int e = rows[node]; e < rows[node + 1]; e++) {
    int neighbour = columns[e];
    if (atomicCAS(&depth[neighbour], -1, level + 1) == -1) next[atomicAdd(next_count, 1)] = neighbour;
  }
}

// One round of Bellman and Ford: edges relax into `next` from what `distance` was.
extern "C" __global__ void relax(const int *rows, const int *columns, const int *weights, const int *distance, int *next,
                                 int n) {
  int node = blockIdx.x * blockDim.x + threadIdx.x;
  if (node >= n || distance[node] == 0x7fffffff) return;
  for (int i = rows[node]; i < rows[node + 1]; i++) atomicMin(&next[columns[i]], distance[node] + weights[i]);
}

extern "C" __global__ void page_rank(const int *rows, const int *columns, const double *rank, const int *degrees,
                                     double *next, int n, double damping) {
  int node = blockIdx.x * blockDim.x + threadIdx.x;
  if (node >= n) return;
  double sum = 0.0;
  for (int i = rows[node]; i < rows[node + 1]; i++) sum = __dadd_rn(sum, rank[columns[i]] / degrees[columns[i]]);
  next[node] = fma(damping, sum, __ddiv_rn(1.0 - damping, (double)n));
}
