/**
 * KernelRunner: runs the launches of one context.
 *
 * Owns the arena, the question of a running kernel to the pacer, the account of its fuel and what the device
 * prints. Invariant: a launch always ends in a value: nothing, or the error that its kernel made.
 */
import type { ContextOptions, KernelLaunch } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { DEVICE_BASE } from "../ptx/emitter.ts";
import { RECORD } from "../ptx/launch_record.ts";
import { Arena } from "./arena.ts";
import { toKernelError } from "./fault.ts";
import { promising, suspending } from "./jspi.ts";
import type { DeviceMemory } from "./memory.ts";
import type { CpuModule, KernelImports, KernelInstance } from "./module.ts";
import { formatPrintf } from "./printf.ts";

/** Parameters that are addresses are expected to be multiples of this. */
const POINTER_ALIGNMENT = 16n;

/** Runs kernels on the caller's thread. */
export class KernelRunner {
  readonly #memory: DeviceMemory;
  readonly #options: ContextOptions;
  readonly #isFused: boolean;
  readonly #arena: Arena;
  readonly #imports: KernelImports;
  readonly #entries = new WeakMap<KernelInstance, (record: bigint) => Promise<unknown>>();
  #counter: number | undefined;

  constructor(memory: DeviceMemory, options: ContextOptions, isFused: boolean) {
    this.#memory = memory;
    this.#options = options;
    this.#isFused = isFused;
    this.#arena = new Arena(memory);
    this.#imports = {
      tick: suspending((fuel) => options.pacer.tick(fuel)),
      print: (format, args) => this.#print(format, args),
      clock: () => BigInt(Math.round(performance.now() * 1e6)),
    };
  }

  /** @returns what the kernel did wrong */
  async run(module: CpuModule, launch: KernelLaunch): Promise<GpuError | undefined> {
    const { kernel, block, sharedBytes, params, grid } = launch;
    const { pacer } = this.#options;
    const instance = module.instance(kernel.name, {
      block,
      isShared: false,
      isFused: this.#isFused,
      areParamsAligned: arePointersAligned(launch),
    }, this.#imports);
    const fuel = await pacer.tick(0);
    if (fuel < 0) return new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${kernel.name} was not begun`);
    this.#counter ??= this.#memory.allocate(64, false);
    const record = this.#arena.write({
      grid,
      params,
      counter: BigInt(this.#counter),
      fuel,
      paramBytes: kernel.paramBytes,
      sharedBytes: kernel.sharedBytes + sharedBytes,
      saveBytes: instance.code.saveBytes,
      localBytes: instance.code.localBytes,
    });
    new DataView(this.#memory.bytes.buffer).setBigInt64(this.#counter, 0n, true);
    try {
      await this.#entry(instance)(BigInt(record));
      this.#charge(record);
      return undefined;
    } catch (error) {
      return toKernelError(error, this.#memory.bytes, record, kernel.name);
    }
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
      return bytes.subarray(offset, Math.min(bytes.length, offset + byteLength));
    };
    this.#options.print(formatPrintf(read, format, args));
  }
}

/** Whether every 64-bit parameter is a multiple of 16, as addresses of allocations are. */
function arePointersAligned({ kernel, params }: KernelLaunch): boolean {
  const view = new DataView(params.buffer, params.byteOffset, params.byteLength);
  return kernel.params.every(({ offset, byteLength }) =>
    byteLength !== 8 || view.getBigUint64(offset, true) % POINTER_ALIGNMENT === 0n
  );
}
