// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * cuda: calling wasi:cuda from AssemblyScript.
 *
 * The imports of wasi:cuda/host@0.2.0 and a small API on top of them: Kernel, Args, Buffer, and lastError() for
 * what the host has to say about a negative code. Codes are passed on, never thrown. It allocates little and
 * frees nothing, so it works with the stub runtime.
 *
 *   const kernel = Kernel.load(ptxSaxpy(), "saxpy");
 *   const args = new Args().f32(2).window(x, Window.In).window(y, Window.InOut).i32(n);
 *   if (kernel.launch(dim(blocks(n, 256)), dim(256), 0, args) < 0 || sync() < 0) return lastError();
 */

@external("wasi:cuda/host@0.2.0", "wasi_cuda_load_ptx")
declare function hostLoadPtx(ptx: usize, ptxLength: i32, entry: usize, entryLength: i32): i64;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_unload")
declare function hostUnload(kernel: i64): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_launch")
declare function hostLaunch(
  kernel: i64, gridX: i32, gridY: i32, gridZ: i32, blockX: i32, blockY: i32, blockZ: i32, shared: i32, args: usize,
  argsLength: i32,
): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_sync")
declare function hostSync(): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_last_error_len")
declare function hostLastErrorLength(): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_last_error_copy")
declare function hostLastErrorCopy(target: usize, length: i32): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_alloc")
declare function hostAlloc(bytes: i64): i64;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_free")
declare function hostFree(buffer: i64): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_memcpy_h2d")
declare function hostUpload(buffer: i64, offset: i64, source: usize, length: i32): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_memcpy_d2h")
declare function hostDownload(target: usize, buffer: i64, offset: i64, length: i32): i32;
@external("wasi:cuda/host@0.2.0", "wasi_cuda_device_query")
declare function hostDeviceQuery(attribute: i32): i64;

export const NOT_AVAILABLE: i32 = -1;
export const INVALID_ARGS: i32 = -9;

const TAG_I32: u8 = 0x01;
const TAG_I64: u8 = 0x02;
const TAG_F32: u8 = 0x03;
const TAG_F64: u8 = 0x04;
const TAG_BUFFER: u8 = 0x0a;
const ARGS_BYTES_MAX: i32 = 1024;

/** What happens with a window of memory: its tag in the argument list. */
export namespace Window {
  export const InOut: u8 = 0x07;
  export const In: u8 = 0x08;
  export const Out: u8 = 0x09;
}

/** Extents of a grid or a block. */
export class Dim {
  constructor(public x: i32, public y: i32, public z: i32) {}
}

export function dim(x: i32, y: i32 = 1, z: i32 = 1): Dim {
  return new Dim(x, y, z);
}

/** Blocks of `size` that cover `count`. */
export function blocks(count: i32, size: i32): i32 {
  return max((count + size - 1) / size, 1);
}

/** The arguments of a launch, in the order of the kernel's parameters. */
export class Args {
  readonly start: usize = heap.alloc(<usize>ARGS_BYTES_MAX);
  length: i32 = 0;

  i32(value: i32): Args {
    const at = this.record(TAG_I32, 4);
    if (at != 0) store<i32>(at, value);
    return this;
  }

  i64(value: i64): Args {
    const at = this.record(TAG_I64, 8);
    if (at != 0) store<i64>(at, value);
    return this;
  }

  f32(value: f32): Args {
    const at = this.record(TAG_F32, 4);
    if (at != 0) store<f32>(at, value);
    return this;
  }

  f64(value: f64): Args {
    const at = this.record(TAG_F64, 8);
    if (at != 0) store<f64>(at, value);
    return this;
  }

  /** The memory of a typed array: a copy for the kernel, and what it wrote is back after a sync. */
  window<T extends ArrayBufferView>(array: T, tag: u8): Args {
    return this.memory(array.dataStart, array.byteLength, tag);
  }

  memory(start: usize, length: i32, tag: u8): Args {
    const at = this.record(tag, 8);
    if (at != 0) {
      store<u32>(at, <u32>start);
      store<i32>(at, length, 4);
    }
    return this;
  }

  buffer(buffer: Buffer, offset: i64 = 0): Args {
    const at = this.record(TAG_BUFFER, 16);
    if (at != 0) {
      store<i64>(at, buffer.handle);
      store<i64>(at, offset, 8);
    }
    return this;
  }

  /** Where the value of a new record goes, 0 if there is no room: then a launch is refused. */
  private record(tag: u8, length: i32): usize {
    const at = this.length;
    this.length += 1 + length;
    if (this.length > ARGS_BYTES_MAX) return 0;
    store<u8>(this.start + <usize>at, tag);
    return this.start + <usize>at + 1;
  }
}

/** A kernel, or the negative code of why there is none. */
export class Kernel {
  constructor(public handle: i64) {}

  /** Compiles PTX and looks an entry up. */
  static load(ptx: string, entry: string): Kernel {
    const text = String.UTF8.encode(ptx);
    const name = String.UTF8.encode(entry);
    return new Kernel(
      hostLoadPtx(changetype<usize>(text), text.byteLength, changetype<usize>(name), name.byteLength),
    );
  }

  get code(): i32 {
    return this.handle < 0 ? <i32>this.handle : 0;
  }

  launch(grid: Dim, block: Dim, shared: i32, args: Args): i32 {
    if (args.length > ARGS_BYTES_MAX) return INVALID_ARGS;
    return hostLaunch(
      this.handle, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, args.start, args.length,
    );
  }

  unload(): i32 {
    return hostUnload(this.handle);
  }
}

/** Device memory, or the negative code of why there is none. */
export class Buffer {
  constructor(public handle: i64) {}

  static allocate(bytes: i64): Buffer {
    return new Buffer(hostAlloc(bytes));
  }

  get code(): i32 {
    return this.handle < 0 ? <i32>this.handle : 0;
  }

  upload<T extends ArrayBufferView>(array: T, offset: i64 = 0): i32 {
    return hostUpload(this.handle, offset, array.dataStart, array.byteLength);
  }

  download<T extends ArrayBufferView>(array: T, offset: i64 = 0): i32 {
    return hostDownload(array.dataStart, this.handle, offset, array.byteLength);
  }

  free(): i32 {
    return hostFree(this.handle);
  }
}

/** Waits for all launches and brings windows back. */
export function sync(): i32 {
  return hostSync();
}

/** Whether there is a device for this program. */
export function isAvailable(): bool {
  return hostDeviceQuery(0) >= 0;
}

/** The text of the last error, empty if there is none. */
export function lastError(): string {
  const length = hostLastErrorLength();
  if (length <= 0) return "";
  const text = heap.alloc(<usize>length);
  return String.UTF8.decodeUnsafe(text, <usize>max(hostLastErrorCopy(text, length), 0));
}
