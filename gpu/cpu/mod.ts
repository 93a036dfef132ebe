/**
 * The CPU device with its compiler, for those who load PTX at once.
 *
 * Owns the eager way in: importing it reads the whole compiler. The runtime takes `openCpuDevice` (device.ts)
 * instead. Importing it does nothing else.
 */
import { CpuDevice } from "./device.ts";
import type { CpuDeviceOptions } from "./device.ts";
import { compileProgram } from "./program.ts";

export type { CpuDeviceOptions } from "./device.ts";

/** The CPU device. Nothing is compiled or allocated before a context asks for it. */
export function createCpuDevice(options: CpuDeviceOptions = {}): CpuDevice {
  return new CpuDevice(options, { compileProgram });
}
