/**
 * Launcher: from the numbers of a launch to a kernel that runs.
 *
 * Owns the order of checks (reference §2.4: argument region, extents, records, kernel, then the device) and the
 * one place where kernels are started. It does not wait for them. Invariants: a launch that is refused has
 * changed nothing, but for downloads that were due before it; each launch is told to the observer once.
 */
import { GPU_BLOCK_THREADS_MAX } from "../abi.ts";
import { ArgList } from "./args.ts";
import type { FindBuffer } from "./args.ts";
import type { Buffers } from "./buffers.ts";
import type { Dim3, KernelLaunch, LaunchTiming } from "../device.ts";
import type { Kernel, Kernels } from "./kernels.ts";
import { describeFailure, GpuRefusal } from "./refusal.ts";
import type { Failure } from "./refusal.ts";
import type { LaunchClock, LaunchRecord, SessionParts, StreamState } from "./session_parts.ts";
import type { Streams } from "./streams.ts";
import type { PlacedWindows, WindowMemory } from "./window_memory.ts";

/** A launch as a guest asks for it: numbers as they come. */
export interface LaunchRequest {
  readonly kernel: bigint;
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly sharedBytes: number;
  /** 0 for the default stream. */
  readonly stream: bigint;
  readonly argsPointer: number;
  readonly argsLength: number;
  /** False for the older interface, whose launches take none. */
  readonly mayHaveArgs: boolean;
}

/** The parts of a session that launches use. */
export interface LauncherParts {
  readonly kernels: Kernels;
  readonly buffers: Buffers;
  readonly streams: Streams;
  readonly windows: WindowMemory;
}

/** A launch on its way. */
interface Operation {
  readonly request: LaunchRequest;
  readonly startMs: number;
  kernel: Kernel | undefined;
  windows: PlacedWindows | undefined;
  clock: LaunchClock | undefined;
  dispatchMs: number;
}

/** Launches of one session. */
export class Launcher {
  readonly #session: SessionParts;
  readonly #parts: LauncherParts;
  readonly #args: ArgList;
  readonly #findBuffer: FindBuffer;

  constructor(session: SessionParts, parts: LauncherParts) {
    this.#session = session;
    this.#parts = parts;
    this.#args = new ArgList(session.limits);
    this.#findBuffer = (what, handle, offset) => parts.buffers.find(what, handle, offset);
  }

  /** @throws GpuRefusal, GpuError, or rejects with them */
  launch(request: LaunchRequest): void | Promise<void> {
    const startMs = performance.now();
    const operation: Operation = {
      ...{ request, startMs, kernel: undefined, windows: undefined, clock: undefined },
      dispatchMs: 0,
    };
    try {
      const stream = this.#check(request);
      const kernel = operation.kernel = this.#parts.kernels.get(request.kernel);
      this.#args.checkAgainst(kernel.info);
      const windows = this.#parts.windows.place(this.#args, stream);
      if (windows instanceof Promise) return this.#launchLater(operation, kernel, stream, windows);
      const timing = this.#start(operation, kernel, stream, windows);
      if (timing instanceof Promise) return this.#endLater(operation, stream, timing);
      this.#made(operation, stream, timing);
    } catch (error) {
      this.#fail(operation, error);
    }
  }

