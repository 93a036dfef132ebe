/**
 * `wasi:cuda/host`: a guest's way to its session (gpu/session/session.ts).
 *
 * Owns the binding of the ABI's names, the suspension of the guest while its kernels run, and its end when the
 * call is over meanwhile. Without a device every function answers NotAvailable, as the contract has it, and the
 * guest takes its own way. Invariants: no argument is looked at before availability was answered; a guest whose
 * call is over never goes on behind one of these functions.
 */
import { GPU_CODES, GPU_FUNCTIONS, GPU_MODULE_NAME, GPU_MODULE_NAME_V1 } from "../../../gpu/mod.ts";
import type { Answer, GpuFunctionName, GpuSession, WideAnswer } from "../../../gpu/mod.ts";
import type { GuestContext, HostFunctions, HostModule } from "../guest_context.ts";

/** Functions for whose answer a guest may have to wait. */
const SUSPENDING: readonly GpuFunctionName[] = [
  "wasi_cuda_load_ptx",
  "wasi_cuda_unload",
  "wasi_cuda_launch",
  "wasi_cuda_launch_async",
  "wasi_cuda_sync",
  "wasi_cuda_free",
  "wasi_cuda_memcpy_h2d",
  "wasi_cuda_memcpy_d2h",
  "wasi_cuda_stream_destroy",
  "wasi_cuda_stream_sync",
  "wasi_cuda_event_query",
  "wasi_cuda_event_sync",
];

type CudaFunctions = Record<GpuFunctionName, (...args: never[]) => unknown>;

function unavailable(): HostFunctions {
  return Object.fromEntries(
    Object.entries(GPU_FUNCTIONS).map(([name, { results }]) => {
      const [type] = results;
      const code = type === "i64" ? BigInt(GPU_CODES.notAvailable) : GPU_CODES.notAvailable;
      return [name, () => code];
    }),
  );
}

function open(context: GuestContext, mayHaveArgs: boolean): HostFunctions {
  const session = context.gpu();
  return session === undefined ? unavailable() : bind(session, context, mayHaveArgs);
}

function bind(session: GpuSession, context: GuestContext, mayHaveArgs: boolean): CudaFunctions {
  // What ran may have taken long, or the call may be over: the guest is parked or ended before it goes on.
  const rest = <T>(value: T): T | Promise<T> => context.rest()?.then(() => value) ?? value;
  const settle = (answer: Answer): Answer => typeof answer === "number" ? rest(answer) : answer.then(rest);
  const settleWide = (answer: WideAnswer): WideAnswer =>
    typeof answer === "bigint" ? rest(answer) : answer.then(rest);
  const launch = (
    ...[kernel, gx, gy, gz, bx, by, bz, sharedBytes, stream, argsPointer, argsLength]: AsyncLaunch
  ): Answer => {
    const [grid, block] = [{ x: gx, y: gy, z: gz }, { x: bx, y: by, z: bz }];
    return settle(
      session.launch({ kernel, grid, block, sharedBytes, stream, argsPointer, argsLength, mayHaveArgs }),
    );
  };
  return {
    wasi_cuda_load_ptx: (...region: [number, number, number, number]) =>
      settleWide(session.loadPtx(...region)),
    wasi_cuda_unload: (kernel: bigint) => settle(session.unload(kernel)),
    wasi_cuda_launch: (...[kernel, gx, gy, gz, bx, by, bz, shared, args, length]: Launch) =>
      launch(kernel, gx, gy, gz, bx, by, bz, shared, 0n, args, length),
    wasi_cuda_launch_async: launch,
    wasi_cuda_sync: () => settle(session.synchronize()),
    wasi_cuda_last_error_len: () => session.lastErrorLength(),
    wasi_cuda_last_error_copy: (target: number, length: number) => session.copyLastError(target, length),
    wasi_cuda_alloc: (bytes: bigint) => session.allocate(bytes),
    wasi_cuda_free: (buffer: bigint) => settle(session.free(buffer)),
    wasi_cuda_memcpy_h2d: (buffer: bigint, offset: bigint, source: number, length: number) =>
      settle(session.copyToDevice(buffer, offset, source, length)),
    wasi_cuda_memcpy_d2h: (target: number, buffer: bigint, offset: bigint, length: number) =>
      settle(session.copyToGuest(target, buffer, offset, length)),
    wasi_cuda_device_query: (attribute: number) => session.queryDevice(attribute),
    wasi_cuda_device_name: (target: number, length: number) => session.copyDeviceName(target, length),
    wasi_cuda_stream_create: () => session.createStream(),
    wasi_cuda_stream_destroy: (stream: bigint) => settle(session.destroyStream(stream)),
    wasi_cuda_stream_sync: (stream: bigint) => settle(session.synchronizeStream(stream)),
    wasi_cuda_event_create: () => session.createEvent(),
    wasi_cuda_event_destroy: (event: bigint) => session.destroyEvent(event),
    wasi_cuda_event_record: (event: bigint, stream: bigint) => session.recordEvent(event, stream),
    wasi_cuda_event_query: (event: bigint) => settle(session.queryEvent(event)),
    wasi_cuda_event_sync: (event: bigint) => settle(session.synchronizeEvent(event)),
    wasi_cuda_event_stream_wait: (stream: bigint, event: bigint) => session.waitEvent(stream, event),
    wasi_cuda_event_elapsed_ns: (start: bigint, end: bigint) => session.elapsedNanos(start, end),
  };
}

type Six = [number, number, number, number, number, number];
type Launch = [kernel: bigint, ...extents: Six, shared: number, argsPointer: number, argsLength: number];
type AsyncLaunch = [
  kernel: bigint,
  ...extents: Six,
  shared: number,
  stream: bigint,
  argsPointer: number,
  argsLength: number,
];

/** The host module. */
export const cudaModule: HostModule = {
  names: [GPU_MODULE_NAME],
  functions: GPU_FUNCTIONS,
  suspending: SUSPENDING,
  open: (context) => open(context, true),
};

/** Its older version: the same functions, but launches take no arguments. */
export const cudaModuleV1: HostModule = {
  ...cudaModule,
  names: [GPU_MODULE_NAME_V1],
  open: (context) => open(context, false),
};
