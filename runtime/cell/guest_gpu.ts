/**
 * GuestGpu: the device of one call.
 *
 * Owns the call's session, opened by the first function of the interface that the guest calls, and what ties
 * it to the call: fuel and turns (kernel_pacer.ts), memory (memory_guard.ts), the guest's log, the trace. It
 * knows no ABI (imports/cuda.ts does). Invariant: whatever becomes of the call, its session goes with it.
 */
import { GpuError, GpuSession } from "../../gpu/mod.ts";
import type { GpuDevice, GpuLimits } from "../../gpu/mod.ts";
import type { GpuReport } from "../wire/messages.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Fiber } from "./fiber.ts";
import type { GpuKeeper, GpuUser } from "./gpu_keeper.ts";
import { GpuTrace } from "./gpu_trace.ts";
import { KernelPacer } from "./kernel_pacer.ts";
import type { MemoryGuard } from "./memory_guard.ts";
import type { Scheduler } from "./scheduler.ts";

/** What a call's device works with. */
export interface GuestGpuOptions {
  readonly device: GpuDevice;
  /** Who keeps it, if it is a GPU. */
  readonly keeper: GpuKeeper | undefined;
  readonly limits: GpuLimits;
  readonly fiber: Fiber;
  readonly scheduler: Scheduler;
  readonly memory: MemoryGuard;
  /** When the call began, on performance.now(). */
  readonly startedAtMs: number;
}

/** What the session needs of the guest's context. */
export interface GpuGuest {
  /** The linear memory exported as `memory`, if there is one by now. */
  memory(): WebAssembly.Memory | undefined;
  /** Text that a kernel printed. */
  print(text: string): void;
}

/** The device of one call. */
export class GuestGpu implements Disposable, GpuUser {
  readonly #options: GuestGpuOptions;
  readonly #trace: GpuTrace;
  #session: GpuSession | undefined;
  #pacer: KernelPacer | undefined;
  /** Whether the device is still at work for it although it is over. */
  #lingers = false;
  #isBystander = false;

  constructor(options: GuestGpuOptions) {
    this.#options = options;
    const { startedAtMs, fiber } = options;
    this.#trace = new GpuTrace(startedAtMs, () => fiber.stopped !== undefined, () => this.#isBystander);
    options.keeper?.enter(this);
  }

  get isBusy(): boolean {
    return this.#session?.isBusy ?? false;
  }

  get deadlineAtMs(): number {
    return this.#options.fiber.limits.deadlineAtMs;
  }

  /** Ends the call because its device is of no use any more. */
  stop(outcome: Outcome): void {
    const { fiber, scheduler } = this.#options;
    // The driver tells the one that asks it, from within that call.
    this.#isBystander = !scheduler.isRunning(fiber);
    fiber.stop(outcome);
    scheduler.cancel(fiber, outcome);
  }

  /**
   * Waits for what the guest has left running: that is part of its call, with its deadline, or the device would be
   * at work for nobody whom it is charged to. Answers how the call has ended then.
   */
  async finish(outcome: Outcome): Promise<Outcome> {
    const { fiber } = this.#options;
    if (!this.isBusy || fiber.stopped !== undefined) return outcome;
    try {
      await this.#session?.finish();
    } catch (error) {
      // What a kernel did wrong stops the call by way of the keeper.
      if (!(error instanceof GpuError)) throw error;
    }
    return fiber.stopped ?? outcome;
  }

  /** How the call has really ended: whoever is past its deadline with a kernel that runs is so by its kernel. */
  judge(outcome: Outcome): Outcome {
    const isLate = outcome.type === "exhausted" && outcome.limit === "deadline_ms";
    return isLate && this.#lingers
      ? { type: "gpu_failed", kind: "gpu_timeout", status: "CUDA_ERROR_LAUNCH_TIMEOUT" }
      : outcome;
  }

  /** The call's session. */
  sessionFor(guest: GpuGuest): GpuSession {
    return this.#session ??= this.#open(guest);
  }

  /** What the call did with the device, if anything. */
  makeReport(): GpuReport | undefined {
    return this.#trace.makeReport(this.#pacer?.waitedMs);
  }

  /** Memory that the device takes from the process for this call. */
  get residentBytes(): number {
    return this.#session?.residentBytes ?? 0;
  }

  [Symbol.dispose](): void {
    this.#session?.[Symbol.dispose]();
    this.#lingers = this.#options.keeper?.leave(this) ?? false;
  }

  #open(guest: GpuGuest): GpuSession {
    const { device, keeper, limits, fiber, scheduler, memory } = this.#options;
    const pacer = this.#pacer = new KernelPacer(fiber, scheduler);
    const { gpuMemoryBytesMax } = limits;
    return new GpuSession({
      device,
      // No call can have more than all calls of the cell.
      limits: keeper === undefined
        ? limits
        : { ...limits, gpuMemoryBytesMax: Math.min(gpuMemoryBytesMax, keeper.memoryBytesMax) },
      memory: () => guest.memory(),
      pacer,
      print: (text) => guest.print(text),
      observer: this.#trace,
      // A GPU has memory of its own.
      hasRoom: (byteLength) => keeper === undefined ? memory.hasRoom(byteLength) : keeper.hasRoom(byteLength),
    });
  }
}
