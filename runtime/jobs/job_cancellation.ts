/**
 * JobCancellation: the wish of a job's caller that it stop, for whichever hop of its run wants to know.
 *
 * Invariant: everyone who asked is told once, at once if the wish came first.
 */
import type { Cancellation } from "../model/invocation.ts";

/** Remembers the wish, and passes it on. */
export class JobCancellation implements Cancellation {
  #callbacks: (() => void)[] = [];
  #isCancelled: boolean;

  constructor(isCancelled = false) {
    this.#isCancelled = isCancelled;
  }

  /** Whether the job is to stop. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  onCancel(callback: () => void): void {
    if (this.#isCancelled) callback();
    else this.#callbacks.push(callback);
  }

  /** Forgets who asked: the run that they belong to is over. */
  endRun(): void {
    this.#callbacks = [];
  }

  /** Expresses the wish. */
  cancel(): void {
    this.#isCancelled = true;
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}
