// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * assembly_mandelbrot: a picture of the Mandelbrot set as PPM, counted and coloured on the GPU.
 *
 * render(width, height, limit) writes the picture as the answer and returns 0, or a negative code of wasi:cuda,
 * whose text it logs. main() renders 640 x 480.
 */
import { Args, blocks, Buffer, dim, INVALID_ARGS, Kernel, lastError, sync, Window } from "./assembly/cuda.ts";
import { logError, setContentType, writeBytes, writeText } from "./assembly/output.ts";
import { ptxColour, ptxMandelbrot } from "./assembly/kernels.ts";

const EXTENT_MAX: i32 = 4096;

export function main(): i32 {
  return render(640, 480, 256);
}

export function render(width: i32, height: i32, limit: i32): i32 {
  if (min(width, height) < 1 || max(width, height) > EXTENT_MAX || limit < 1) return INVALID_ARGS;
  const pixels = new Uint8Array(width * height * 3);
  const code = draw(pixels, width, height, limit);
  if (code < 0) {
    const text = lastError();
    logError(text.length > 0 ? text : "this host has no CUDA device for this program");
    return code;
  }
  setContentType("image/x-portable-pixmap");
  writeText(`P6\n${width} ${height}\n255\n`);
  return writeBytes(pixels);
}

function draw(pixels: Uint8Array, width: i32, height: i32, limit: i32): i32 {
  const escape = Kernel.load(ptxMandelbrot(), "mandelbrot");
  if (escape.code < 0) return escape.code;
  const colour = Kernel.load(ptxColour(), "colour");
  if (colour.code < 0) return colour.code;
  const count = width * height;
  const counts = Buffer.allocate(4 * count);
  if (counts.code < 0) return counts.code;

  const step: f32 = 2.6 / <f32>min(width, height);
  const left: f32 = -0.7 - step * <f32>width / 2;
  const top: f32 = -step * <f32>height / 2;
  const args = new Args().buffer(counts).i32(width).i32(height).f32(left).f32(top).f32(step).i32(limit);
  let code = escape.launch(dim(blocks(width, 16), blocks(height, 16)), dim(16, 16), 0, args);
  if (code < 0) return code;
  const colourArgs = new Args().buffer(counts).window(pixels, Window.Out).i32(count).i32(limit);
  code = colour.launch(dim(blocks(count, 256)), dim(256), 0, colourArgs);
  return code < 0 ? code : sync();
}
