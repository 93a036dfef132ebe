/**
 * SharedLaunches: the helpers' part in the launches of one context.
 *
 * Owns their arenas, the control words, and the wait for those who joined. Which launch is worth sharing is the
 * runner's to say. Invariant: once `settle` has ended no helper is in the launch any more.
 */
import { GpuError } from "../gpu_error.ts";
import type { Pacer } from "../device.ts";
import { RECORD } from "../ptx/launch_record.ts";
import { Arena } from "./arena.ts";
import type { ArenaSizes, LaunchWords } from "./arena.ts";
import { closeLaunch, makeControlWords, openLaunch, takeFuel, WORD } from "./control_words.ts";
import type { Crew } from "./crew.ts";
import { ofHelperTrap, toKernelError } from "./fault.ts";
import type { FaultyCode } from "./fault.ts";
import type { DeviceMemory } from "./memory.ts";
import type { CpuModule, KernelInstance } from "./module.ts";

/** How often helpers' fuel is booked while the owner has nothing to do but wait. */
const BOOKING_MS = 10;

let contextCount = 0;

/** Launches that helpers may take part in, one after the other. */
export class SharedLaunches implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #pacer: Pacer;
  readonly #crew: Crew;
  readonly #arenas: readonly Arena[];
  readonly #control = makeControlWords();
  readonly #variants = new Map<KernelInstance, number>();
  readonly #context = ++contextCount;
  /** Places of the launch records of those who were told of the launch that runs. */
  #records: number[] = [];
  #launch = 0;

  constructor(memory: DeviceMemory, pacer: Pacer, crew: Crew) {
    this.#memory = memory;
    this.#pacer = pacer;
    this.#crew = crew;
    this.#arenas = Array.from({ length: crew.size }, () => new Arena(memory));
  }

  /** Whether a helper has failed, or somebody stopped the launch. */
  get isStopped(): boolean {
    return Atomics.load(this.#control, WORD.isStopped) !== 0;
  }

  /** Takes what helpers have used since it was last taken. */
  takeFuel(): number {
    return takeFuel(this.#control);
  }

  /** Makes room for a launch that is to be shared. @throws GpuError OUT_OF_MEMORY */
  reserve(sizes: ArenaSizes): void {
    for (const arena of this.#arenas) arena.reserve(sizes);
  }

  /** Begins a launch, shared or not. */
  open(): void {
    this.#launch = openLaunch(this.#control, this.#launch);
  }

  /** Tells every helper of the launch. */
  invite(module: CpuModule, instance: KernelInstance, words: LaunchWords): void {
    this.#records = this.#arenas.map((arena) => arena.write(words));
    for (const [index, record] of this.#records.entries()) {
      this.#crew.invite(index, {
        context: this.#context,
        variant: this.#variantOf(instance),
        module: instance.code.module,
        memory: this.#memory.memory,
        imageBase: module.imageBase,
        control: this.#control,
        launch: this.#launch,
      }, record);
    }
  }

  /** Has everybody stop at the next question. */
  stop(): void {
    Atomics.store(this.#control, WORD.isStopped, 1);
  }

  /** Waits for those helpers that have joined, and stops them when the pacer says so. @returns what went wrong */
  async settle(code: FaultyCode, own: GpuError | undefined): Promise<GpuError | undefined> {
    const control = this.#control;
    const joined = closeLaunch(control);
    for (;;) {
      const ended = Atomics.load(control, WORD.ended);
      if (ended >= joined) break;
      const woken = waitAsync(control, WORD.ended, ended, BOOKING_MS);
      if (woken !== undefined) await this.#pacer.wait(woken);
      const verdict = await this.#pacer.tick(takeFuel(control));
      if (verdict < 0) this.stop();
    }
    const fuel = takeFuel(control);
    if (fuel > 0) this.#pacer.charge(fuel);
    return this.isStopped ? this.#firstFailure(code, own) : own;
  }

  [Symbol.dispose](): void {
    this.#crew.forget(this.#context);
  }

  /** Who failed first made the others stop: their own error is a time-out that is none. */
  #firstFailure(code: FaultyCode, own: GpuError | undefined): GpuError | undefined {
    if (own !== undefined && own.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return own;
    const trap = Atomics.load(this.#control, WORD.trap);
    if (trap !== 0) return ofHelperTrap(trap, Atomics.load(this.#control, WORD.trapOffset), code);
    for (const record of this.#records) {
      const { bytes } = this.#memory;
      if (new DataView(bytes.buffer).getInt32(record + RECORD.fault, true) === 0) continue;
      const error = toKernelError(undefined, bytes, record, code);
      if (error.statusName !== "CUDA_ERROR_LAUNCH_TIMEOUT") return error;
    }
    return own ?? new GpuError("launch", "CUDA_ERROR_LAUNCH_TIMEOUT", `${code.kernel} was stopped`);
  }

  #variantOf(instance: KernelInstance): number {
    const known = this.#variants.get(instance);
    if (known !== undefined) return known;
    this.#variants.set(instance, this.#variants.size);
    return this.#variants.size - 1;
  }
}

/** Waits until a word is woken or differs, or for a time; undefined if it differs already. */
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
