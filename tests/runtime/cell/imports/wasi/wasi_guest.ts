/**
 * A guest for WASI tests: only a memory at first, on which functions are called by name and their results
 * read, or a whole program that is run to its end.
 *
 * Owns the layout of its scratch areas and the decoding of results. Invariant: the functions under test are
 * those of `wasiModule.open`, wrapper included; nothing here reaches behind them.
 */
import { GuestStop } from "../../../../../runtime/cell/guest_context.ts";
import type { GuestContext } from "../../../../../runtime/cell/guest_context.ts";
import { WASI_FUNCTION_NAMES, wasiModule } from "../../../../../runtime/cell/imports/wasi/mod.ts";
import { promising, suspendable } from "../../../../../runtime/cell/jspi.ts";
import type { Outcome } from "../../../../../runtime/model/outcome.ts";

/** Where things are put in the guest's two pages of memory. */
export const AT = {
  result: 64,
  list: 1024,
  path: 12_288,
  path2: 20_480,
  data: 32_768,
  end: 131_072,
} as const;
/** All rights, as a program asks for that does not care. */
export const ALL_RIGHTS = 0x3fff_ffffn;
export const READ_RIGHT = 2n;
export const WRITE_RIGHT = 64n;
/** Open flags of preview1. */
export const OPEN = { creat: 1, directory: 2, excl: 4, trunc: 8 } as const;
/** The root directory's descriptor. */
export const ROOT = 3;

export interface WasiGuestOptions {
  readonly input?: string;
  readonly args?: readonly string[];
  readonly environment?: readonly string[];
  readonly fileBytesMax?: number;
  readonly outputBytesMax?: number;
  readonly deadlineRemainingMs?: () => number;
  readonly writeLog?: () => void;
  /** Called at each checkpoint; what it answers is what the function under test waits for. */
  readonly checkpoint?: (isOffered: boolean) => Promise<void> | undefined;
}

export interface LogCall {
  readonly source: string;
  readonly level: string;
  readonly text: string;
}

