/* gpu_stencil: heat that spreads over a plate: n steps of a five-point stencil, two device buffers in turn.
 *
 * Arguments: width (96), height (64), steps (100). Draws the plate as text, hot as #, and checks it against the
 * same steps done here: every operation is IEEE, so results are the same to the last bit.
 */
#include "gpu_guest.h"
#include "stencil.ptx.h"
#include "wasi_cuda.h"

#define RATE 0.2f

static void step_here(const float *in, float *out, int width, int height) {
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      int at = y * width + x;
      out[at] = in[at];
      if (x == 0 || y == 0 || x == width - 1 || y == height - 1) continue;
      float sides = in[at - 1] + in[at + 1], ends = in[at - width] + in[at + width];
      out[at] = fmaf(RATE, fmaf(-4.0f, in[at], sides + ends), in[at]);
    }
  }
}

static void draw(const float *plate, int width, int height) {
  static const char shades[] = " .:-=+*%#";
  for (int y = 0; y < height; y += 1 + height / 24) {
    for (int x = 0; x < width; x += 1 + width / 72) {
      float heat = plate[y * width + x] / 100.0f * 8.99f;
      putchar(shades[heat < 0 ? 0 : heat > 8 ? 8 : (int)heat]);
    }
    putchar('\n');
  }
}

int main(int argc, char **argv) {
  int width = (int)guest_number(argc, argv, 1, 96, 1, 4096), height = (int)guest_number(argc, argv, 2, 64, 1, 4096);
  int steps = (int)guest_number(argc, argv, 3, 100, 0, 10000);
  size_t count = (size_t)width * (size_t)height, bytes = count * sizeof(float);
  float *plate = guest_memory(count, sizeof *plate), *spare = guest_memory(count, sizeof *spare);
  float *got = guest_memory(count, sizeof *got);
  for (int x = 0; x < width; x++) plate[x] = 100;
  for (int y = height / 3; y < height / 2; y++) plate[y * width] = 100;

  cuda_kernel kernel = cuda_check(cuda_load(ptx_heat2d, "heat2d"), "load");
  cuda_buffer here = cuda_check(cuda_alloc(bytes), "alloc"), there = cuda_check(cuda_alloc(bytes), "alloc");
  cuda_check(cuda_upload(here, 0, plate, bytes), "upload");
  cuda_dim3 grid = cuda_dim2(cuda_blocks((uint32_t)width, 32), cuda_blocks((uint32_t)height, 8));
  for (int i = 0; i < steps; i++) {
    cuda_args args = {0};
    cuda_push_buffer(&args, here, 0);
    cuda_push_buffer(&args, there, 0);
    cuda_push_i32(&args, width);
    cuda_push_i32(&args, height);
    cuda_push_f32(&args, RATE);
    cuda_check(cuda_launch(kernel, grid, cuda_dim2(32, 8), 0, &args), "launch");
    cuda_buffer kept = here;
    here = there;
    there = kept;
  }
  cuda_check(cuda_download(got, here, 0, bytes), "download");
  draw(got, width, height);

  for (int i = 0; i < steps; i++) {
    step_here(plate, spare, width, height);
    float *kept = plate;
    plate = spare;
    spare = kept;
  }
  size_t wrong = 0;
  for (size_t i = 0; i < count; i++) wrong += got[i] != plate[i];
  return guest_verdict("stencil", wrong, count);
}
