/**
 * A real gateway whose calls have the GPU of this host.
 *
 * Owns the settings that make it so: TENSOR_WASM_GPU=cuda, and the driver library if another one is named. It
 * decides nothing about who may use the device. Invariant: it starts with the GPU or not at all.
 */
import { TestGateway } from "../../support/gateway.ts";

/** Starts it. */
export async function startOnGpu(flags: readonly string[] = []): Promise<TestGateway> {
  return await TestGateway.start({ env: { TENSOR_WASM_GPU: "cuda" }, flags });
}
