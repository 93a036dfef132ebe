/**
 * SpawnChild: from nothing to a child process that is connected and has said its first word.
 *
 * Owns the socket, the handshake and what is left behind when it fails. Each child has a socket of its own in a
 * folder that only this user can enter; it accepts one connection and is gone. It knows neither cells nor what the
 * child is for. Invariants: when spawnChild rejects, neither process, listener nor socket file is left; a child
 * that hangs on its way is killed when its time to start is over.
 */
import type { Clock } from "../model/clock.ts";
import { FrameReader } from "../wire/frame.ts";
import type { ByteSource, Frame } from "../wire/frame.ts";

/** A child is ready in tens of milliseconds; a machine under load may take long. */
const START_TIMEOUT_MS = 20_000;
/**
 * The same for one that opens a GPU: a driver that nobody uses wakes the hardware first, and contexts that are made
 * at a time are made one after the other. Not measured on hardware.
 */
export const GPU_START_TIMEOUT_MS = 90_000;

/** What a child is started with. */
export interface ChildOptions {
  /** What it is called when it does not start. */
  readonly name: string;
  /** Put before the command: programs that start it. */
  readonly launcher: readonly string[];
  /** What the name of its socket's folder begins with; see socket_folders.ts. */
  readonly socketPrefix?: string;
  /** The arguments of `deno`, for the path of its socket. */
  readonly args: (socketPath: string) => readonly string[];
  /** All that it sees of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The type of its first frame. */
  readonly firstFrame: number;
  /** How long it may take to say its first word; 20 s unless said. */
  readonly startTimeoutMs?: number;
  readonly clock: Clock;
}

/** A connected child process. */
export interface SpawnedChild {
  readonly child: Deno.ChildProcess;
  readonly connection: Deno.UnixConn;
  readonly source: TimedSource;
  readonly reader: FrameReader;
  readonly frame: Frame;
}

/** A connection that remembers what was read from it, and when last. */
export class TimedSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #clock: Clock;
  lastReadMs: number;
  readBytes = 0;

  constructor(source: ByteSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.lastReadMs = clock.nowMs();
  }

  async read(target: Uint8Array): Promise<number | null> {
    const count = await this.#source.read(target);
    this.lastReadMs = this.#clock.nowMs();
    this.readBytes += count ?? 0;
    return count;
  }
}

/** Starts a child and waits for its first frame. */
export async function spawnChild(options: ChildOptions): Promise<SpawnedChild> {
  // Only this user can enter it, and it is gone once the child has connected.
  const folder = await Deno.makeTempDir({ prefix: options.socketPrefix ?? "tensor-wasm-" });
  try {
    return await spawnIn(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

async function spawnIn(folder: string, options: ChildOptions): Promise<SpawnedChild> {
  const socketPath = `${folder}/cell.sock`;
  using listener = Deno.listen({ transport: "unix", path: socketPath });
  const [program, ...args] = [...options.launcher, Deno.execPath(), ...options.args(socketPath)];
  const child = new Deno.Command(program ?? "", {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: { ...options.environment, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  let connection: Deno.UnixConn | undefined;
  const timer = setTimeout(() => killQuietly(child), options.startTimeoutMs ?? START_TIMEOUT_MS);
  try {
    connection = await accept(listener, child);
    const source = new TimedSource(connection, options.clock);
    const reader = new FrameReader(source);
    const frame = await reader.next();
    if (frame?.type !== options.firstFrame) throw new Error(`${options.name} did not say that it is ready`);
    return { child, connection, source, reader, frame };
  } catch (error) {
    connection?.close();
    const said = await endOf(child);
    throw new Error(`${options.name} did not start${said === "" ? "" : `: ${said}`}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a child that is of no use, reads its pipes to their end, and returns the last of what it said. */
async function endOf(child: Deno.ChildProcess): Promise<string> {
  killQuietly(child);
  const { stderr } = await child.output();
  return new TextDecoder().decode(stderr).trim().slice(-500);
}

function killQuietly(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It had ended by itself.
  }
}

/** The connection, unless the process ends first. */
async function accept(listener: Deno.UnixListener, child: Deno.ChildProcess): Promise<Deno.UnixConn> {
  const failed = new Promise<never>((_, reject) => {
    void child.status.then((status) => reject(new Error(`Process ended with code ${status.code}`)));
  });
  failed.catch(() => {});
  return await Promise.race([listener.accept(), failed]);
}
