/** The CPU device keeps the contract of devices, with one thread and with several. */
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { testGpuDevice } from "../contract/gpu_device_contract.ts";

testGpuDevice("cpu", () => createCpuDevice());
testGpuDevice("cpu with 2 threads", () => createCpuDevice({ threads: 2 }));
