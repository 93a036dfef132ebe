/**
 * PipeOutput: stdout or a named pipe as an output that never makes anybody wait.
 *
 * Owns the thread that writes (pipe_worker.ts) and the bound on what it was given and has not written.
 * A pipe or terminal whose reader stops blocks whoever writes to it; here that is a thread with nothing else
 * to do. Invariant: a piece is taken whole or not at all, no more than BYTES_MAX are with the thread, and lines
 * that were taken and cannot be written are counted.
 */
import type { LogOutput } from "../runtime.ts";

/** What the thread is sent: a piece, or the wish that it begin anew. */
export interface PipeMessage {
  readonly bytes: Uint8Array | undefined;
  readonly state: SharedArrayBuffer;
  /** Empty for stdout. */
  readonly path: string;
}

/** Where in the shared state the thread counts the pieces that it is done with. */
export const DONE_INDEX = 0;
/** Where it says that nobody reads any more. */
export const FAILED_INDEX = 1;
/** Where it counts the lines of pieces that it could not write. */
export const LOST_INDEX = 2;

const BYTES_MAX = 4 * 1024 * 1024;

/** Writes to stdout, or to the pipe at `path`, by way of a thread. */
export class PipeOutput implements LogOutput, Disposable {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #state = new Int32Array(new SharedArrayBuffer(12));
  /** Lengths of the pieces that the thread is not done with, the oldest first. */
  readonly #lengths: number[] = [];
  #bytes = 0;
  #doneCount = 0;
  /** Of a named pipe: whoever reads it now may be somebody else. */
  readonly reopen?: () => void;

  constructor(path = "") {
    this.#path = path;
    if (path !== "") this.reopen = (): void => this.#send(undefined);
    this.#worker = new Worker(new URL("./pipe_worker.ts", import.meta.url), { type: "module" });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      Atomics.store(this.#state, FAILED_INDEX, 1);
    });
  }

  readonly write = (bytes: Uint8Array): number => {
    this.#settleAccount();
    if (this.isGone() || (this.#bytes + bytes.length > BYTES_MAX && this.#bytes > 0)) return 0;
    const copy = bytes.slice();
    this.#lengths.push(copy.length);
    this.#bytes += copy.length;
    this.#send(copy);
    return bytes.length;
  };

  readonly isGone = (): boolean => Atomics.load(this.#state, FAILED_INDEX) !== 0;

  readonly takeLostCount = (): number => Atomics.exchange(this.#state, LOST_INDEX, 0);

  readonly settle = (timeoutMs: number): void => {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      this.#settleAccount();
      const leftMs = endMs - performance.now();
      if (this.#lengths.length === 0 || leftMs <= 0 || this.isGone()) return;
      Atomics.wait(this.#state, DONE_INDEX, this.#doneCount, leftMs);
    }
  };

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #send(bytes: Uint8Array<ArrayBuffer> | undefined): void {
    const message: PipeMessage = { bytes, state: this.#state.buffer, path: this.#path };
    this.#worker.postMessage(message, bytes === undefined ? [] : [bytes.buffer]);
  }

  #settleAccount(): void {
    const done = Atomics.load(this.#state, DONE_INDEX);
    for (; this.#doneCount !== done; this.#doneCount = (this.#doneCount + 1) | 0) {
      this.#bytes -= this.#lengths.shift() ?? 0;
    }
  }
}
