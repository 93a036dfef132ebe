/**
 * GpuCells: dedicated cells on the GPUs that were found.
 *
 * Owns what each is started with: its part of the device's memory, the driver's environment, the tenant's own
 * place for compiled code; and how it is watched. Who gets one is dedicated_cells.ts's. Invariants: the parts of
 * all cells of a device together are no more than its memory; what the driver compiled for one tenant is never
 * another's.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { CudaFound, CudaSeat, GpuChoice } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import type { PooledCell } from "./cell_pool.ts";
import { CellProcess } from "./cell_process.ts";
import { CellWatch } from "./cell_watch.ts";
import { DedicatedCells } from "./dedicated_cells.ts";
import { driverEnvironment } from "./driver_environment.ts";
import { observePool } from "./pool_telemetry.ts";
import { readResidentBytes } from "./resident_bytes.ts";
import type { Seat } from "./tenant_cells.ts";
import type { TenantTable } from "./tenant_series.ts";

/** The driver compiles PTX on the cell's only thread, and nobody can interrupt it: so long it may be silent. */
const PING_TIMEOUT_MS_MIN = 30_000;
/** How long past its deadline a call may be unanswered. */
const OVERDUE_MS_MAX = 1_000;
/** The part of a device's memory that cells may share out; contexts, code and the driver's pools have the rest. */
const MEMORY_SHARE = 0.9;

/** What the cells are made with. */
export interface GpuCellsOptions {
  readonly choice: GpuChoice;
  readonly found: CudaFound;
  readonly callsPerCellMax: number;
  readonly moduleCacheBytesMax: number;
  readonly limits: Limits;
  readonly limitsOf: LimitsOf;
  readonly environment: Readonly<Record<string, string>>;
  readonly launcher: readonly string[];
  /** What the names of their sockets' folders begin with; see socket_folders.ts. */
  readonly socketPrefix?: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly tenants: TenantTable;
  /** Called for every cell that has ended. */
  readonly onEnded: (cell: PooledCell) => void;
}

/** Makes the cells' keeper; it starts one when somebody calls. */
export function openGpuCells(options: GpuCellsOptions): DedicatedCells<CellProcess> {
  const { choice, found, limits, clock, telemetry } = options;
  const observer = observePool(telemetry, "gpu", options.tenants);
  const compileSeconds = telemetry.metrics.histogram("tensor_wasm_module_compile_seconds", {});
  const pingSeconds = telemetry.metrics.histogram("tensor_wasm_cell_ping_seconds", {});
  const watch = new CellWatch<CellProcess>({
    clock,
    pingTimeoutMs: Math.max(limits.pingTimeoutMs, PING_TIMEOUT_MS_MIN),
    memoryBytesMax: limits.cellMemoryBytesMax,
    readResidentBytes,
    retire: (cell, reason) => cells.retire(cell, reason),
    onPing: (roundTripMs) => pingSeconds.observe(roundTripMs / 1000),
  });
  const cells: DedicatedCells<CellProcess> = new DedicatedCells({
    clock,
    observer: {
      ...observer,
      cellEnded: (cell) => {
        options.onEnded(cell);
        observer.cellEnded(cell);
      },
    },
    deviceCount: found.devices.length,
    cellsMax: found.devices.length * choice.cellsPerDeviceMax,
    cellsPerTenantMax: choice.cellsPerTenantMax,
    callsPerCellMax: options.callsPerCellMax,
    queueDepthMax: limits.queueDepthMax,
    idleMsMax: choice.cellIdleMsMax,
    startCell: async (id, seat) => {
      const cell = await CellProcess.start({
        id,
        launcher: options.launcher,
        ...(options.socketPrefix === undefined ? {} : { socketPrefix: options.socketPrefix }),
        limits,
        clock,
        moduleBytesMax: options.moduleCacheBytesMax,
        environment: {
          ...options.environment,
          ...driverEnvironment(choice, seat.tenant, found.driverPath),
        },
        dedicated: { tenant: seat.tenant, seat: cudaSeat(options, seat) },
        onCompiles: ({ counts, sumSeconds }) => compileSeconds.observeAll(counts, sumSeconds),
        overdueMsMax: OVERDUE_MS_MAX,
        onFailing: (failing, reason) => cells.condemn(failing, reason),
        onDoubt: () => cells.reconsider(),
      });
      watch.watch(cell);
      return cell;
    },
  });
  return cells;
}

function cudaSeat({ choice, found, limitsOf }: GpuCellsOptions, { tenant, device }: Seat): CudaSeat {
  const facts = found.devices[device];
  if (facts === undefined) throw new Error(`No device ${device}`);
  const part = facts.memoryBytes * MEMORY_SHARE / choice.cellsPerDeviceMax;
  const own = limitsOf(tenant).gpuTenantMemoryBytesMax / choice.cellsPerTenantMax;
  return {
    driverPath: found.driverPath,
    deviceIndex: facts.index,
    allowHostMemory: choice.allowHostMemory,
    copies: choice.copies,
    memoryBytesMax: Math.floor(Math.min(part, own)),
  };
}
