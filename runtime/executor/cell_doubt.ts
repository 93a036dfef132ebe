/**
 * CellDoubt: whether a dedicated cell may soon be of no use, so that it should be sent no more calls.
 *
 * Owns the reasons: its device has failed, a kernel runs past its call's deadline, a call is unanswered past its
 * own; and the moment at which such a call is given up. It ends no process. Invariant: whoever is told, is told of
 * every change, and of none that is not one.
 */
import type { Clock } from "../model/clock.ts";

/** After that long an unanswered call is looked for once more: its answer may wait in the socket for a busy gateway. */
const OVERDUE_AGAIN_MS = 100;

/** The doubts about one cell. */
export class CellDoubt {
  readonly #clock: Clock;
  readonly #changed: () => void;
  #hasFailed = false;
  #hasLateKernel = false;
  #lateCalls = 0;

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get isDoubtful(): boolean {
    return this.#hasFailed || this.#hasLateKernel || this.#lateCalls > 0;
  }

  /** Its device is of no use any more, and never will be. */
  noteFailure(): void {
    this.#change(() => this.#hasFailed = true);
  }

  /** The cell has said whether a kernel is past its call's deadline. */
  noteKernel(isLate: boolean): void {
    this.#change(() => this.#hasLateKernel = isLate);
  }

  /** Doubts the cell while a call is unanswered past its deadline; calls back if it is so for too long. */
  watch(answer: Promise<unknown>, deadlineAtMs: number, overdueMsMax: number, giveUp: () => void): void {
    let isLate = false;
    let cancel = this.#clock.after(Math.max(0, deadlineAtMs - this.#clock.nowMs()), () => {
      isLate = true;
      this.#change(() => this.#lateCalls++);
      cancel = this.#clock.after(overdueMsMax, () => {
        cancel = this.#clock.after(OVERDUE_AGAIN_MS, giveUp);
      });
    });
    void answer.then(() => {
      cancel();
      if (isLate) this.#change(() => this.#lateCalls--);
    });
  }

  #change(change: () => void): void {
    const wasDoubtful = this.isDoubtful;
    change();
    if (this.isDoubtful !== wasDoubtful) this.#changed();
  }
}
