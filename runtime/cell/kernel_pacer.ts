/**
 * KernelPacer: kernels of a call as work of its fiber.
 *
 * Owns the pace of the kernels and their way into the fiber's account: what they use is the call's fuel, and
 * the scheduler decides at each of their ticks, as at the guest's own, whether the call goes on, gives way or
 * ends. It runs no kernel. Invariant: after a stop every answer is STOP.
 */
import type { Pacer } from "../../gpu/mod.ts";
import { type Fiber, STOP } from "./fiber.ts";
import { FuelRate } from "./fuel_rate.ts";
import type { Scheduler } from "./scheduler.ts";

/** The Pacer (gpu/device.ts) of one call. */
export class KernelPacer implements Pacer {
  readonly #fiber: Fiber;
  readonly #scheduler: Scheduler;
  readonly #rate = new FuelRate();
  #fuel = 0;
  #waitedMs = 0;
  /** Whether the kernel has asked before: what came before it began says nothing of its pace. */
  #hasAsked = false;

  constructor(fiber: Fiber, scheduler: Scheduler) {
    this.#fiber = fiber;
    this.#scheduler = scheduler;
  }

  tick(fuel: number): number | Promise<number> {
    // A kernel begins: one of many small ones, likely.
    if (fuel === 0 && this.#fiber.limits.fuelMax === 0 && !this.#scheduler.isLookDue) return this.#answer();
    const isFirst = !this.#hasAsked;
    this.charge(fuel);
    this.#hasAsked = true;
    if (!isFirst) this.#rate.note(this.#fuel, this.#scheduler.nowMs());
    const parked = this.#scheduler.checkpoint(false);
    return parked === undefined ? this.#answer() : parked.then(() => this.#answer());
  }

  charge(fuel: number): void {
    this.#fuel += fuel;
    this.#hasAsked = false;
    this.#fiber.charge(fuel);
  }

  /** For how long the call has waited for its device. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  async wait(promise: Promise<unknown>): Promise<void> {
    const startMs = this.#scheduler.nowMs();
    await this.#scheduler.wait(promise);
    this.#waitedMs += this.#scheduler.nowMs() - startMs;
    this.#rate.mark(this.#fuel, this.#scheduler.nowMs());
  }

  #answer(): number {
    if (this.#fiber.stopped !== undefined) return STOP;
    this.#rate.mark(this.#fuel, this.#scheduler.nowMs());
    const { fuelMax } = this.#fiber.limits;
    // One unit at least: a kernel that is past its limit by it is ended at its next tick.
    return fuelMax === 0
      ? this.#rate.grant
      : Math.max(1, Math.min(this.#rate.grant, fuelMax - this.#fiber.fuel));
  }
}
