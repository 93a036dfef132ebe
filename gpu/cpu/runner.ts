/**
 * KernelRunner: runs the launches of one context.
 *
 * Owns the arenas, the question of a running kernel to the pacer, the account of its fuel and what the device
 * prints. A launch that is worth it is shared with the device's helpers. Invariant: a launch always ends in a
 * value: nothing, or the error that its kernel made; by then no helper is in it any more.
 */
import type { ContextOptions, KernelLaunch } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { DEVICE_BASE } from "../ptx/emitter.ts";
import { RECORD } from "../ptx/launch_record.ts";
import { Arena } from "./arena.ts";
import type { ArenaSizes } from "./arena.ts";
import { closeLaunch, CONTROL_BYTES, openLaunch, takeFuel, WORD } from "./control_words.ts";
import type { Crew } from "./crew.ts";
import { toKernelError } from "./fault.ts";
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
  #control: number | undefined;
  #launch = 0;

  constructor(memory: DeviceMemory, options: ContextOptions, device: RunnerDevice) {
    this.#memory = memory;
    this.#options = options;
    this.#device = device;
    this.#arena = new Arena(memory);
    this.#imports = {
      tick: suspending((fuel) => this.#tick(fuel)),
      print: (format, args) => this.#print(format, args),
      clock: () => BigInt(Math.round(performance.now() * 1e6)),
    };
  }

  /** @returns what the kernel did wrong */
  async run(module: CpuModule, launch: KernelLaunch): Promise<GpuError | undefined> {
    const { kernel, block, grid } = launch;
    const instance = module.instance(kernel.name, {
      block,
      areParamsAligned: arePointersAligned(launch),
    }, this.#imports);
    const fuel = await this.#options.pacer.tick(0);
    if (fuel < 0) return new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${kernel.name} was not begun`);
    const control = this.#control ??= this.#memory.allocate(CONTROL_BYTES, false);
    const blocks = grid.x * grid.y * grid.z;
    const crew = this.#crewFor(instance, blocks);
    const sizes = sizesOf(launch, instance);
    // Room first: making it may move nothing, but grows the memory, and views are of one size.
    this.#arena.reserve(sizes);
    for (let index = 0; index < (crew?.size ?? 0); index++) {
      (this.#helperArenas[index] ??= new Arena(this.#memory)).reserve(sizes);
    }
    const words = { ...sizes, grid, params: launch.params, counter: BigInt(control), fuel };
    const record = this.#arena.write(words);
    this.#launch = openLaunch(this.#words(), control / 4, this.#launch);
    const helperRecords = crew === undefined ? [] : this.#helperArenas.map((arena) => arena.write(words));
    helperRecords.forEach((place, index) =>
      crew?.invite(index, {
        context: this.#context,
        variant: this.#variantOf(instance),
        module: instance.code.module,
        memory: this.#memory.memory,
        imageBase: module.imageBase,
        controlWord: control / 4,
        launch: this.#launch,
      }, place)
    );
    const startMs = performance.now();
    let failure: GpuError | undefined;
    try {
      await this.#entry(instance)(BigInt(record));
      this.#charge(record);
    } catch (error) {
      failure = toKernelError(error, this.#memory.bytes, record, kernel.name);
      Atomics.store(this.#words(), control / 4 + WORD.isStopped, 1);
    }
    if (crew !== undefined) failure = await this.#await(crew, helperRecords, kernel.name, failure);
    this.#usPerBlock.set(instance, (performance.now() - startMs) * 1000 / blocks);
    return failure;
  }

  [Symbol.dispose](): void {
    this.#device.crew?.forget(this.#context);
  }

  #words(): Int32Array {
    return new Int32Array(this.#memory.bytes.buffer);
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
    const guessed = instance.code.instructionsPerBlock * INSTRUCTION_NS / 1000;
    const expectedUs = blocks * (this.#usPerBlock.get(instance) ?? guessed);
    return expectedUs < SHARED_US_MIN ? undefined : crew;
  }

  #tick(fuel: number): number | Promise<number> {
    if (this.#control === undefined || this.#device.crew === undefined) return this.#options.pacer.tick(fuel);
    const words = this.#words();
    // A helper that failed stops everybody.
    if (Atomics.load(words, this.#control / 4 + WORD.isStopped) !== 0) return -1;
    return this.#options.pacer.tick(fuel + takeFuel(words, this.#control / 4));
  }

  /** Waits for those helpers that have joined, and stops them when the pacer says so. */
  async #await(
    crew: Crew,
    records: readonly number[],
    kernel: string,
    own: GpuError | undefined,
  ): Promise<GpuError | undefined> {
    const { pacer } = this.#options;
    const base = (this.#control ?? 0) / 4;
    const words = this.#words();
    const joined = closeLaunch(words, base);
    for (;;) {
      const ended = Atomics.load(words, base + WORD.ended);
      if (ended >= joined) break;
      const woken = waitAsync(words, base + WORD.ended, ended, BOOKING_MS);
      if (woken !== undefined) await pacer.wait(woken);
      const verdict = await pacer.tick(takeFuel(words, base));
      if (verdict < 0) Atomics.store(words, base + WORD.isStopped, 1);
    }
    const fuel = takeFuel(words, base);
    if (fuel > 0) pacer.charge(fuel);
    if (Atomics.load(words, base + WORD.isStopped) === 0) return own;
    const message = crew.takeMessage(this.#launch);
    return this.#firstFailure(records, kernel, own, message);
  }

  /** Who failed first made the others stop: their own error is a time-out that is none. */
  #firstFailure(
    records: readonly number[],
    kernel: string,
    own: GpuError | undefined,
    message: string | undefined,
  ): GpuError | undefined {
    if (own !== undefined && own.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return own;
    for (const record of records) {
      const { bytes } = this.#memory;
      const code = new DataView(bytes.buffer).getInt32(record + RECORD.fault, true);
      if (code !== 0) {
        const error = toKernelError(undefined, bytes, record, kernel);
        if (error.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return error;
      } else if (message !== undefined) return toKernelError(new Error(message), bytes, record, kernel);
    }
    return own ?? new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${kernel} was stopped`);
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
    if (used > 0) this.#options.pacer.charge(used);
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
