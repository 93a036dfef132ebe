/**
 * Lifecycle: starting, serving, draining; and how many invocations are in flight.
 *
 * Owns the answer to "may a new call be taken" and "is everyone done". It stops nothing itself
 * (runtime.ts does). Invariant: the state only moves forward, and readiness flips before any call is refused.
 */
import { fault } from "../model/fault.ts";

/** The phases of a gateway's life. */
export type Phase = "serving" | "unready" | "draining";

/** Phase and calls in flight. */
export class Lifecycle {
  #phase: Phase = "serving";
  #inFlight = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  get phase(): Phase {
    return this.#phase;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Readiness says no from now on; calls are still taken. */
  markUnready(): void {
    if (this.#phase === "serving") this.#phase = "unready";
  }

  /** New calls are refused from now on. */
  markDraining(): void {
    this.#phase = "draining";
    if (this.#inFlight === 0) this.#idle?.resolve();
  }

  /** Counts a call in; the returned function counts it out. Throws `capacity_exhausted` while draining. */
  enter(): () => void {
    if (this.#phase === "draining") {
      throw fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: 1 });
    }
    this.#inFlight++;
    return () => {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#idle?.resolve();
    };
  }

  /** Resolves when no call is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }
}
