/**
 * Cells: the pools of a gateway and those who look after them.
 *
 * Owns the two pools (one serves calls, one is the workshop in which modules are examined and instrumented),
 * the watch over their cells, and the quarantine that learns from crashes. It runs nothing itself. Invariant:
 * every cell is watched from its start to its end, and every crash is held against what was inside.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts, GpuConfig } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import { CellPool } from "./cell_pool.ts";
import type { PooledCell, PoolObserver } from "./cell_pool.ts";
import { CellProcess } from "./cell_process.ts";
import type { CellOptions } from "./spawn_cell.ts";
import { CellWatch } from "./cell_watch.ts";
import { observePool } from "./pool_telemetry.ts";
import { isCrash, Quarantine } from "./quarantine.ts";
import { readResidentBytes } from "./resident_bytes.ts";
import type { TenantTable } from "./tenant_series.ts";

/** Most cells of the workshop; each works on one module at a time. */
const WORKSHOP_CELLS_MAX = 2;
/** Most deploys that wait for it; each holds its body meanwhile, of which there is a bound in bytes too. */
const WORKSHOP_QUEUE_DEPTH_MAX = 256;

const SETPRIV = "/usr/bin/setpriv";
const NICE = "/usr/bin/nice";
const CELL_NICENESS = 5;

/** What cells are made with. */
export interface CellsOptions {
  readonly cellsMin: number;
  readonly cellsMax: number;
  readonly callsPerCellMax: number;
  readonly moduleCacheBytesMax: number;
  readonly limits: Limits;
  readonly gpu: GpuConfig;
  /** What a cell's `deno` needs to find its caches. */
  readonly cellEnvironment: Readonly<Record<string, string>>;
}

/** The cells of a gateway. */
export interface Cells {
  /** Runs calls. */
  readonly pool: CellPool<CellProcess>;
  /** Examines and instruments modules; its cells start when there is something to do. */
  readonly workshop: CellPool<CellProcess>;
  readonly quarantine: Quarantine;
  /** The device that calls have, once a cell has said so; undefined if they have none. */
  readonly device: Promise<DeviceFacts | undefined>;
  /** Kills every cell and resolves when all have ended. */
  kill(reason: string): Promise<void>;
}

/** Makes the pools; the caller opens `pool`. */
export async function openCells(
  options: CellsOptions,
  clock: Clock,
  telemetry: Telemetry,
  tenants: TenantTable,
): Promise<Cells> {
  const { limits } = options;
  const quarantine = new Quarantine(clock);
  const launcher = await findLauncher();
  const observer = observePool(telemetry, "calls", tenants);
  const device = Promise.withResolvers<DeviceFacts | undefined>();
  const compileSeconds = telemetry.metrics.histogram("tensor_wasm_module_compile_seconds", {});
  if (options.gpu.device === "off") device.resolve(undefined);
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
    { gpu: options.gpu, onDevice: (facts) => device.resolve(facts) },
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
  return {
    pool,
    workshop,
    quarantine,
    device: device.promise,
    kill: async (reason) => void await Promise.all([pool.kill(reason), workshop.kill(reason)]),
  };
}

/** A cell that crashed is evidence against the modules that were running in it. */
function blame(cell: PooledCell, quarantine: Quarantine): void {
  if (cell instanceof CellProcess && isCrash(cell.deathReason)) quarantine.cellCrashed(cell.digestsAtDeath);
}

/**
 * The programs through which a cell is started, where the system has them. A spinning guest never looks at its
 * socket, so a cell may not notice by itself that the gateway was killed: Linux can tell it (PR_SET_PDEATHSIG,
 * prctl(2)), and util-linux has the program that asks for it. And guests give way to the gateway (nice(1)),
 * which has to hear the next request while they compute.
 */
async function findLauncher(): Promise<readonly string[]> {
  const launcher: string[] = [];
  if (Deno.build.os === "linux" && await isFile(SETPRIV)) launcher.push(SETPRIV, "--pdeathsig", "KILL", "--");
  if (await isFile(NICE)) launcher.push(NICE, "-n", String(CELL_NICENESS));
  return launcher;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
