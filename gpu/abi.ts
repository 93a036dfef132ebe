/**
 * The guest ABI of `wasi:cuda/host`: names, signatures, result codes and numbers.
 *
 * Owns the tables that guests compile against (guest contract; reference §2.1–2.4). It opens no device. Pointers
 * and lengths are i32, read as unsigned, in bytes of the guest's memory. A function that answers i64 answers a
 * handle, a count or a negative code; one that answers i32 answers 0, a count or a negative code. Invariant: a
 * code, number or signature never changes meaning; new ones continue from the last.
 */

/** Result codes; 0 and positive values are success. */
export const GPU_CODES = {
  /** No device, or the capability is not granted to this guest: indistinguishable on purpose. */
  notAvailable: -1,
  /** A region that is not wholly inside the guest's memory or inside a device buffer, or no exported memory. */
  invalidPointer: -2,
  /** A kernel id that this guest does not have. */
  invalidKernel: -3,
  /** PTX that is empty, not UTF-8, has a NUL, or that the compiler refuses: the log is the last error. */
  malformedPtx: -4,
  /** The device refused or failed: entry not found, launch, kernel, copy, stream or event. */
  launchFailed: -5,
  /** A limit: sizes, counts, device memory. The last error names limit, value and what was asked for. */
  quotaExceeded: -6,
  /** A failure of the host. */
  internal: -7,
  /** A grid or block extent that is not positive or too large, or negative shared memory. */
  invalidDimensions: -8,
  /** An unknown tag, a truncated record, arguments that do not fit the kernel, a text that is not UTF-8. */
  invalidArgs: -9,
  /** More argument bytes or records than the limits, or any arguments at all under `@0.1.0`. */
  kernelArgsUnsupported: -10,
  /** A buffer, stream or event handle that this guest does not have. */
  invalidHandle: -11,
  /** The time between two events that are not both done. */
  notReady: -12,
} as const;

/** The name of a code. */
export type GpuCodeName = keyof typeof GPU_CODES;

/** Import module name of the interface. */
export const GPU_MODULE_NAME = "wasi:cuda/host@0.2.0";
/** Its older name: the same functions, but a launch takes no arguments there. */
export const GPU_MODULE_NAME_V1 = "wasi:cuda/host@0.1.0";
/** Every import module name. */
export const GPU_MODULE_NAMES = [GPU_MODULE_NAME, GPU_MODULE_NAME_V1] as const;

/** Tags of argument records: one byte, then the value in little endian without padding. */
export const GPU_ARG_TAGS = {
  i32: 0x01,
  i64: 0x02,
  f32: 0x03,
  f64: 0x04,
  u32: 0x05,
  u64: 0x06,
  /** u32 offset, u32 length: a window of guest memory, uploaded at the launch and written back. */
  windowInOut: 0x07,
  /** u32 offset, u32 length: uploaded, never written back. */
  windowIn: 0x08,
  /** u32 offset, u32 length: zero on the device at the launch, written back. */
  windowOut: 0x09,
  /** u64 handle, u64 offset in bytes: a place in a device buffer. */
  buffer: 0x0a,
} as const;

/** Attributes of `wasi_cuda_device_query`. */
export const GPU_ATTRIBUTES = {
  /** 1: kernels run on the CPU, 2: on CUDA. */
  kind: 0,
  /** 10 × major + minor, as in sm_75. */
  computeCapability: 1,
  multiprocessors: 2,
  /** Device memory that this guest may have, and what is left of it, in bytes. */
  memoryBytes: 3,
  freeBytes: 4,
  warpSize: 5,
  threadsPerBlockMax: 6,
  sharedBytesPerBlockMax: 7,
} as const;

/** Largest extent of a block, and most threads of one; the grid's extents are any positive i32. */
export const GPU_BLOCK_THREADS_MAX = 1024;

/** WebAssembly number types as the ABI uses them. */
export type GpuAbiType = "i32" | "i64";

/** A function of the interface. */
export interface GpuAbiFunction {
  readonly params: readonly GpuAbiType[];
  readonly results: readonly GpuAbiType[];
}

/**
 * Every function. Any may answer notAvailable; a call that fails leaves its text for `last_error`, and has
 * changed nothing unless its row says otherwise. `wasi_cuda_last_error_ptr` is a reserved name and no function.
 */
