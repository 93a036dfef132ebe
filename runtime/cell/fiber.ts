/**
 * Fiber: one call as the scheduler sees it: what it has used, what it may still use, and how it was stopped.
 *
 * Owns the account of fuel and time and the memory of the stop. It does not choose who runs (scheduler.ts)
 * or instantiate anything (instance.ts). Invariant: the first stop is the call's outcome, whatever the guest
 * does afterwards; from then on its fuel is below zero, so that its next check ends it.
 */
import type { Outcome } from "../model/outcome.ts";
import type { Usage } from "../model/usage.ts";

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
/** Fuel of a call's first grant: some 10 µs of the slowest code that is not hostile. */
const GRANT_FIRST = 20_000;
/**
 * Smallest and largest grant. A guest whose host calls take long burns next to nothing; the fastest code burns
 * some 2 million in a millisecond, and a guest that makes itself look faster must gain nothing by it.
 */
const GRANT_MIN = 50;
const GRANT_MAX = 500_000;
/** Most by which a grant exceeds the one before: code may turn slower by far from one tick to the next. */
const GRANT_GROWTH_MAX = 4;
/** How often a guest is to ask, so that a phase of slow code cannot make one grant last long. */
const TICK_MS = 0.2;

/** One call's account. */
export class Fiber {
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
  #grant = GRANT_FIRST;
  /** When the guest came on, or was given its last grant, and what it had used by then. */
  #markedAtMs = 0;
  #markedFuel = 0;

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

  /**
   * The guest asks for fuel with `left` of its last grant. What it used in the time it ran says how much it
   * burns in TICK_MS.
   */
  ask(left: number, nowMs: number): void {
    this.settleTo(left);
    if (this.#stopped !== undefined) {
      // It caught its stop and went on; it is answered with STOP again.
      this.#granted = STOP;
      return;
    }
    const used = this.fuel - this.#markedFuel;
    const elapsedMs = nowMs - this.#markedAtMs;
    // Too little to tell a rate from: it had slept, or has only begun.
    if (used * GRANT_GROWTH_MAX < this.#grant) return;
    const wanted = elapsedMs > 0 ? used * TICK_MS / elapsedMs : Infinity;
    const bounded = Math.min(wanted, this.#grant * GRANT_GROWTH_MAX, GRANT_MAX);
    this.#grant = Math.round(Math.max(GRANT_MIN, bounded));
  }

  /** The next grant, never beyond the limit. */
  grant(nowMs: number): number {
    const { fuelMax } = this.limits;
    this.#granted = fuelMax === 0 ? this.#grant : Math.min(this.#grant, Math.max(0, fuelMax - this.fuel));
    this.#mark(nowMs);
    return this.#granted;
  }

  /** The guest runs from now on. What it used before does not count for its rate. */
  resumed(nowMs: number): void {
    this.settle();
    this.#mark(nowMs);
  }

  #mark(nowMs: number): void {
    this.#markedAtMs = nowMs;
    this.#markedFuel = this.fuel;
  }

  /** The account as it goes to the gateway. */
  usage(cpuMs: number, memoryBytes: number): Usage {
    return { fuel: this.fuel, yields: this.yields, cpuUs: Math.round(cpuMs * 1000), memoryBytes };
  }
}
