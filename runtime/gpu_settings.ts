/**
 * GpuSettings: the rows of the table of settings that are about devices and the cells that have them.
 *
 * Owns these rows alone; limits of single calls stand with the other limits (settings.ts). Invariant: none is
 * needed where there is no GPU.
 */
import { AUTO, CELLS_MAX, HOUR_MS } from "./setting.ts";
import type { Setting } from "./setting.ts";

/** Settings of devices. */
export const GPU_SETTINGS: readonly Setting[] = [
  {
    key: "gpu",
    flag: "gpu",
    env: "TENSOR_WASM_GPU",
    kind: "choice",
    fallback: AUTO,
    choices: [AUTO, "cpu", "cuda", "off"],
    meaning:
      "device behind wasi:cuda/host: cuda is a GPU through its driver, cpu compiles PTX to WebAssembly, off answers -1 (not available) to all of it; auto is cuda where the driver shows a GPU that can be used, else cpu",
  },
  {
    key: "gpuThreads",
    flag: "gpu-threads",
    env: "TENSOR_WASM_GPU_THREADS",
    kind: "count",
    fallback: "1",
    min: 1,
    max: 64,
    meaning: "threads of a cell that a kernel may use on the cpu device",
  },
  {
    key: "gpuDriver",
    flag: "gpu-driver",
    env: "TENSOR_WASM_CUDA_DRIVER",
    kind: "text",
    fallback: AUTO,
    meaning: "path of the CUDA driver library, for cuda and auto; auto searches the usual places",
  },
  {
    key: "gpuAllowHostMemory",
    flag: "gpu-allow-host-memory",
    env: "TENSOR_WASM_GPU_ALLOW_HOST_MEMORY",
    kind: "flag",
    fallback: "false",
    meaning: "use GPUs whose kernels can read and write the memory of the cell that launches them",
  },
  {
    key: "gpuCellsPerDeviceMax",
    flag: "gpu-cells-per-device-max",
    env: "TENSOR_WASM_GPU_CELLS_PER_DEVICE_MAX",
    kind: "count",
    fallback: "16",
    min: 1,
    max: CELLS_MAX,
    meaning: "most cells with a context on one GPU, each of one tenant",
  },
  {
    key: "gpuCellsPerTenantMax",
    flag: "gpu-cells-per-tenant-max",
    env: "TENSOR_WASM_GPU_CELLS_PER_TENANT_MAX",
    kind: "count",
    fallback: "1",
    min: 1,
    max: 64,
    meaning: "most cells of one tenant on all GPUs",
  },
  {
    key: "gpuCallsPerDeviceMax",
    flag: "gpu-calls-per-device-max",
    env: "TENSOR_WASM_GPU_CALLS_PER_DEVICE_MAX",
    kind: "count",
    fallback: "8",
    min: 1,
    max: 4096,
    meaning:
      "most calls that use one GPU at a time; further ones wait in fair order of the time that their tenants have had",
  },
  {
    key: "gpuCopies",
    flag: "gpu-copies",
    env: "TENSOR_WASM_GPU_COPIES",
    kind: "choice",
    fallback: "direct",
    choices: ["direct", "staged", "registered"],
    meaning:
      "how large copies to and from a GPU go: direct leaves it to the driver, staged takes them through pinned memory, registered pins guest memory that is copied often; deno task bench:gpu measures each",
  },
  {
    key: "gpuCellIdleMs",
    flag: "gpu-cell-idle-ms",
    env: "TENSOR_WASM_GPU_CELL_IDLE_MS",
    kind: "ms",
    fallback: "60000",
    min: 0,
    max: HOUR_MS,
    meaning: "how long a cell with a context on a GPU may idle",
  },
];