export const GPU_FUNCTIONS = {
  /**
   * (ptx_ptr, ptx_len, entry_ptr, entry_len) -> kernel id. Compiles PTX at once and looks the entry up. The same
   * PTX loaded again is compiled once. invalidPointer, quotaExceeded, malformedPtx, invalidArgs (the name is
   * empty or not UTF-8), launchFailed (no such entry).
   */
  wasi_cuda_load_ptx: { params: ["i32", "i32", "i32", "i32"], results: ["i64"] },
  /** (kernel) -> 0. Its id is of no use any more; the module goes with its last kernel. invalidKernel. */
  wasi_cuda_unload: { params: ["i64"], results: ["i32"] },
  /**
   * (kernel, grid x, y, z, block x, y, z, shared_bytes, args_ptr, args_len) -> 0. Launches on the default stream.
   * Results are in guest memory after the next sync. invalidPointer, invalidDimensions, kernelArgsUnsupported,
   * invalidArgs, invalidHandle, invalidKernel, quotaExceeded, launchFailed, in this order of checks.
   */
  wasi_cuda_launch: {
    params: ["i64", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    results: ["i32"],
  },
  /** As launch, with a stream before the arguments: 0 is the default stream. And invalidHandle for that. */
  wasi_cuda_launch_async: {
    params: ["i64", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i64", "i32", "i32"],
    results: ["i32"],
  },
  /**
   * () -> 0. Waits for everything launched and writes windows back. launchFailed for what a kernel did wrong:
   * then nothing is written back, and the device is of no use to this guest any more.
   */
  wasi_cuda_sync: { params: [], results: ["i32"] },
  /** () -> bytes of the last error's text, 0 for none. */
  wasi_cuda_last_error_len: { params: [], results: ["i32"] },
  /** (dst, len) -> bytes copied, the lesser of both lengths. invalidPointer. */
  wasi_cuda_last_error_copy: { params: ["i32", "i32"], results: ["i32"] },

  /** (bytes) -> buffer handle. Device memory, zero. invalidArgs for less than one byte, quotaExceeded. */
  wasi_cuda_alloc: { params: ["i64"], results: ["i64"] },
  /** (buffer) -> 0. After everything launched. invalidHandle. */
  wasi_cuda_free: { params: ["i64"], results: ["i32"] },
  /**
   * (buffer, offset in bytes, src, len) -> 0. Copies from guest memory, after what was launched on the default
   * stream. invalidHandle, invalidPointer.
   */
  wasi_cuda_memcpy_h2d: { params: ["i64", "i64", "i32", "i32"], results: ["i32"] },
  /** (dst, buffer, offset in bytes, len) -> 0. Copies to guest memory, likewise. And launchFailed as sync. */
  wasi_cuda_memcpy_d2h: { params: ["i32", "i64", "i64", "i32"], results: ["i32"] },

  /** (attribute) -> its value: GPU_ATTRIBUTES. invalidArgs for another number. */
  wasi_cuda_device_query: { params: ["i32"], results: ["i64"] },
  /** (dst, len) -> bytes copied of the device's name, UTF-8 without a NUL. invalidPointer. */
  wasi_cuda_device_name: { params: ["i32", "i32"], results: ["i32"] },

  /** () -> stream handle, never 0. Streams do not wait for each other or for the default one. quotaExceeded. */
  wasi_cuda_stream_create: { params: [], results: ["i64"] },
  /** (stream) -> 0. Synchronises it first, with the answers of that. invalidHandle. */
  wasi_cuda_stream_destroy: { params: ["i64"], results: ["i32"] },
  /** (stream) -> 0. As sync, for one stream; 0 is sync itself. invalidHandle, launchFailed. */
  wasi_cuda_stream_sync: { params: ["i64"], results: ["i32"] },

  /** () -> event handle. quotaExceeded. */
  wasi_cuda_event_create: { params: [], results: ["i64"] },
  /** (event) -> 0. invalidHandle. */
  wasi_cuda_event_destroy: { params: ["i64"], results: ["i32"] },
  /** (event, stream) -> 0. The event is done when all is done that was launched on the stream before. */
  wasi_cuda_event_record: { params: ["i64", "i64"], results: ["i32"] },
  /** (event) -> 1 done (or never recorded), 0 not yet. Done windows are written back. invalidHandle. */
  wasi_cuda_event_query: { params: ["i64"], results: ["i32"] },
  /** (event) -> 0. Waits for it and writes windows of its stream back. invalidHandle, launchFailed. */
  wasi_cuda_event_sync: { params: ["i64"], results: ["i32"] },
  /** (stream, event) -> 0. What is launched on the stream from now on waits for the event. invalidHandle. */
  wasi_cuda_event_stream_wait: { params: ["i64", "i64"], results: ["i32"] },
  /** (start, end) -> nanoseconds between two events. invalidHandle if one was not recorded, notReady. */
  wasi_cuda_event_elapsed_ns: { params: ["i64", "i64"], results: ["i64"] },
} as const satisfies Record<string, GpuAbiFunction>;

/** The name of a function. */
export type GpuFunctionName = keyof typeof GPU_FUNCTIONS;
