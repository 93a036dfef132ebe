/* gpu_nbody: bodies that attract each other, some steps of time, on a stream of its own with events around it.
 *
 * Arguments: bodies (512) and steps (5). Prints momentum before and after, which must stay as it was, since every
 * pull has its counterpart; the time between the events goes to stderr.
 */
#include "gpu_guest.h"
#include "nbody.ptx.h"
#include "wasi_cuda.h"

#define BLOCK 128
#define DT 0.001f

static void momentum(const float *bodies, const float *speeds, int n, double sum[3]) {
  for (int axis = 0; axis < 3; axis++) {
    sum[axis] = 0;
    for (int i = 0; i < n; i++) sum[axis] += (double)bodies[4 * i + 3] * speeds[4 * i + axis];
  }
}

int main(int argc, char **argv) {
  int n = (int)guest_number(argc, argv, 1, 512, 1, 65536), steps = (int)guest_number(argc, argv, 2, 5, 0, 1000);
  size_t bytes = (size_t)n * 4 * sizeof(float);
  float *bodies = guest_memory((size_t)n, 16), *speeds = guest_memory((size_t)n, 16);
  guest_fill(bodies, (size_t)n * 4, 1);
  guest_fill(speeds, (size_t)n * 4, 2);
  for (int i = 0; i < n; i++) bodies[4 * i + 3] = (1.5f + bodies[4 * i + 3]) / (float)n;
  double before[3], after[3];
  momentum(bodies, speeds, n, before);

  cuda_kernel pull = cuda_check(cuda_load(ptx_nbody_tiled, "nbody_tiled"), "load");
  cuda_kernel step = cuda_check(cuda_load(ptx_nbody_step, "nbody_step"), "load");
  cuda_buffer body = cuda_check(cuda_alloc(bytes), "alloc"), speed = cuda_check(cuda_alloc(bytes), "alloc");
  cuda_buffer change = cuda_check(cuda_alloc(bytes), "alloc");
  cuda_check(cuda_upload(body, 0, bodies, bytes), "upload");
  cuda_check(cuda_upload(speed, 0, speeds, bytes), "upload");
  cuda_args pull_args = {0}, step_args = {0};
  cuda_push_buffer(&pull_args, body, 0);
  cuda_push_buffer(&pull_args, change, 0);
  cuda_push_i32(&pull_args, n);
  cuda_push_buffer(&step_args, body, 0);
  cuda_push_buffer(&step_args, speed, 0);
  cuda_push_buffer(&step_args, change, 0);
  cuda_push_f32(&step_args, DT);
  cuda_push_i32(&step_args, n);

  cuda_stream stream = cuda_check(wasi_cuda_stream_create(), "stream");
  cuda_event start = cuda_check(wasi_cuda_event_create(), "event"), end = cuda_check(wasi_cuda_event_create(), "event");
  cuda_dim3 grid = cuda_dim(cuda_blocks((uint32_t)n, BLOCK)), block = cuda_dim(BLOCK);
  cuda_check(wasi_cuda_event_record(start, stream), "record");
  for (int i = 0; i < steps; i++) {
    cuda_check(cuda_launch_on(stream, pull, grid, block, BLOCK * 16, &pull_args), "launch");
    cuda_check(cuda_launch_on(stream, step, grid, block, 0, &step_args), "launch");
  }
  cuda_check(wasi_cuda_event_record(end, stream), "record");
  cuda_check(wasi_cuda_stream_sync(stream), "sync");
  int64_t took = cuda_check(wasi_cuda_event_elapsed_ns(start, end), "elapsed");
  cuda_check(wasi_cuda_stream_destroy(stream), "destroy");
  cuda_check(cuda_download(bodies, body, 0, bytes), "download");
  cuda_check(cuda_download(speeds, speed, 0, bytes), "download");

  momentum(bodies, speeds, n, after);
  fprintf(stderr, "%d bodies, %d steps: %.2f ms\n", n, steps, (double)took * 1e-6);
  size_t wrong = 0;
  for (int axis = 0; axis < 3; axis++) {
    printf("momentum %c: %+.5f -> %+.5f\n", "xyz"[axis], before[axis], after[axis]);
    wrong += !(fabs(after[axis] - before[axis]) < 1e-3);
  }
  return guest_verdict("nbody", wrong, 3);
}
