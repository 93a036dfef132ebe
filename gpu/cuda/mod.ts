/**
 * The CUDA device: re-exports only.
 *
 * Whoever opens one imports this file when it is wanted, not before: it brings the PTX parser with it. Importing
 * it does nothing else.
 */
export { openCudaDevice } from "./device.ts";
export type { CudaDevice, CudaDeviceOptions, CudaHealth } from "./device.ts";
export type { CopyWay } from "./transfers.ts";
export { surveyCuda } from "./survey.ts";
export type { CudaSurvey } from "./survey.ts";
export { CudaUnavailable, driverPaths } from "./library.ts";
export type { TriedPath } from "./library.ts";
