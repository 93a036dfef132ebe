// Cooperative groups: blocks, tiles of a warp and of less, lanes that meet in a branch; their reductions and scans.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

namespace cg = cooperative_groups;

extern "C" __global__ void tile_sums(const int *in, int *out) {
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<16> tile = cg::tiled_partition<16>(block);
  int i = block.group_index().x * block.size() + block.thread_rank(), sum = in[i];
  for (int offset = tile.size() / 2; offset > 0; offset /= 2) sum += tile.shfl_down(sum, offset);
  sum = tile.shfl(sum, 0);
  out[i] = sum * 100 + tile.thread_rank() + 1000 * tile.meta_group_rank();
}

extern "C" __global__ void tile_reduce(const int *in, int *out, const float *weights, float *largest) {
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
  cg::thread_block_tile<8> tile = cg::tiled_partition<8>(block);
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[3 * i] = cg::reduce(warp, in[i], cg::plus<int>());
  out[3 * i + 1] = cg::reduce(tile, in[i], cg::less<int>());
  out[3 * i + 2] = cg::inclusive_scan(tile, in[i], cg::plus<int>());
  largest[i] = cg::reduce(tile, weights[i], cg::greater<float>());
}

// Lanes with a positive value count themselves together; the first of them adds for all.
extern "C" __global__ void count_coalesced(const int *in, int *counter, int *ranks) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  ranks[i] = -1;
  if (in[i] > 0) {
    cg::coalesced_group group = cg::coalesced_threads();
    if (group.thread_rank() == 0) atomicAdd(counter, group.size());
    ranks[i] = group.thread_rank();
  }
}

extern "C" __global__ void block_sync(const int *in, int *out) {
  __shared__ int values[128];
  cg::thread_block block = cg::this_thread_block();
  values[block.thread_rank()] = in[blockIdx.x * blockDim.x + threadIdx.x];
  block.sync();
  out[blockIdx.x * blockDim.x + threadIdx.x] = values[block.size() - 1 - block.thread_rank()];
}

// Votes of a tile of four.
extern "C" __global__ void tile_votes(const int *in, int *out) {
  cg::thread_block_tile<4> tile = cg::tiled_partition<4>(cg::this_thread_block());
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = (int)tile.ballot(in[i] & 1) * 4 + (tile.any(in[i] > 50) != 0) * 2 + (tile.all(in[i] > 5) != 0);
}
