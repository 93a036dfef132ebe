// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * assembly_vector_add: c = a + b on the GPU, through windows of the guest's own memory.
 *
 * run(n) adds n made-up numbers and returns how many sums are wrong: 0. A negative result is a code of wasi:cuda;
 * what the host says about it is logged.
 */
import { Args, blocks, dim, Kernel, lastError, sync, Window } from "./assembly/cuda.ts";
import { logError } from "./assembly/output.ts";
import { ptxVectorAdd } from "./assembly/kernels.ts";

const ELEMENTS_MAX: i32 = 1 << 24;
const INVALID_ARGS: i32 = -9;

export function run(n: i32): i32 {
  if (n < 0 || n > ELEMENTS_MAX) return INVALID_ARGS;
  const a = new Float32Array(n);
  const b = new Float32Array(n);
  const c = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    a[i] = <f32>i * 0.5;
    b[i] = <f32>(n - i) * 0.25;
  }
  const code = add(a, b, c, n);
  if (code < 0) {
    const text = lastError();
    logError(text.length > 0 ? text : "this host has no CUDA device for this program");
    return code;
  }
  let wrong = 0;
  for (let i = 0; i < n; i++) {
    if (c[i] != a[i] + b[i]) wrong++;
  }
  return wrong;
}

function add(a: Float32Array, b: Float32Array, c: Float32Array, n: i32): i32 {
  const kernel = Kernel.load(ptxVectorAdd(), "vector_add");
  if (kernel.code < 0) return kernel.code;
  const args = new Args().window(a, Window.In).window(b, Window.In).window(c, Window.Out).i32(n);
  const code = kernel.launch(dim(blocks(n, 256)), dim(256), 0, args);
  return code < 0 ? code : sync();
}
