/**
 * Spawning: from nothing to a child process that is connected and has no permission left.
 *
 * Owns the command line of a cell, its socket and the handshake. Each cell has a socket of its own in a
 * folder that only this user can enter; it accepts one connection and is gone. Invariants: when spawnCell
 * rejects, neither process, listener nor socket file is left; where the system can arrange it, a cell dies
 * with the gateway, even if a guest is spinning in it and the gateway was killed.
 */
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts, GpuConfig } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import { FrameReader } from "../wire/frame.ts";
import type { ByteSource } from "../wire/frame.ts";
import { FRAME } from "../wire/messages.ts";
import type { BucketCounts, ReadyMeta } from "../wire/messages.ts";

const WASM_PAGE_BYTES = 65_536;
const MIB = 1024 * 1024;
/** What a device has in its memory beside what guests allocate. */
const DEVICE_OWN_BYTES = 256 * MIB;
/** The engine's default for the stack of JavaScript. */
const STACK_KIB_MIN = 984;
/** A cell is ready in tens of milliseconds; a machine under load may take long. */
const START_TIMEOUT_MS = 20_000;

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
  readonly clock: Clock;
  /** Most bytes of modules that the cell keeps compiled. */
  readonly moduleBytesMax: number;
  /** Put before the command: a program that has the system kill the cell when the gateway dies. */
  readonly launcher: readonly string[];
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

/** A connection that remembers when something was last read from it. */
export class TimedSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #clock: Clock;
  lastReadMs: number;

  constructor(source: ByteSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.lastReadMs = clock.nowMs();
  }

  async read(target: Uint8Array): Promise<number | null> {
    const count = await this.#source.read(target);
    this.lastReadMs = this.#clock.nowMs();
    return count;
  }
}

/** Starts a cell and completes the handshake. */
export async function spawnCell(options: CellOptions): Promise<SpawnedCell> {
  // Only this user can enter it, and it is gone once the cell has connected.
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-" });
  try {
    return await spawnIn(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

async function spawnIn(folder: string, options: CellOptions): Promise<SpawnedCell> {
  const socketPath = `${folder}/cell.sock`;
  using listener = Deno.listen({ transport: "unix", path: socketPath });
  const [program, ...args] = [
    ...options.launcher,
    Deno.execPath(),
    ...cellArguments(socketPath, options),
  ];
  const child = new Deno.Command(program ?? "", {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: { ...options.environment, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  let connection: Deno.UnixConn | undefined;
  try {
    connection = await accept(listener, child);
    const source = new TimedSource(connection, options.clock);
    const reader = new FrameReader(source);
    const frame = await reader.next();
    if (frame?.type !== FRAME.ready) throw new Error("Cell did not say that it is ready");
    const clockOffsetMs = options.clock.nowMs() - (frame.meta as ReadyMeta).nowMs;
    return { child, connection, source, reader, clockOffsetMs };
  } catch (error) {
    connection?.close();
    const said = await endOf(child);
    throw new Error(`Cell ${options.id} did not start${said === "" ? "" : `: ${said}`}`, { cause: error });
  }
}

/** Ends a child that is of no use, reads its pipes to their end, and returns the last of what it said. */
async function endOf(child: Deno.ChildProcess): Promise<string> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It had ended by itself.
  }
  const { stderr } = await child.output();
  return new TextDecoder().decode(stderr).trim().slice(-500);
}

async function accept(listener: Deno.UnixListener, child: Deno.ChildProcess): Promise<Deno.UnixConn> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const failed = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`No connection within ${START_TIMEOUT_MS} ms`)),
      START_TIMEOUT_MS,
    );
    void child.status.then((status) => reject(new Error(`Process ended with code ${status.code}`)));
  });
  try {
    return await Promise.race([listener.accept(), failed]);
  } finally {
    clearTimeout(timer);
    failed.catch(() => {});
  }
}

/** The largest memory that the engine is to make. */
function memoryBytesMax(limits: Limits, gpu: GpuConfig | undefined): number {
  if (gpu?.device !== "cpu") return limits.memoryBytesMax;
  return Math.max(limits.memoryBytesMax, limits.gpuMemoryBytesMax + DEVICE_OWN_BYTES);
}

function cellArguments(socketPath: string, { limits, gpu }: CellOptions): string[] {
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
    "run",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    "--no-check",
    `--v8-flags=${v8Flags.join(",")}`,
    `--allow-net=${paths.map((path) => `unix:${path}`).join(",")}`,
    `--allow-read=${paths.join(",")}`,
    `--allow-write=${paths.join(",")}`,
    new URL("../cell/main.ts", import.meta.url).href,
    ...paths,
  ];
}
