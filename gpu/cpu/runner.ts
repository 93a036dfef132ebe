/**
 * KernelRunner: runs the launches of one context.
 *
 * Owns its arena, the question of a running kernel to the pacer, the account of its fuel, what the device prints,
 * and which launches are worth sharing with the device's helpers (shared_launches.ts). Invariant: a launch always
 * ends in a value: nothing, or the error that its kernel made; by then no helper is in it any more.
 */
import { DEVICE_BASE } from "../ptx/kernel_interface.ts";
import type { ContextOptions, KernelLaunch } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { RECORD } from "../ptx/launch_record.ts";
import { Arena } from "./arena.ts";
import type { ArenaSizes, LaunchWords } from "./arena.ts";
import type { Crew } from "./crew.ts";
import { toKernelError } from "./fault.ts";
import { promising, suspending } from "./jspi.ts";
import type { DeviceMemory } from "./memory.ts";
import type { CpuModule, KernelImports, KernelInstance } from "./module.ts";
import { formatPrintf } from "./printf.ts";
import { SharedLaunches } from "./shared_launches.ts";

/** Parameters that are addresses are expected to be multiples of this. */
const POINTER_ALIGNMENT = 16n;
/** A launch that is expected to take less is not shared: telling a helper takes some 50 µs. */
const SHARED_US_MIN = 150;
/** What an instruction of a thread takes, for a first guess before anything was measured. */
const INSTRUCTION_NS = 1;
/** Most fuel that a kernel is given at a time: what it lacks and has must fit a word. */
const GRANT_MAX = 1_000_000_000;
/** Bytes for the counter of blocks. */
const COUNTER_BYTES = 8;
/** What a worker takes from the counter at a time lasts about so long; each gets at least so many pieces. */
const CHUNK_US = 50;
const CHUNKS_MIN = 8;

/** What a runner needs of its device. */
export interface RunnerDevice {
  readonly crew: Crew | undefined;
}

