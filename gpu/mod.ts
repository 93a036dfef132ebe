/**
 * Public surface of the GPU library: re-exports only.
 *
 * The guest ABI, the device interface and the session between the two. Devices are behind GpuDevice: whoever
 * holds a session does not know which one it has.
 */
export {
  GPU_ARG_TAGS,
  GPU_ATTRIBUTES,
  GPU_BLOCK_THREADS_MAX,
  GPU_CODES,
  GPU_FUNCTIONS,
  GPU_MODULE_NAME,
  GPU_MODULE_NAME_V1,
  GPU_MODULE_NAMES,
} from "./abi.ts";
export type { GpuAbiFunction, GpuAbiType, GpuCodeName, GpuFunctionName } from "./abi.ts";
export type {
  ContextOptions,
  Dim3,
  GpuContext,
  GpuDevice,
  GpuDeviceInfo,
  GpuEvent,
  GpuModule,
  GpuStream,
  KernelInfo,
  KernelLaunch,
  KernelParam,
  LaunchTiming,
  Pacer,
} from "./device.ts";
export { CUDA_STATUS, GpuError } from "./gpu_error.ts";
export type { CudaStatusName } from "./gpu_error.ts";
export { DEFAULT_GPU_LIMITS } from "./limits.ts";
export type { GpuLimits } from "./limits.ts";
export { openDevice, openGpuDevice, surveyGpus } from "./open_device.ts";
export type { DeviceOptions } from "./open_device.ts";
export { GpuSession } from "./session/session.ts";
export type { SessionOptions } from "./session/session.ts";
export type { Answer, WideAnswer } from "./session/boundary.ts";
export type { Failure } from "./session/refusal.ts";
export type {
  GpuObserver,
  LaunchClock,
  LaunchRecord,
  LoadRecord,
  OperationRecord,
} from "./session/session_parts.ts";
export { openCpuDevice } from "./cpu/device.ts";
export type { CpuDeviceOptions } from "./cpu/device.ts";
export type { CudaDevice, CudaDeviceOptions, CudaHealth } from "./cuda/device.ts";
export type { CudaSurvey } from "./cuda/survey.ts";
export { CudaUnavailable, driverPaths } from "./cuda/library.ts";
