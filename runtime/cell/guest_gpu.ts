/**
 * GuestGpu: the device of one call.
 *
 * Owns the call's session, opened by the first function of the interface that the guest calls, and what ties
 * it to the call: fuel and turns (kernel_pacer.ts), memory (memory_guard.ts), the guest's log, the trace. It
 * knows no ABI (imports/cuda.ts does). Invariant: whatever becomes of the call, its session goes with it.
 */
import { GpuSession } from "../../gpu/mod.ts";
import type { GpuDevice, GpuLimits } from "../../gpu/mod.ts";
import type { GpuReport } from "../wire/messages.ts";
import type { Fiber } from "./fiber.ts";
import { GpuTrace } from "./gpu_trace.ts";
import { KernelPacer } from "./kernel_pacer.ts";
import type { MemoryGuard } from "./memory_guard.ts";
import type { Scheduler } from "./scheduler.ts";

/** What a call's device works with. */
export interface GuestGpuOptions {
  readonly device: GpuDevice;
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
export class GuestGpu implements Disposable {
  readonly #options: GuestGpuOptions;
  readonly #trace: GpuTrace;
  #session: GpuSession | undefined;

  constructor(options: GuestGpuOptions) {
    this.#options = options;
    this.#trace = new GpuTrace(options.startedAtMs, () => options.fiber.stopped !== undefined);
  }

  /** The call's session. */
  sessionFor(guest: GpuGuest): GpuSession {
    return this.#session ??= this.#open(guest);
  }

  /** What the call did with the device, if anything. */
  get report(): GpuReport | undefined {
    return this.#trace.report;
  }

  /** Memory that the device takes from the process for this call. */
  get residentBytes(): number {
    return this.#session?.residentBytes ?? 0;
  }

  [Symbol.dispose](): void {
    this.#session?.[Symbol.dispose]();
  }

  #open(guest: GpuGuest): GpuSession {
    const { device, limits, fiber, scheduler, memory } = this.#options;
    return new GpuSession({
      device,
      limits,
      memory: () => guest.memory(),
      pacer: new KernelPacer(fiber, scheduler),
      print: (text) => guest.print(text),
      observer: this.#trace,
      hasRoom: (byteLength) => memory.hasRoom(byteLength),
    });
  }
}
