// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * assembly_histogram: how often each byte occurs in the input, counted on the GPU with atomics.
 *
 * main() writes a line for each byte that occurs (its value, a blank, its count) and returns how many those are,
 * or a negative code of wasi:cuda, whose text it logs.
 */
import { Args, dim, Kernel, lastError, sync, Window } from "./assembly/cuda.ts";
import { ptxHistogramShared } from "./assembly/kernels.ts";
import { logError, readInput, writeText } from "./assembly/output.ts";

export function main(): i32 {
  const input = readInput();
  const counts = new Uint32Array(256);
  const code = count(input, counts);
  if (code < 0) {
    const text = lastError();
    logError(text.length > 0 ? text : "this host has no CUDA device for this program");
    return code;
  }
  let lines = "";
  let found = 0;
  for (let value = 0; value < counts.length; value++) {
    if (counts[value] == 0) continue;
    lines += `${value} ${counts[value]}\n`;
    found++;
  }
  const written = writeText(lines);
  return written < 0 ? written : found;
}

function count(input: Uint8Array, counts: Uint32Array): i32 {
  const kernel = Kernel.load(ptxHistogramShared(), "histogram_shared");
  if (kernel.code < 0) return kernel.code;
  const args = new Args().window(input, Window.In).window(counts, Window.InOut).i32(input.length);
  const code = kernel.launch(dim(8), dim(256), 0, args);
  return code < 0 ? code : sync();
}
