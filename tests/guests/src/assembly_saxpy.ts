// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * assembly_saxpy: y = alpha x + y in device memory, as often as asked.
 *
 * run(alpha, n, steps) starts with x = 0, 1, 2, ... and y = 1, 1, 1, ... and returns the sum of y. A negative
 * code of wasi:cuda is returned as it is, and what the host says about it is logged.
 */
import { Args, Buffer, dim, Kernel, lastError } from "./assembly/cuda.ts";
import { logError } from "./assembly/output.ts";
import { ptxSaxpy } from "./assembly/kernels.ts";

const ELEMENTS_MAX: i32 = 1 << 24;
const INVALID_ARGS: i32 = -9;

export function run(alpha: f32, n: i32, steps: i32): f64 {
  if (n < 1 || n > ELEMENTS_MAX) return INVALID_ARGS;
  const values = new Float32Array(n);
  const code = iterate(alpha, values, steps);
  if (code < 0) {
    const text = lastError();
    logError(text.length > 0 ? text : "this host has no CUDA device for this program");
    return code;
  }
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += values[i];
  return sum;
}

/** Leaves y in `values`. */
function iterate(alpha: f32, values: Float32Array, steps: i32): i32 {
  const kernel = Kernel.load(ptxSaxpy(), "saxpy");
  if (kernel.code < 0) return kernel.code;
  const x = Buffer.allocate(values.byteLength);
  if (x.code < 0) return x.code;
  const y = Buffer.allocate(values.byteLength);
  if (y.code < 0) return y.code;
  for (let i = 0; i < values.length; i++) values[i] = <f32>i;
  let code = x.upload(values);
  values.fill(1);
  if (code >= 0) code = y.upload(values);
  const args = new Args().f32(alpha).buffer(x).buffer(y).i32(values.length);
  for (let step = 0; step < steps && code >= 0; step++) code = kernel.launch(dim(8), dim(256), 0, args);
  return code < 0 ? code : y.download(values);
}
