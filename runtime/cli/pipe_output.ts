/**
 * StdoutPipe: stdout as an output that never makes anybody wait.
 *
 * Owns the thread that writes (stdout_worker.ts) and the bound on what it was given and has not written.
 * A pipe or terminal whose reader stops blocks whoever writes to it; here that is a thread with nothing else
 * to do. Invariant: a piece is taken whole or not at all, and no more than BYTES_MAX are with the thread.
 */
import type { LogOutput } from "../runtime.ts";

/** What the thread is sent. */
export interface OutputPiece {
  readonly bytes: Uint8Array;
  readonly state: SharedArrayBuffer;
}

/** Where in the shared state the thread counts the pieces that it is done with. */
export const DONE_INDEX = 0;
/** Where it says that stdout is closed. */
export const FAILED_INDEX = 1;

const BYTES_MAX = 4 * 1024 * 1024;

/** Writes to stdout by way of a thread. */
export class StdoutPipe implements LogOutput, Disposable {
  readonly #worker: Worker;
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  /** Lengths of the pieces that the thread is not done with, the oldest first. */
  readonly #lengths: number[] = [];
  #bytes = 0;
  #doneCount = 0;

  constructor() {
    this.#worker = new Worker(new URL("./stdout_worker.ts", import.meta.url), { type: "module" });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      Atomics.store(this.#state, FAILED_INDEX, 1);
    });
  }

  readonly write = (bytes: Uint8Array): number => {
    // Nobody reads any more: what nobody can have is not worth keeping.
    if (Atomics.load(this.#state, FAILED_INDEX) !== 0) return bytes.length;
    this.#settleAccount();
    if (this.#bytes + bytes.length > BYTES_MAX && this.#bytes > 0) return 0;
    const copy = bytes.slice();
    this.#lengths.push(copy.length);
    this.#bytes += copy.length;
    const piece: OutputPiece = { bytes: copy, state: this.#state.buffer };
    this.#worker.postMessage(piece, [copy.buffer]);
    return bytes.length;
  };

  readonly settle = (timeoutMs: number): void => {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      this.#settleAccount();
      const leftMs = endMs - performance.now();
      if (this.#lengths.length === 0 || leftMs <= 0 || Atomics.load(this.#state, FAILED_INDEX) !== 0) return;
      Atomics.wait(this.#state, DONE_INDEX, this.#doneCount, leftMs);
    }
  };

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #settleAccount(): void {
    const done = Atomics.load(this.#state, DONE_INDEX);
    for (; this.#doneCount !== done; this.#doneCount = (this.#doneCount + 1) | 0) {
      this.#bytes -= this.#lengths.shift() ?? 0;
    }
  }
}
