/**
 * OpenDevice: the one place that knows which devices there are.
 *
 * Owns the choice by kind. It asks no environment and no setting (runtime/config.ts does). Invariant: what it
 * returns is ready for contexts; undefined is for guests that are to have no device.
 */
import { openCpuDevice } from "./cpu/device.ts";
import type { GpuDevice } from "./device.ts";

/** Which device, and how it is to run. */
export interface DeviceOptions {
  readonly device: "cpu" | "off";
  /** Threads that a kernel may use on the CPU. */
  readonly threads: number;
}

/** Opens a device. */
export function openDevice({ device, threads }: DeviceOptions): GpuDevice | undefined {
  return device === "cpu" ? openCpuDevice({ threads }) : undefined;
}
