/**
 * SpawnCell: from nothing to a cell that is connected and has no permission left.
 *
 * Owns the command line of a cell: the flags of its engine and the permissions that it has until it is ready. A
 * dedicated cell has one more, for the one file that is its driver library. Invariants: those of spawn_child.ts;
 * where the system can arrange it, a cell dies with the gateway, even if a guest is spinning in it and the
 * gateway was killed.
 */
import type { Clock } from "../model/clock.ts";
import type { CudaSeat, DeviceFacts, GpuConfig } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import type { FrameReader } from "../wire/frame.ts";
import { FRAME } from "../wire/messages.ts";
import type { BucketCounts, FailingMeta, ReadyMeta } from "../wire/messages.ts";
import type { CellProcess } from "./cell_process.ts";
import { GPU_START_TIMEOUT_MS, spawnChild } from "./spawn_child.ts";
import type { TimedSource } from "./spawn_child.ts";

const WASM_PAGE_BYTES = 65_536;
const MIB = 1024 * 1024;
/** What a device has in its memory beside what guests allocate. */
const DEVICE_OWN_BYTES = 256 * MIB;
/** The engine's default for the stack of JavaScript. */
const STACK_KIB_MIN = 984;

/** How `deno` runs a program of ours that must depend on nothing but its own files. */
export const CHILD_FLAGS = [
  ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-check"],
] as const;

/** What a cell is started with. */
export interface CellOptions {
  /** Distinguishes cells in logs. */
  readonly id: number;
  readonly limits: Limits;
  /** The device that its guests have; none if absent. */
  readonly gpu?: GpuConfig;
  /** Called when the cell says which device it has. */
  readonly onDevice?: (device: DeviceFacts) => void;
  /** Told how long the cell's engine took to compile modules. */
  readonly onCompiles?: (compiles: BucketCounts) => void;
  /** The GPU of a dedicated cell, and whose it is. */
  readonly dedicated?: { readonly tenant: string; readonly seat: CudaSeat };
  /** Called when the cell says that its device has failed. */
  readonly onFailing?: (cell: CellProcess, reason: FailingMeta["reason"]) => void;
  /** Called when the cell is in doubt, and when it is not any more. See CellProcess.isDoubtful. */
  readonly onDoubt?: (cell: CellProcess) => void;
  /** How long past its deadline a call may be unanswered even if its cell does not answer pings meanwhile. */
  readonly overdueMsMax?: number;
  readonly clock: Clock;
  /** Most bytes of modules that the cell keeps compiled. */
  readonly moduleBytesMax: number;
  /** Put before the command: a program that has the system kill the cell when the gateway dies. */
  readonly launcher: readonly string[];
  /** What the names of their sockets' folders begin with; see socket_folders.ts. */
  readonly socketPrefix?: string;
  /** What the `deno` program needs to find its caches; the cell's code cannot read it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A connected child process. */
export interface SpawnedCell {
  readonly child: Deno.ChildProcess;
  readonly connection: Deno.UnixConn;
  readonly source: TimedSource;
  readonly reader: FrameReader;
  /**
   * What to add to an instant of the cell's clock to have it on ours. Both count the same monotonic clock,
   * so it does not drift; it is too large by the time that the ready frame was under way, never too small.
   */
  readonly clockOffsetMs: number;
}

/** Starts a cell and completes the handshake. */
export async function spawnCell(options: CellOptions): Promise<SpawnedCell> {
  const spawned = await spawnChild({
    name: `Cell ${options.id}`,
    launcher: options.launcher,
    ...(options.socketPrefix === undefined ? {} : { socketPrefix: options.socketPrefix }),
    args: (socketPath) => cellArguments(socketPath, options),
    environment: options.environment,
    firstFrame: FRAME.ready,
    ...(options.dedicated === undefined ? {} : { startTimeoutMs: GPU_START_TIMEOUT_MS }),
    clock: options.clock,
  });
  const { child, connection, source, reader, frame } = spawned;
  const clockOffsetMs = source.lastReadMs - (frame.meta as ReadyMeta).nowMs;
  return { child, connection, source, reader, clockOffsetMs };
}

/** The largest memory that the engine is to make. */
function memoryBytesMax(limits: Limits, gpu: GpuConfig | undefined): number {
  if (gpu?.device !== "cpu") return limits.memoryBytesMax;
  return Math.max(limits.memoryBytesMax, limits.gpuMemoryBytesMax + DEVICE_OWN_BYTES);
}

function cellArguments(socketPath: string, { limits, gpu, dedicated }: CellOptions): string[] {
  // The second is for the cell alone.
  const paths = [socketPath, `${socketPath}.loop`];
  const stackKib = Math.ceil(limits.stackBytesMax / 1024);
  const v8Flags = [
    // Any memory, those of devices included; a guest's own maximum is written into its module.
    `--wasm-max-mem-pages=${Math.ceil(memoryBytesMax(limits, gpu) / WASM_PAGE_BYTES)}`,
    // Objects of WebAssembly GC, tables and exceptions live in it.
    `--max-old-space-size=${Math.ceil(limits.heapBytesMax / MIB)}`,
    // The engine takes the smaller of the two for a guest's stack.
    `--wasm-stack-switching-stack-size=${stackKib}`,
    `--stack-size=${Math.max(STACK_KIB_MIN, stackKib)}`,
  ];
  return [
    ...CHILD_FLAGS,
    `--v8-flags=${v8Flags.join(",")}`,
    `--allow-net=${paths.map((path) => `unix:${path}`).join(",")}`,
    `--allow-read=${paths.join(",")}`,
    `--allow-write=${paths.join(",")}`,
    ...(dedicated === undefined ? [] : [`--allow-ffi=${dedicated.seat.driverPath}`]),
    new URL("../cell/main.ts", import.meta.url).href,
    ...paths,
    ...(dedicated === undefined ? [] : [JSON.stringify(dedicated.seat)]),
  ];
}
