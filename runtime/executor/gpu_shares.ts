/**
 * GpuShares: the share of each GPU, and what operators see of it.
 *
 * Owns one GpuShare for each device that cells use, by the name that a cell says it has, and their metrics. On the
 * cpu device there is none: kernels run on their guests' fibers there, and the scheduler of the cell has them take
 * turns. Invariant: a device that cells use has a share; its series are there from the start.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts } from "../model/gpu.ts";
import { invariant } from "../model/invariant.ts";
import { GpuShare } from "./gpu_share.ts";
import type { GpuClaim, GpuPermit, GpuShareObserver } from "./gpu_share.ts";
import type { TenantTable } from "./tenant_series.ts";

/** What the shares are made with. */
export interface GpuSharesOptions {
  readonly devices: readonly Pick<DeviceFacts, "kind" | "index">[];
  /** Most calls that use one device at a time, and most that wait for one. */
  readonly callsPerDeviceMax: number;
  readonly queueDepthMax: number;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly tenants: TenantTable;
}

/** The shares of all devices. */
export class GpuShares {
  readonly #shares = new Map<string, GpuShare>();

  constructor(options: GpuSharesOptions) {
    const { clock, callsPerDeviceMax: permitsMax, queueDepthMax } = options;
    for (const { kind, index } of options.devices) {
      const device = `${kind}:${index}`;
      const observer = observe(device, options);
      this.#shares.set(device, new GpuShare({ clock, permitsMax, queueDepthMax, observer }));
    }
  }

  /** Takes a permit of the device that a cell has, or waits for one. See GpuShare.acquire for what it throws. */
  acquire(device: string, claim: GpuClaim): Promise<GpuPermit> {
    const share = this.#shares.get(device);
    invariant(share !== undefined, "Cells have the devices that were found");
    return share.acquire(claim);
  }

  /** Refuses whoever waits and everyone after. */
  close(): void {
    for (const share of this.#shares.values()) share.close();
  }
}

function observe(device: string, { telemetry, tenants }: GpuSharesOptions): GpuShareObserver {
  const { metrics, tracer } = telemetry;
  const log = telemetry.log("tensor_wasm_exec");
  const usedNow = metrics.gauge("tensor_wasm_gpu_permits", { device, state: "used" });
  const freeNow = metrics.gauge("tensor_wasm_gpu_permits", { device, state: "free" });
  const waitSeconds = metrics.histogram("tensor_wasm_gpu_permit_wait_seconds", { device });
  return {
    permits: (used, free) => {
      usedNow.set(used);
      freeNow.set(free);
    },
    waited: (ms) => waitSeconds.observe(ms / 1000),
    shed: (kind, tenant) => {
      // Of one that is displaced the newcomer's trace is at hand: it tells who came, and is no example of a refusal.
      const isOther = kind === "gpu_displaced";
      tenants.of(tenant).shed(kind).inc(1, isOther ? undefined : tracer.activeIds());
      log.warn("call.shed", { kind, tenant, device });
    },
  };
}
