/**
 * A real gateway whose calls have the GPU of this host.
 *
 * Owns the settings that make it so: TENSOR_WASM_GPU=cuda, and that kernels, which are ours here, may run where they
 * could reach the process. Another driver library is found by the gateway as by the tests (TENSOR_WASM_CUDA_DRIVER).
 * Invariant: it starts with the GPU or not at all.
 */
import { TestGateway } from "../../support/gateway.ts";

/** Starts it. */
export async function startOnGpu(flags: readonly string[] = []): Promise<TestGateway> {
  const env = { TENSOR_WASM_GPU: "cuda", TENSOR_WASM_GPU_ALLOW_HOST_MEMORY: "true" };
  return await TestGateway.start({ env, flags });
}
