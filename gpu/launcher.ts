/**
 * Launcher: from the numbers of a launch to a kernel that runs.
 *
 * Owns the order of checks (reference §2.4: argument region, extents, records, kernel, then the device) and the
 * one place where kernels are started. It does not wait for them. Invariants: a launch that is refused has
 * changed nothing, but for downloads that were due before it; each launch is told to the observer once.
 */
import { GPU_BLOCK_THREADS_MAX } from "./abi.ts";
import { ArgList } from "./args.ts";
import type { ArgSurroundings } from "./args.ts";
import type { Buffers } from "./buffers.ts";
import type { Dim3, KernelLaunch, LaunchTiming } from "./device.ts";
import type { Kernel, Kernels } from "./kernels.ts";
import { describeFailure, GpuRefusal } from "./refusal.ts";
import type { Failure } from "./refusal.ts";
import type { LaunchRecord, SessionParts, StreamState } from "./session_parts.ts";
import type { Steps } from "./steps.ts";
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

/** Launches of one session. */
export class Launcher {
  readonly #session: SessionParts;
  readonly #parts: LauncherParts;
  readonly #args: ArgList;

  constructor(session: SessionParts, parts: LauncherParts) {
    this.#session = session;
    this.#parts = parts;
    this.#args = new ArgList(session.limits);
  }

  /** @throws GpuRefusal, GpuError */
  *launch(request: LaunchRequest): Steps<void> {
    const startMs = performance.now();
    let kernel: Kernel | undefined;
    let windows: PlacedWindows | undefined;
    let dispatch: LaunchRecord["dispatch"];
    let failure: Failure | undefined;
    try {
      const stream = this.#check(request);
      kernel = this.#parts.kernels.get(request.kernel);
      this.#args.checkAgainst(kernel.info);
      windows = yield* this.#parts.windows.place(this.#args, stream);
      this.#args.writeParams(kernel.info, kernel.block);
      const dispatchMs = performance.now();
      const deviceTimeUs = yield* this.#start(kernel, request, windows, stream);
      dispatch = { startMs: dispatchMs, endMs: performance.now(), deviceTimeUs };
    } catch (error) {
      failure = describeFailure(error);
      throw error;
    } finally {
      this.#session.observer.launched({
        startMs,
        endMs: performance.now(),
        failure,
        kernel: kernel?.info.name ?? this.#parts.kernels.nameOf(request.kernel),
        grid: request.grid,
        block: request.block,
        sharedBytes: request.sharedBytes,
        bytesIn: windows?.bytesIn ?? 0,
        bytesOut: windows?.bytesOut ?? 0,
        dispatch,
      });
    }
  }

  /** Everything that comes before the kernel is looked up; the records are then in `#args`. */
  #check(request: LaunchRequest): StreamState {
    const { memory } = this.#session;
    const records = memory.bytes("Argument records", request.argsPointer, request.argsLength);
    checkExtents(request);
    const stream = this.#parts.streams.get(request.stream);
    if (records.length > 0 && !request.mayHaveArgs) {
      throw new GpuRefusal("kernelArgsUnsupported", "Version 0.1.0 of the interface takes no arguments");
    }
    const around: ArgSurroundings = {
      memoryBytes: memory.whole().length,
      findBuffer: (what, handle, offset) => this.#parts.buffers.find(what, handle, offset),
    };
    this.#args.parse(records, around);
    return stream;
  }

  *#start(
    { info, loaded, params }: Kernel,
    { grid, block, sharedBytes }: LaunchRequest,
    windows: PlacedWindows,
    stream: StreamState,
  ): Steps<number | undefined> {
    const launch: KernelLaunch = {
      module: loaded.module,
      kernel: info,
      grid,
      block,
      sharedBytes,
      params,
      ...(stream.stream === undefined ? {} : { stream: stream.stream }),
    };
    let timing: LaunchTiming | undefined;
    try {
      const answer = this.#session.context().launch(launch);
      if (answer instanceof Promise) yield answer.then((value) => void (timing = value));
      else timing = answer;
    } catch (error) {
      this.#parts.windows.abandon(windows, stream);
      throw error;
    }
    stream.launchCount++;
    this.#parts.windows.launched(windows, stream);
    return timing?.deviceTimeUs;
  }
}

/** Extents that no device takes; what this one does not take it says itself. */
function checkExtents({ grid, block, sharedBytes }: LaunchRequest): void {
  for (const [what, extents] of [["Grid", grid], ["Block", block]] as const) {
    const { x, y, z } = extents;
    if (x > 0 && y > 0 && z > 0) continue;
    throw new GpuRefusal("invalidDimensions", `${what} is ${x}×${y}×${z}: an extent is not positive`);
  }
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
