/**
 * KernelRunner: runs the launches of one context.
 *
 * Owns the arenas, the question of a running kernel to the pacer, the account of its fuel and what the device
 * prints. A launch that is worth it is shared with the device's helpers. Invariant: a launch always ends in a
 * value: nothing, or the error that its kernel made; by then no helper is in it any more.
 */
import { DEVICE_BASE } from "../ptx/kernel_interface.ts";
import type { ContextOptions, KernelLaunch } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { RECORD } from "../ptx/launch_record.ts";
import { Arena } from "./arena.ts";
import type { ArenaSizes } from "./arena.ts";
import { closeLaunch, makeControlWords, openLaunch, takeFuel, WORD } from "./control_words.ts";
import type { Crew } from "./crew.ts";
import { ofHelperTrap, toKernelError } from "./fault.ts";
import type { FaultyCode } from "./fault.ts";
import { promising, suspending } from "./jspi.ts";
import type { DeviceMemory } from "./memory.ts";
import type { CpuModule, KernelImports, KernelInstance } from "./module.ts";
import { formatPrintf } from "./printf.ts";

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
/** How often helpers' fuel is booked while the owner has nothing to do but wait. */
const BOOKING_MS = 10;

/** What a runner needs of its device. */
export interface RunnerDevice {
  readonly crew: Crew | undefined;
}

let contextCount = 0;

