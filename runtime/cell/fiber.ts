/**
 * Fiber: one call as the scheduler sees it: what it has used, what it may still use, and how it was stopped.
 *
 * Owns the account of fuel and time and the memory of the stop. It does not choose who runs (scheduler.ts)
 * or instantiate anything (instance.ts). Invariant: the first stop is the call's outcome, whatever the guest
 * does afterwards; from then on its fuel is below zero, so that its next check ends it.
 */
import type { Outcome } from "../model/outcome.ts";
import type { Usage } from "../model/usage.ts";
import { FuelRate } from "./fuel_rate.ts";

/** What a call may use. */
export interface FiberLimits {
  readonly tenant: string;
  /** The whole budget of time, and when it ends on the scale of performance.now(). */
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  /** Most fuel, 0 for no limit. */
  readonly fuelMax: number;
}

/** The fuel global of an instance (HOOKS.fuel of runtime/wasm/instrument.ts). */
export interface FuelGlobal {
  value: number;
}

/** What a tick answers to a guest that must stop; so is the fuel of one that was stopped. */
export const STOP = -1;

/** Fibers of this process so far. */
let fiberCount = 0;

/** One call's account. */
export class Fiber {
  /** Its own in this process. */
  readonly number = fiberCount++ >>> 0;
  readonly limits: FiberLimits;
  /** Fuel used so far, as of the last `settle`. */
  fuel = 0;
  yields = 0;
  /** Time on the thread, turns that have ended. */
  cpuMs = 0;
  #stopped: Outcome | undefined;
  #global: FuelGlobal | undefined;
  /** What the fuel global was set to last: the difference to its value is what was used since. */
  #granted = 0;
  readonly #rate = new FuelRate();
  /** What host functions used for it, which says nothing of the guest's own pace. */
  #chargedFuel = 0;

  constructor(limits: FiberLimits) {
    this.limits = limits;
  }

  /** How the call was ended from outside, if it was. */
  get stopped(): Outcome | undefined {
    return this.#stopped;
  }

  /** Gives the fiber its instance's fuel global, which holds zero. */
  attach(global: FuelGlobal): void {
    this.#global = global;
    this.#granted = global.value;
  }

  /** Ends the call: if its guest runs, the next check traps. The first outcome counts. */
  stop(outcome: Outcome): void {
    this.#stopped ??= outcome;
    this.settle();
    if (this.#global === undefined) return;
    this.#granted = STOP;
    this.#global.value = STOP;
  }

  /** Books what was used since the last grant, by the fuel that is left of it. */
  settle(): void {
    if (this.#global === undefined) return;
    const left = this.#global.value;
    this.fuel += this.#granted - left;
    this.#granted = left;
  }

  /** As `settle`; `left` is what the guest itself says, whose loops keep the count in a register. */
  settleTo(left: number): void {
    if (this.#global !== undefined) this.#global.value = left;
    this.settle();
  }

  /** The guest asks for fuel with `left` of its last grant. */
  ask(left: number, nowMs: number): void {
    this.settleTo(left);
    if (this.#stopped !== undefined) {
      // It caught its stop and went on; it is answered with STOP again.
      this.#granted = STOP;
      return;
    }
    this.#rate.note(this.fuel - this.#chargedFuel, nowMs);
  }

  /** The next grant, never beyond the limit. */
  grant(nowMs: number): number {
    const { fuelMax } = this.limits;
    const { grant } = this.#rate;
    this.#granted = fuelMax === 0 ? grant : Math.min(grant, Math.max(0, fuelMax - this.fuel));
    this.#mark(nowMs);
    return this.#granted;
  }

  /**
   * A host function used fuel for the guest. What is left of the guest's grant is cut to the limit, so that its
   * first check past that is the one that stops it.
   */
  charge(fuel: number): void {
    this.settle();
    this.fuel += fuel;
    this.#chargedFuel += fuel;
    const { fuelMax } = this.limits;
    if (fuelMax === 0 || this.#global === undefined) return;
    const leftMax = Math.max(STOP, fuelMax - this.fuel);
    if (this.#granted <= leftMax) return;
    this.#granted = leftMax;
    this.#global.value = leftMax;
  }

  /** The guest runs from now on. What it used before does not count for its rate. */
  resumed(nowMs: number): void {
    this.settle();
    this.#mark(nowMs);
  }

  #mark(nowMs: number): void {
    this.#rate.mark(this.fuel - this.#chargedFuel, nowMs);
  }

  /** The account as it goes to the gateway. */
  usage(cpuMs: number, memoryBytes: number): Usage {
    return { fuel: this.fuel, yields: this.yields, cpuUs: Math.round(cpuMs * 1000), memoryBytes };
  }
}
