/**
 * Steps: work that hardly ever has to wait, written once.
 *
 * Owns the driver of generators that yield what is to be waited for. Run to their end at once where nothing is:
 * a promise for each launch would cost more than the rest of it. It knows nothing of devices. Invariant: code
 * after a `yield` runs after what was yielded has settled, and sees its rejection as an exception.
 */

/** Work in steps: yields promises to wait for, or undefined where there was nothing to wait for. */
export type Steps<T> = Generator<PromiseLike<unknown> | undefined, T, void>;

/** One step: waits for what may have to be waited for. */
export function* wait(promise: PromiseLike<unknown> | void): Steps<void> {
  if (promise !== undefined) yield promise;
}

/** Runs steps to their end: at once, or with a promise if anything was to be waited for. */
export function runSteps<T>(steps: Steps<T>): T | Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (step.value !== undefined) return goOn(steps, step.value);
  }
}

async function goOn<T>(steps: Steps<T>, first: PromiseLike<unknown>): Promise<T> {
  for (let wait: PromiseLike<unknown> | undefined = first;;) {
    let step: IteratorResult<PromiseLike<unknown> | undefined, T>;
    try {
      if (wait !== undefined) await wait;
      step = steps.next();
    } catch (error) {
      // Of the wait, or of the steps themselves: these are over then, and throw it again.
      step = steps.throw(error);
    }
    if (step.done === true) return step.value;
    wait = step.value;
  }
}
