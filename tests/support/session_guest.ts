/**
 * A guest of a GpuSession for tests: a memory to write to and the session's functions, without WebAssembly code.
 *
 * Owns the scratch areas in its memory and the records that the session makes. Invariant: the session under test
 * is the real one; only the device may be a fake.
 */
import { DEFAULT_GPU_LIMITS, GpuSession } from "../../gpu/mod.ts";
import type {
  GpuDevice,
  GpuLimits,
  LaunchRecord,
  LoadRecord,
  OperationRecord,
  Pacer,
} from "../../gpu/mod.ts";
import { encodeArgs } from "./gpu_args.ts";
import type { ArgRecord } from "./gpu_args.ts";

/** Where texts and arguments are put; tests have the memory from `data` on. */
export const AT = { entry: 0, args: 1024, text: 16_384, data: 65_536 } as const;

const PAGE_BYTES = 65_536;

/** What a test wants to be different. */
export interface SessionGuestOptions {
  readonly limits?: Partial<GpuLimits>;
  readonly pages?: number;
  readonly pacer?: Partial<Pacer>;
  readonly hasRoom?: (byteLength: number) => boolean;
}

/** Extents of a launch, and what else it has. */
export interface LaunchOptions {
  readonly grid?: readonly [number, number, number];
  readonly block?: readonly [number, number, number];
  readonly sharedBytes?: number;
  readonly stream?: bigint;
  readonly mayHaveArgs?: boolean;
}

/** The guest. */
export class SessionGuest implements Disposable {
  memory: WebAssembly.Memory | undefined;
  readonly session: GpuSession;
  readonly loads: LoadRecord[] = [];
  readonly launches: LaunchRecord[] = [];
  readonly syncs: OperationRecord[] = [];
  readonly printed: string[] = [];
  /** Fuel that was charged. */
  fuel = 0;

  constructor(device: GpuDevice, { limits = {}, pages = 4, pacer = {}, hasRoom }: SessionGuestOptions = {}) {
    this.memory = new WebAssembly.Memory({ initial: pages });
    this.session = new GpuSession({
      device,
      limits: { ...DEFAULT_GPU_LIMITS, ...limits },
      memory: () => this.memory,
      pacer: {
        tick: (fuel) => {
          this.fuel += fuel;
          return 1_000_000;
        },
        charge: (fuel) => void (this.fuel += fuel),
        wait: async (promise) => void await promise.catch(() => {}),
        ...pacer,
      },
      print: (text) => void this.printed.push(text),
      observer: {
        loaded: (load) => void this.loads.push(load),
        launched: (launch) => void this.launches.push(launch),
        synchronized: (sync) => void this.syncs.push(sync),
      },
      ...(hasRoom === undefined ? {} : { hasRoom }),
    });
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory?.buffer as ArrayBuffer ?? new ArrayBuffer(0));
  }

  get view(): DataView {
    return new DataView(this.bytes.buffer);
  }

  /** Puts bytes into memory, growing it where they do not fit. */
  put(at: number, source: Uint8Array | string): readonly [pointer: number, length: number] {
    const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
    const missing = at + bytes.length - this.bytes.length;
    if (missing > 0) this.memory?.grow(Math.ceil(missing / PAGE_BYTES));
    this.bytes.set(bytes, at);
    return [at, bytes.length];
  }

  /** Loads PTX: the kernel's id or a code. */
  async load(ptx: string | Uint8Array, entry: string | Uint8Array): Promise<bigint> {
    return await this.session.loadPtx(...this.put(AT.text, ptx), ...this.put(AT.entry, entry));
  }

  /** Loads PTX that must load. */
  async kernel(ptx: string, entry: string): Promise<bigint> {
    const id = await this.load(ptx, entry);
    if (id < 0n) throw new Error(`load_ptx answered ${id}: ${this.lastError}`);
    return id;
  }

  /** Launches; the code. */
  async launch(kernel: bigint, args: readonly ArgRecord[], options: LaunchOptions = {}): Promise<number> {
    return await this.launchRaw(kernel, encodeArgs(...args), options);
  }

  /** Launches with whatever bytes as argument records. */
  async launchRaw(kernel: bigint, args: Uint8Array, options: LaunchOptions = {}): Promise<number> {
    const { grid = [1, 1, 1], block = [1, 1, 1], sharedBytes = 0, stream = 0n, mayHaveArgs = true } = options;
    const [argsPointer, argsLength] = this.put(AT.args, args);
    return await this.session.launch({
      kernel,
      grid: { x: grid[0], y: grid[1], z: grid[2] },
      block: { x: block[0], y: block[1], z: block[2] },
      sharedBytes,
      stream,
      argsPointer,
      argsLength,
      mayHaveArgs,
    });
  }

  async sync(): Promise<number> {
    return await this.session.synchronize();
  }

  /** The text of the last error. */
  get lastError(): string {
    const length = this.session.lastErrorLength();
    const at = this.bytes.length - length;
    const kept = this.bytes.slice(at);
    this.session.copyLastError(at, length);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(this.bytes.slice(at));
    this.bytes.set(kept, at);
    return text;
  }

  [Symbol.dispose](): void {
    this.session[Symbol.dispose]();
  }
}
