/** The part of the contract in which kernels fail, or do not end, on a GPU; nothing is skipped. */
import { testGpuDevice } from "../../contract/gpu_device_contract.ts";
import { onHardware, openHardware } from "./hardware.ts";

onHardware("failing kernels of the contract on a GPU", () => {
  testGpuDevice("cuda", () => openHardware(), [], ["faults"]);
});
