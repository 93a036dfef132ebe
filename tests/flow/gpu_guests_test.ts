/** The GPU guests through HTTP on the CPU device keep the contract of guests that use a device. */
import { testGpuGuests } from "../contract/gpu_guests_contract.ts";
import { TestGateway } from "../support/gateway.ts";

testGpuGuests("cpu", () => TestGateway.start({ env: { TENSOR_WASM_GPU: "cpu" } }));