/** Runs kernels on the caller's thread, and on helpers. */
export class KernelRunner implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #options: ContextOptions;
  readonly #crew: Crew | undefined;
  /** Where there are helpers. */
  readonly #shared: SharedLaunches | undefined;
  readonly #arena: Arena;
  readonly #imports: KernelImports;
  readonly #entries = new WeakMap<KernelInstance, (record: bigint) => Promise<unknown>>();
  readonly #usPerBlock = new Map<KernelInstance, number>();
  #counter: number | undefined;
  /** Settles when the launch that runs has ended. */
  #running: Promise<void> | undefined;

  constructor(memory: DeviceMemory, options: ContextOptions, { crew }: RunnerDevice) {
    this.#memory = memory;
    this.#options = options;
    this.#crew = crew;
    this.#shared = crew === undefined ? undefined : new SharedLaunches(memory, options.pacer, crew);
    this.#arena = new Arena(memory);
    this.#imports = {
      tick: suspending((fuel) => this.#tick(fuel)),
      print: (format, args) => this.#print(format, args),
      clock: () => BigInt(Math.round(performance.now() * 1e6)),
    };
  }

  /** One launch after the other: they share the arenas. @returns what the kernel did wrong */
  async run(module: CpuModule, launch: KernelLaunch): Promise<GpuError | undefined> {
    const own = { ...launch, params: launch.params.slice() };
    while (this.#running !== undefined) await this.#running;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      return await this.#runAlone(module, own);
    } finally {
      this.#running = undefined;
      resolve();
    }
  }

  async #runAlone(module: CpuModule, launch: KernelLaunch): Promise<GpuError | undefined> {
    const { kernel, block, grid } = launch;
    const instance = await module.instance(kernel.name, {
      block,
      areParamsAligned: arePointersAligned(launch),
    }, this.#imports);
    const fuel = await this.#options.pacer.tick(0);
    if (fuel < 0) return new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${kernel.name} was not begun`);
    const blocks = grid.x * grid.y * grid.z;
    const shared = this.#isWorthSharing(instance, blocks) ? this.#shared : undefined;
    const words = this.#prepare(launch, instance, blocks, fuel, shared);
    const record = this.#arena.write(words);
    this.#shared?.open();
    shared?.invite(module, instance, words);
    const { lines } = instance.code;
    const code = { kernel: kernel.name, lines, places: module.program.linked.source.places };
    const startMs = performance.now();
    let failure: GpuError | undefined;
    try {
      await this.#entry(instance)(BigInt(record));
      this.#charge(record);
    } catch (error) {
      failure = toKernelError(error, this.#memory.bytes, record, code);
      this.#shared?.stop();
    }
    if (shared !== undefined) failure = await shared.settle(code, failure);
    this.#usPerBlock.set(instance, (performance.now() - startMs) * 1000 / blocks);
    return failure;
  }

  /** Makes room in the arenas of all who will take part; what the launch records say. */
  #prepare(
    launch: KernelLaunch,
    instance: KernelInstance,
    blocks: number,
    fuel: number,
    shared: SharedLaunches | undefined,
  ): LaunchWords {
    const counter = this.#counter ??= this.#memory.allocate(COUNTER_BYTES, false);
    const sizes = sizesOf(launch, instance);
    // Room first: making it may move nothing, but grows the memory, and views are of one size.
    this.#arena.reserve(sizes);
    shared?.reserve(sizes);
    this.#memory.bytes.fill(0, counter, counter + COUNTER_BYTES);
    return {
      ...sizes,
      grid: launch.grid,
      params: launch.params,
      counter: BigInt(counter),
      chunk: shared === undefined ? 1 : this.#chunkOf(instance, blocks),
      fuel: Math.min(fuel, GRANT_MAX),
    };
  }

  [Symbol.dispose](): void {
    this.#shared?.[Symbol.dispose]();
  }

  /** A launch that is long enough, if what it prints need not be in order. */
  #isWorthSharing(instance: KernelInstance, blocks: number): boolean {
    if (blocks < 2 || instance.code.prints) return false;
    return blocks * this.#usOfBlock(instance) >= SHARED_US_MIN;
  }

  /**
   * Blocks to take at a time: so many that the counter, which all threads write, is no matter; so few that all
   * end at about the same time.
   */
  #chunkOf(instance: KernelInstance, blocks: number): number {
    const threads = (this.#crew?.size ?? 0) + 1;
    const wanted = CHUNK_US / Math.max(this.#usOfBlock(instance), 0.01);
    return Math.max(1, Math.floor(Math.min(wanted, blocks / (threads * CHUNKS_MIN))));
  }

  /** As measured, or a guess before the first time. */
  #usOfBlock(instance: KernelInstance): number {
    return this.#usPerBlock.get(instance) ?? instance.code.instructionsPerBlock * INSTRUCTION_NS / 1000;
  }

  #tick(fuel: number): number | Promise<number> {
    const shared = this.#shared;
    // A helper that failed stops everybody.
    if (shared?.isStopped === true) return -1;
    const granted = this.#options.pacer.tick(fuel + (shared?.takeFuel() ?? 0));
    return typeof granted === "number"
      ? Math.min(granted, GRANT_MAX)
      : granted.then((value) => Math.min(value, GRANT_MAX));
  }

  #entry(instance: KernelInstance): (record: bigint) => Promise<unknown> {
    const known = this.#entries.get(instance);
    if (known !== undefined) return known;
    const made = promising(instance.run);
    this.#entries.set(instance, made);
    return made;
  }

  /** Books what was used since the kernel asked last. */
  #charge(record: number): void {
    const view = new DataView(this.#memory.bytes.buffer);
    const used = view.getInt32(record + RECORD.fuelGranted, true) -
      view.getInt32(record + RECORD.fuelLeft, true);
    // A kernel can write to the record: what it says is believed within reason.
    if (used > 0) this.#options.pacer.charge(Math.min(used, GRANT_MAX));
  }

  #print(format: bigint, args: bigint): void {
    const read = (pointer: bigint, byteLength: number): Uint8Array => {
      const offset = Number(BigInt.asUintN(64, pointer) - DEVICE_BASE);
      const { bytes } = this.#memory;
      if (offset < 0 || offset >= bytes.length) return new Uint8Array(0);
      // Copied: text decoders do not take shared memory.
      return bytes.slice(offset, Math.min(bytes.length, offset + byteLength));
    };
    this.#options.print(formatPrintf(read, format, args));
  }
}

function sizesOf({ kernel, sharedBytes }: KernelLaunch, { code }: KernelInstance): ArenaSizes {
  return {
    paramBytes: kernel.paramBytes,
    sharedBytes: kernel.sharedBytes + sharedBytes,
    saveBytes: code.saveBytes,
    localBytes: code.localBytes,
  };
}

/** Whether every 64-bit parameter is a multiple of 16, as addresses of allocations are. */
function arePointersAligned({ kernel, params }: KernelLaunch): boolean {
  const view = new DataView(params.buffer, params.byteOffset, params.byteLength);
  return kernel.params.every(({ offset, byteLength }) =>
    byteLength !== 8 || view.getBigUint64(offset, true) % POINTER_ALIGNMENT === 0n
  );
}
