/** Every guest of the manifest that uses a device, through HTTP on a gateway with the GPU; nothing is skipped. */
import { testGpuGuests } from "../../contract/gpu_guests_contract.ts";
import { startOnGpu } from "./gpu_gateway.ts";
import { onHardware } from "./hardware.ts";

onHardware("guests on a GPU", () => testGpuGuests("cuda", () => startOnGpu()));
