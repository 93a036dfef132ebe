/**
 * boundedWait: waits for work that others need too, but no longer than one's own call lasts.
 *
 * Owns the race alone; the work goes on, whoever leaves. Invariant: it settles once, and leaves no timer.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { Cancellation } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";
import { ClientGone } from "./admission.ts";

/** Whose wait it is. */
export interface Waiting {
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  readonly cancellation?: Cancellation | undefined;
}

/**
 * The result of `work`.
 *
 * @throws what it throws; RuntimeFault `invoke_timeout` when the call's deadline comes first; ClientGone when
 * its client leaves first
 */
export function boundedWait<T>(work: Promise<T>, waiting: Waiting, clock: Clock): Promise<T> {
  const { deadlineMs, deadlineAtMs, cancellation } = waiting;
  return new Promise((resolve, reject) => {
    const cancelTimer = clock.after(Math.max(0, deadlineAtMs - clock.nowMs()), () => {
      const actual = Math.round(deadlineMs + clock.nowMs() - deadlineAtMs);
      const what = "Call's module was still being prepared at its deadline";
      reject(fault("invoke_timeout", limitMessage(what, "deadlineMs", deadlineMs, actual)));
    });
    cancellation?.onCancel(() => (cancelTimer(), reject(new ClientGone())));
    work.then(resolve, reject).finally(cancelTimer);
  });
}