/** Runs kernels on the caller's thread, and on helpers. */
export class KernelRunner implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #options: ContextOptions;
  readonly #device: RunnerDevice;
  readonly #arena: Arena;
  readonly #helperArenas: Arena[] = [];
  readonly #imports: KernelImports;
  readonly #entries = new WeakMap<KernelInstance, (record: bigint) => Promise<unknown>>();
  readonly #variants = new Map<KernelInstance, number>();
  readonly #usPerBlock = new Map<KernelInstance, number>();
  readonly #context = ++contextCount;
  readonly #control: Int32Array<SharedArrayBuffer> | undefined;
  #counter: number | undefined;
  /** Settles when the launch that runs has ended. */
  #running: Promise<void> | undefined;
  #launch = 0;

  constructor(memory: DeviceMemory, options: ContextOptions, device: RunnerDevice) {
    this.#memory = memory;
    this.#options = options;
    this.#device = device;
    this.#control = device.crew === undefined ? undefined : makeControlWords();
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
    const counter = this.#counter ??= this.#memory.allocate(COUNTER_BYTES, false);
    const control = this.#control;
    const blocks = grid.x * grid.y * grid.z;
    const crew = this.#crewFor(instance, blocks);
    const sizes = sizesOf(launch, instance);
    // Room first: making it may move nothing, but grows the memory, and views are of one size.
    this.#arena.reserve(sizes);
    for (let index = 0; index < (crew?.size ?? 0); index++) {
      (this.#helperArenas[index] ??= new Arena(this.#memory)).reserve(sizes);
    }
    const words = {
      ...sizes,
      grid,
      params: launch.params,
      counter: BigInt(counter),
      chunk: crew === undefined ? 1 : this.#chunkOf(instance, blocks, crew.size + 1),
      fuel: Math.min(fuel, GRANT_MAX),
    };
    const record = this.#arena.write(words);
    this.#memory.bytes.fill(0, counter, counter + COUNTER_BYTES);
    const helperRecords: number[] = [];
    if (control !== undefined) {
      this.#launch = openLaunch(control, this.#launch);
      for (let index = 0; index < (crew?.size ?? 0); index++) {
        const place = this.#helperArenas[index]?.write(words);
        if (place === undefined) continue;
        helperRecords.push(place);
        crew?.invite(index, {
          context: this.#context,
          variant: this.#variantOf(instance),
          module: instance.code.module,
          memory: this.#memory.memory,
          imageBase: module.imageBase,
          control,
          launch: this.#launch,
        }, place);
      }
    }
    const { lines } = instance.code;
    const code: FaultyCode = { kernel: kernel.name, lines, places: module.program.linked.source.places };
    const startMs = performance.now();
    let failure: GpuError | undefined;
    try {
      await this.#entry(instance)(BigInt(record));
      this.#charge(record);
    } catch (error) {
      failure = toKernelError(error, this.#memory.bytes, record, code);
      if (control !== undefined) Atomics.store(control, WORD.isStopped, 1);
    }
    if (crew !== undefined && control !== undefined) {
      failure = await this.#await(control, helperRecords, code, failure);
    }
    this.#usPerBlock.set(instance, (performance.now() - startMs) * 1000 / blocks);
    return failure;
  }

  [Symbol.dispose](): void {
    this.#device.crew?.forget(this.#context);
  }

  #variantOf(instance: KernelInstance): number {
    const known = this.#variants.get(instance);
    if (known !== undefined) return known;
    this.#variants.set(instance, this.#variants.size);
    return this.#variants.size - 1;
  }

  /** The helpers, if the launch is long enough to be shared and what it prints need not be in order. */
  #crewFor(instance: KernelInstance, blocks: number): Crew | undefined {
    const { crew } = this.#device;
    if (crew === undefined || blocks < 2 || instance.code.prints) return undefined;
    const expectedUs = blocks * this.#usOfBlock(instance);
    return expectedUs < SHARED_US_MIN ? undefined : crew;
  }

  /**
   * Blocks to take at a time: so many that the counter, which all threads write, is no matter; so few that all
   * end at about the same time.
   */
  #chunkOf(instance: KernelInstance, blocks: number, threads: number): number {
    const wanted = CHUNK_US / Math.max(this.#usOfBlock(instance), 0.01);
    return Math.max(1, Math.floor(Math.min(wanted, blocks / (threads * CHUNKS_MIN))));
  }

  /** As measured, or a guess before the first time. */
  #usOfBlock(instance: KernelInstance): number {
    return this.#usPerBlock.get(instance) ?? instance.code.instructionsPerBlock * INSTRUCTION_NS / 1000;
  }

  #tick(fuel: number): number | Promise<number> {
    const control = this.#control;
    // A helper that failed stops everybody.
    if (control !== undefined && Atomics.load(control, WORD.isStopped) !== 0) return -1;
    const used = control === undefined ? fuel : fuel + takeFuel(control);
    const granted = this.#options.pacer.tick(used);
    return typeof granted === "number"
      ? Math.min(granted, GRANT_MAX)
      : granted.then((value) => Math.min(value, GRANT_MAX));
  }

  /** Waits for those helpers that have joined, and stops them when the pacer says so. */
  async #await(
    control: Int32Array,
    records: readonly number[],
    code: FaultyCode,
    own: GpuError | undefined,
  ): Promise<GpuError | undefined> {
    const { pacer } = this.#options;
    const joined = closeLaunch(control);
    for (;;) {
      const ended = Atomics.load(control, WORD.ended);
      if (ended >= joined) break;
      const woken = waitAsync(control, WORD.ended, ended, BOOKING_MS);
      if (woken !== undefined) await pacer.wait(woken);
      const verdict = await pacer.tick(takeFuel(control));
      if (verdict < 0) Atomics.store(control, WORD.isStopped, 1);
    }
    const fuel = takeFuel(control);
    if (fuel > 0) pacer.charge(fuel);
    if (Atomics.load(control, WORD.isStopped) === 0) return own;
    return this.#firstFailure(control, records, code, own);
  }

  /** Who failed first made the others stop: their own error is a time-out that is none. */
  #firstFailure(
    control: Int32Array,
    records: readonly number[],
    code: FaultyCode,
    own: GpuError | undefined,
  ): GpuError | undefined {
    if (own !== undefined && own.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return own;
    const trap = Atomics.load(control, WORD.trap);
    if (trap !== 0) return ofHelperTrap(trap, Atomics.load(control, WORD.trapOffset), code);
    for (const record of records) {
      const { bytes } = this.#memory;
      if (new DataView(bytes.buffer).getInt32(record + RECORD.fault, true) === 0) continue;
      const error = toKernelError(undefined, bytes, record, code);
      if (error.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return error;
    }
    return own ?? new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${code.kernel} was stopped`);
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

/** Resolves when a word is woken or differs, or after a time; undefined if it differs already. */
function waitAsync(
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
): Promise<unknown> | undefined {
  const result = (Atomics as unknown as {
    waitAsync(words: Int32Array, index: number, value: number, timeout: number): {
      readonly async: boolean;
      readonly value: unknown;
    };
  }).waitAsync(words, index, value, timeoutMs);
  return result.async ? result.value as Promise<unknown> : undefined;
}

/** Whether every 64-bit parameter is a multiple of 16, as addresses of allocations are. */
function arePointersAligned({ kernel, params }: KernelLaunch): boolean {
  const view = new DataView(params.buffer, params.byteOffset, params.byteLength);
  return kernel.params.every(({ offset, byteLength }) =>
    byteLength !== 8 || view.getBigUint64(offset, true) % POINTER_ALIGNMENT === 0n
  );
}
