/**
 * Cells: the pools of a gateway and those who look after them.
 *
 * Owns the two pools (one serves calls, one is the workshop in which modules are examined and instrumented),
 * the watch over their cells, and the quarantine that learns from crashes. It runs nothing itself. Invariant:
 * every cell is watched from its start to its end, and every crash is held against what was inside.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts, GpuChoice, GpuPlan } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import { CellPool } from "./cell_pool.ts";
import type { PooledCell, PoolObserver } from "./cell_pool.ts";
import { CellProcess } from "./cell_process.ts";
import { CellWatch } from "./cell_watch.ts";
import type { DedicatedCells } from "./dedicated_cells.ts";
import { openGpuCells } from "./gpu_cells.ts";
import { GpuShares } from "./gpu_shares.ts";
import { observePool } from "./pool_telemetry.ts";
import { isCrash, Quarantine } from "./quarantine.ts";
import { readResidentBytes } from "./resident_bytes.ts";
import type { TenantTable } from "./tenant_series.ts";
import type { CellOptions } from "./spawn_cell.ts";

/** Most cells of the workshop; each works on one module at a time. */
const WORKSHOP_CELLS_MAX = 2;
/** Most deploys that wait for it; each holds its body meanwhile, of which there is a bound in bytes too. */
const WORKSHOP_QUEUE_DEPTH_MAX = 256;

/** What cells are made with. */
export interface CellsOptions {
  readonly cellsMin: number;
  readonly cellsMax: number;
  readonly callsPerCellMax: number;
  readonly moduleCacheBytesMax: number;
  readonly limits: Limits;
  readonly limitsOf: LimitsOf;
  readonly gpu: GpuChoice;
  /** What calls can have of a device. */
  readonly plan: GpuPlan;
  /** Programs through which a cell is started. */
  readonly launcher: readonly string[];
  /** What the names of their sockets' folders begin with; see socket_folders.ts. */
  readonly socketPrefix?: string;
  /** What a cell's `deno` needs to find its caches. */
  readonly cellEnvironment: Readonly<Record<string, string>>;
}

/** The cells of a gateway. */
export interface Cells {
  /** Runs calls. */
  readonly pool: CellPool<CellProcess>;
  /** Examines and instruments modules; its cells start when there is something to do. */
  readonly workshop: CellPool<CellProcess>;
  /** Runs the calls that use a GPU, where there is one. */
  readonly gpu: DedicatedCells<CellProcess> | undefined;
  /** Who may use it, and when. */
  readonly gpuShares: GpuShares | undefined;
  readonly quarantine: Quarantine;
  /** The devices that calls have, once a cell has said so; none if it is empty. */
  readonly devices: Promise<readonly DeviceFacts[]>;
  /** Kills every cell and resolves when all have ended. */
  kill(reason: string): Promise<void>;
}

/** Makes the pools; the caller opens `pool`. */
export function openCells(
  options: CellsOptions,
  clock: Clock,
  telemetry: Telemetry,
  tenants: TenantTable,
): Cells {
  const { limits, launcher, plan } = options;
  const quarantine = new Quarantine(clock);
  const observer = observePool(telemetry, "calls", tenants);
  const devices = Promise.withResolvers<readonly DeviceFacts[]>();
  const compileSeconds = telemetry.metrics.histogram("tensor_wasm_module_compile_seconds", {});
  if (plan.kind !== "cpu") devices.resolve(plan.cuda?.devices ?? []);
  const makePool = (
    sizes: Pick<CellsOptions, "cellsMin" | "cellsMax" | "callsPerCellMax"> & { queueDepthMax: number },
    poolObserver: PoolObserver,
    pingTimeoutMs: number,
    gpu: Pick<CellOptions, "gpu" | "onDevice"> = {},
  ): CellPool<CellProcess> => {
    const pingSeconds = telemetry.metrics.histogram("tensor_wasm_cell_ping_seconds", {});
    const watch = new CellWatch<CellProcess>({
      clock,
      pingTimeoutMs,
      memoryBytesMax: limits.cellMemoryBytesMax,
      readResidentBytes,
      retire: (cell, reason) => pool.retire(cell, reason),
      onPing: (roundTripMs) => pingSeconds.observe(roundTripMs / 1000),
    });
    const pool: CellPool<CellProcess> = new CellPool({
      ...sizes,
      clock,
      observer: poolObserver,
      startCell: async (id) => {
        const cell = await CellProcess.start({
          id,
          launcher,
          ...(options.socketPrefix === undefined ? {} : { socketPrefix: options.socketPrefix }),
          limits,
          clock,
          moduleBytesMax: options.moduleCacheBytesMax,
          environment: options.cellEnvironment,
          onCompiles: ({ counts, sumSeconds }) => compileSeconds.observeAll(counts, sumSeconds),
          ...gpu,
        });
        watch.watch(cell);
        return cell;
      },
    });
    return pool;
  };
  const pool = makePool(
    { ...options, queueDepthMax: limits.queueDepthMax },
    {
      ...observer,
      cellEnded: (cell) => {
        blame(cell, quarantine);
        observer.cellEnded(cell);
      },
    },
    limits.pingTimeoutMs,
    { gpu: plan.shared, onDevice: (facts) => devices.resolve([facts]) },
  );
  const workshop = makePool(
    {
      cellsMin: 0,
      cellsMax: WORKSHOP_CELLS_MAX,
      callsPerCellMax: 1,
      queueDepthMax: WORKSHOP_QUEUE_DEPTH_MAX,
    },
    observePool(telemetry, "workshop", tenants),
    // It works on one module without a pause, at most until the deadline of the deploy.
    Math.max(limits.pingTimeoutMs, limits.deadlineMs),
  );
  const gpu = plan.cuda === undefined ? undefined : openGpuCells({
    ...options,
    ...{ choice: options.gpu, found: plan.cuda, environment: options.cellEnvironment },
    ...{ clock, telemetry, tenants, onEnded: (cell: PooledCell) => blameOnGpu(cell, quarantine) },
  });
  const gpuShares = plan.cuda === undefined ? undefined : new GpuShares({
    devices: plan.cuda.devices,
    callsPerDeviceMax: options.gpu.callsPerDeviceMax,
    queueDepthMax: limits.queueDepthMax,
    ...{ clock, telemetry, tenants },
  });
  return {
    ...{ pool, workshop, gpu, gpuShares, quarantine },
    devices: devices.promise,
    kill: async (reason) => {
      gpuShares?.close();
      await Promise.all([pool.kill(reason), workshop.kill(reason), gpu?.kill(reason)]);
    },
  };
}

/** A cell that crashed is evidence against the modules that were running in it. */
function blame(cell: PooledCell, quarantine: Quarantine): void {
  if (cell instanceof CellProcess && isCrash(cell.deathReason)) quarantine.cellCrashed(cell.digestsAtDeath);
}

/**
 * The same on a GPU, where a cell that is silent or late may be held up in the driver, which compiles or waits for
 * a kernel: that is paid for by its tenant alone, and says nothing of the module.
 */
function blameOnGpu(cell: PooledCell, quarantine: Quarantine): void {
  if (cell.deathReason !== "unresponsive" && cell.deathReason !== "overdue") blame(cell, quarantine);
}
