/**
 * DeviceFacts: what a device says of itself, as plain data for the gateway.
 */
import type { GpuDeviceInfo } from "../../gpu/mod.ts";
import type { DeviceFacts } from "../model/gpu.ts";

/** The facts of a device. */
export function factsOf({ computeCapability: { major, minor }, ...rest }: GpuDeviceInfo): DeviceFacts {
  return { ...rest, computeCapability: `${major}.${minor}` };
}
