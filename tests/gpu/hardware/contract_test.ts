/** The CUDA device on a GPU keeps the contract of devices; nothing is skipped. What ends a context has a file of its own. */
import { testGpuDevice } from "../../contract/gpu_device_contract.ts";
import { onHardware, openHardware } from "./hardware.ts";

onHardware("the contract on a GPU", () => testGpuDevice("cuda", () => openHardware(), [], ["sound"]));