type AnyFunction = (...args: (number | bigint)[]) => unknown;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class WasiGuest {
  memory = new WebAssembly.Memory({ initial: 2, maximum: 64 });
  readonly log: LogCall[] = [];
  readonly outputs: string[] = [];
  stopped: Outcome | undefined;
  readonly #functions: Record<string, AnyFunction>;
  readonly #startedAtMs = performance.now();
  #sleptMs = 0;

  constructor(options: WasiGuestOptions = {}) {
    const outputBytesMax = options.outputBytesMax ?? Infinity;
    let outputBytes = 0;
    const context: GuestContext = {
      input: encoder.encode(options.input ?? ""),
      args: options.args ?? [],
      environment: options.environment ?? [],
      fileBytesMax: options.fileBytesMax ?? 1_000_000,
      chunkBytesMax: 0,
      deadlineRemainingMs: options.deadlineRemainingMs ?? (() => 30_000),
      memory: () => this.memory,
      gpu: () => undefined,
      isStream: false,
      rejectChunk: () => {},
      writeOutput: (bytes) => {
        outputBytes += bytes.length;
        if (outputBytes > outputBytesMax) {
          context.stop({
            type: "exhausted",
            limit: "output_bytes",
            max: outputBytesMax,
            actual: outputBytes,
          });
        }
        this.outputs.push(decoder.decode(bytes));
        return undefined;
      },
      setContentType: () => false,
      writeLog: (source, level, bytes) => {
        options.writeLog?.();
        this.log.push({ source, level, text: decoder.decode(bytes) });
      },
      addSpanEvent: () => {},
      checkpoint: options.checkpoint ?? (() => undefined),
      rest: () => undefined,
      sleep: async (durationMs) => {
        const remainingMs = context.deadlineRemainingMs();
        const sleptMs = Math.max(0, Math.min(durationMs, remainingMs));
        this.#sleptMs += sleptMs;
        await new Promise((resolve) => setTimeout(resolve, sleptMs));
        if (durationMs < remainingMs) return;
        context.stop({ type: "exhausted", limit: "deadline_ms", max: 1, actual: 1 });
      },
      cpuMs: () => performance.now() - this.#startedAtMs - this.#sleptMs,
      stop: (outcome) => {
        this.stopped ??= outcome;
        throw new GuestStop(outcome);
      },
    };
    this.#functions = wasiModule.open(context, WASI_FUNCTION_NAMES) as unknown as Record<string, AnyFunction>;
  }

  /** Runs a program's `_start` on these functions, with the program's own memory; how it ended. */
  async runProgram(bytes: BufferSource): Promise<Outcome> {
    const functions: WebAssembly.ModuleImports = { ...this.#functions };
    for (const name of wasiModule.suspending ?? []) functions[name] = suspendable(functions[name]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      wasi_snapshot_preview1: functions,
    });
    const { memory, _start } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory) || typeof _start !== "function") {
      throw new Error("Not a WASI command");
    }
    this.memory = memory;
    try {
      await promising(_start)();
      return { type: "returned", values: [] };
    } catch (error) {
      if (error instanceof GuestStop) return error.outcome;
      throw error;
    }
  }

  /** All output so far, as text. */
  get output(): string {
    return this.outputs.join("");
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  /** Calls a function that answers at once and returns its error number. */
  call(name: string, ...args: (number | bigint)[]): number {
    const errno = this.#call(name, args);
    if (typeof errno !== "number") throw new Error(`${name} answers later: use callSuspending`);
    return errno;
  }

  /** Calls a function and returns its error number, whenever it comes. */
  async callSuspending(name: string, ...args: (number | bigint)[]): Promise<number> {
    return await this.#call(name, args);
  }

  #call(name: string, args: (number | bigint)[]): number | Promise<number> {
    const run = this.#functions[name];
    if (run === undefined) throw new Error(`No function ${name}`);
    return run(...args) as number | Promise<number>;
  }

  /** Puts text in memory; returns pointer and length, ready to be spread into a call. */
  put(text: string, at: number = AT.path): [number, number] {
    const bytes = encoder.encode(text);
    this.bytes.set(bytes, at);
    return [at, bytes.length];
  }

  text(at: number, length: number): string {
    return decoder.decode(this.bytes.slice(at, at + length));
  }

  u32(at: number = AT.result): number {
    return this.view.getUint32(at, true);
  }

  u64(at: number = AT.result): bigint {
    return this.view.getBigUint64(at, true);
  }

  /** Writes a scatter/gather list of [pointer, length] pairs; returns pointer and count. */
  list(...parts: readonly (readonly [number, number])[]): [number, number] {
    parts.forEach(([pointer, length], index) => {
      this.view.setUint32(AT.list + index * 8, pointer, true);
      this.view.setUint32(AT.list + index * 8 + 4, length, true);
    });
    return [AT.list, parts.length];
  }

  /** `path_open` beneath the root, or beneath `fd`; the error number. The descriptor is then `u32()`. */
  tryOpen(
    path: string,
    options: {
      fd?: number;
      flags?: number;
      rights?: bigint;
      fdFlags?: number;
      follow?: boolean;
    } = {},
  ): number {
    const { fd = ROOT, flags = 0, rights = READ_RIGHT, fdFlags = 0, follow = true } = options;
    const [pointer, length] = this.put(path);
    return this.call(
      "path_open",
      fd,
      follow ? 1 : 0,
      pointer,
      length,
      flags,
      rights,
      ALL_RIGHTS,
      fdFlags,
      AT.result,
    );
  }

  /** Like tryOpen, but must succeed; the descriptor. */
  open(path: string, options: Parameters<WasiGuest["tryOpen"]>[1] = {}): number {
    const errno = this.tryOpen(path, options);
    if (errno !== 0) throw new Error(`path_open ${path}: errno ${errno}`);
    return this.u32();
  }

  /** Makes or opens a file for reading and writing. */
  create(path: string): number {
    return this.open(path, { flags: OPEN.creat, rights: READ_RIGHT | WRITE_RIGHT });
  }

  write(fd: number, text: string): number {
    return this.call("fd_write", fd, ...this.list(this.put(text, AT.data)), AT.result);
  }

  /** Reads up to `length` bytes; the text. */
  read(fd: number, length = 1000): string {
    const errno = this.call("fd_read", fd, ...this.list([AT.data, length]), AT.result);
    if (errno !== 0) throw new Error(`fd_read: errno ${errno}`);
    return this.text(AT.data, this.u32());
  }

  seek(fd: number, offset: bigint, whence = 0): number {
    return this.call("fd_seek", fd, offset, whence, AT.result);
  }

  mkdir(path: string, fd: number = ROOT): number {
    return this.call("path_create_directory", fd, ...this.put(path));
  }

  unlink(path: string): number {
    return this.call("path_unlink_file", ROOT, ...this.put(path));
  }

  rmdir(path: string): number {
    return this.call("path_remove_directory", ROOT, ...this.put(path));
  }

  rename(from: string, to: string): number {
    return this.call("path_rename", ROOT, ...this.put(from), ROOT, ...this.put(to, AT.path2));
  }

  symlink(target: string, path: string): number {
    return this.call("path_symlink", ...this.put(target), ROOT, ...this.put(path, AT.path2));
  }

  link(from: string, to: string, follow = false): number {
    return this.call("path_link", ROOT, follow ? 1 : 0, ...this.put(from), ROOT, ...this.put(to, AT.path2));
  }

  /** `path_filestat_get`; the error number, and the fields are then those of `filestat()`. */
  stat(path: string, follow = true): number {
    return this.call("path_filestat_get", ROOT, follow ? 1 : 0, ...this.put(path), AT.result);
  }

  /** Decodes the `$filestat` that the last call left. */
  filestat(): Record<"dev" | "ino" | "type" | "nlink" | "size" | "atim" | "mtim" | "ctim", bigint> {
    const field = (offset: number): bigint => this.u64(AT.result + offset);
    return {
      dev: field(0),
      ino: field(8),
      type: field(16),
      nlink: field(24),
      size: field(32),
      atim: field(40),
      mtim: field(48),
      ctim: field(56),
    };
  }
}