  /** Everything that comes before the kernel is looked up; the records are then in `#args`. */
  #check(request: LaunchRequest): StreamState {
    const { argsPointer, argsLength } = request;
    const memory = this.#session.memory.check("Argument records", argsPointer, argsLength);
    checkExtents(request);
    const stream = this.#parts.streams.get(request.stream);
    if (argsLength !== 0 && !request.mayHaveArgs) {
      throw new GpuRefusal("kernelArgsUnsupported", "Version 0.1.0 of the interface takes no arguments");
    }
    this.#args.parse(memory, argsPointer >>> 0, argsLength >>> 0, this.#findBuffer);
    return stream;
  }

  async #launchLater(
    operation: Operation,
    kernel: Kernel,
    stream: StreamState,
    placing: Promise<PlacedWindows>,
  ): Promise<void> {
    try {
      const timing = this.#start(operation, kernel, stream, await placing);
      this.#made(operation, stream, await timing);
    } catch (error) {
      this.#fail(operation, error);
    }
  }

  async #endLater(
    operation: Operation,
    stream: StreamState,
    timing: Promise<LaunchTiming | undefined>,
  ): Promise<void> {
    try {
      this.#made(operation, stream, await timing);
    } catch (error) {
      this.#fail(operation, error);
    }
  }

  #start(
    operation: Operation,
    { info, loaded, params, block }: Kernel,
    { stream }: StreamState,
    windows: PlacedWindows,
  ): ReturnType<ReturnType<SessionParts["context"]>["launch"]> {
    const { request } = operation;
    operation.windows = windows;
    this.#args.writeParams(info, block);
    // One that answers when it is done tells its time at once.
    const { info: { kind }, observer } = this.#session;
    const clock = operation.clock = kind === "cuda" ? observer.clock?.() : undefined;
    const launch: KernelLaunch = {
      module: loaded.module,
      kernel: info,
      grid: request.grid,
      block: request.block,
      sharedBytes: request.sharedBytes,
      params,
      ...(stream === undefined ? undefined : { stream }),
      ...(clock === undefined ? undefined : { timed: (deviceTimeUs: number) => clock.timed(deviceTimeUs) }),
    };
    operation.dispatchMs = performance.now();
    return this.#session.context().launch(launch);
  }

  /** The device has taken it. */
  #made(operation: Operation, stream: StreamState, timing: LaunchTiming | undefined): void {
    const { dispatchMs, windows } = operation;
    const endMs = performance.now();
    stream.launchCount++;
    if (windows !== undefined) this.#parts.windows.launched(windows, stream);
    this.#tell(operation, endMs, undefined, {
      startMs: dispatchMs,
      endMs,
      deviceTimeUs: timing?.deviceTimeUs,
    });
  }

  #fail(operation: Operation, error: unknown): never {
    const { request, windows } = operation;
    if (windows !== undefined) this.#parts.windows.abandon(windows, this.#parts.streams.get(request.stream));
    this.#tell(operation, performance.now(), describeFailure(error), undefined);
    throw error;
  }

  #tell(
    { request, startMs, kernel, windows, clock }: Operation,
    endMs: number,
    failure: Failure | undefined,
    dispatch: LaunchRecord["dispatch"],
  ): void {
    this.#session.observer.launched({
      startMs,
      endMs,
      failure,
      kernel: kernel?.info.name ?? this.#parts.kernels.nameOf(request.kernel),
      grid: request.grid,
      block: request.block,
      sharedBytes: request.sharedBytes,
      bytesIn: windows?.bytesIn ?? 0,
      bytesOut: windows?.bytesOut ?? 0,
      dispatch,
      clock,
    });
  }
}

/** Extents that no device takes; what this one does not take it says itself. */
function checkExtents({ grid, block, sharedBytes }: LaunchRequest): void {
  checkPositive("Grid", grid);
  checkPositive("Block", block);
  const { x, y, z } = block;
  const threads = x * y * z;
  if (threads > GPU_BLOCK_THREADS_MAX) {
    const most = `at most ${GPU_BLOCK_THREADS_MAX} threads`;
    throw new GpuRefusal("invalidDimensions", `Block is ${x}×${y}×${z}: expected ${most}, got ${threads}`);
  }
  if (sharedBytes < 0) {
    throw new GpuRefusal("invalidDimensions", `Shared memory is ${sharedBytes} bytes: it is negative`);
  }
}

function checkPositive(what: string, { x, y, z }: Dim3): void {
  if (x > 0 && y > 0 && z > 0) return;
  throw new GpuRefusal("invalidDimensions", `${what} is ${x}×${y}×${z}: an extent is not positive`);
}
