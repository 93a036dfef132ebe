/**
 * LineBuffer: lines on their way to the output.
 *
 * Owns batching and what happens when the output fails. It does not make lines. Invariant: bytes leave in the
 * order they came and a line is never torn: what an output did not take is offered again before anything
 * newer, and where too much waits, whole lines are dropped and counted, the newest first.
 */

/** Writes bytes and returns how many it took; nothing returned means all of them. May throw, must not wait. */
export type WriteBytes = (bytes: Uint8Array) => number | void;

/** Where log lines go. */
export interface LogOutput {
  readonly write: WriteBytes;
  /**
   * Waits, synchronously and at most so long, until what was taken has left the process; for the end, and for
   * outputs whose `write` only takes over.
   */
  readonly settle?: (timeoutMs: number) => void;
  /** Begins anew under the same name, after a rotation. @throws the reason why it could not; all is as before */
  readonly reopen?: () => void;
}

/** A piece of output: whole lines, except that the beginning of the first may be written already. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly lineCount: number;
}

const FLUSH_LENGTH = 64 * 1024;
const FLUSH_DELAY_MS = 50;
/** Most bytes that are kept for an output that does not take them. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;
/** Writes in a row without progress before the output is left alone until the next flush. */
const STALLS_MAX = 3;
/** How long the end waits for an output between two attempts. */
const SETTLE_STEP_MS = 20;

const utf8 = new TextEncoder();

/** Collects lines and writes them after 64 KiB or 50 ms, whichever comes first. */
export class LineBuffer {
  readonly #output: LogOutput;
  readonly #onDropped: (lineCount: number) => void;
  #text = "";
  #lineCount = 0;
  /** Encoded and not taken yet, the oldest first. */
  readonly #pending: Chunk[] = [];
  #pendingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #droppedCount = 0;
  #isClosed = false;

  /** `onDropped` is told of lines lost, at the moment. */
  constructor(output: LogOutput, onDropped: (lineCount: number) => void = () => {}) {
    this.#output = output;
    this.#onDropped = onDropped;
  }

  /** Adds a line; `line` has no newline. */
  push(line: string): void {
    this.#text += line + "\n";
    this.#lineCount += 1;
    if (this.#text.length >= FLUSH_LENGTH || this.#isClosed) this.flush();
    else this.#flushLater();
  }

  /** Hands everything to the output, as far as it takes it now. Never throws. */
  flush(): void {
    this.#stopTimer();
    if (this.#text !== "") this.#encode();
    this.#drain();
    if (this.#pending.length > 0) this.#flushLater();
  }

  /**
   * Flushes and waits, at most `timeoutMs`, until the output has it all: for the ways out of the process, the
   * synchronous ones included. What it does not take by then is lost.
   */
  settle(timeoutMs: number): void {
    const endMs = performance.now() + timeoutMs;
    this.flush();
    while (this.#pending.length > 0 && performance.now() < endMs) {
      if (this.#output.settle === undefined) return;
      this.#output.settle(SETTLE_STEP_MS);
      this.#drain();
    }
    if (this.#pending.length === 0) this.#stopTimer();
    this.#output.settle?.(Math.max(0, endMs - performance.now()));
  }

  /** Settles; lines after this one are written at once, and no timer is left. */
  close(timeoutMs: number): void {
    this.#isClosed = true;
    this.settle(timeoutMs);
    this.#stopTimer();
  }

  /** Lines lost and not yet taken note of. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Whether a line that is pushed now is likely to arrive. */
  get hasRoom(): boolean {
    return this.#pendingBytes < PENDING_BYTES_MAX / 2;
  }

  /** Lines lost since the last call. */
  takeDroppedCount(): number {
    const count = this.#droppedCount;
    this.#droppedCount = 0;
    return count;
  }

  #flushLater(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_DELAY_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #encode(): void {
    const bytes = utf8.encode(this.#text);
    const lineCount = this.#lineCount;
    this.#text = "";
    this.#lineCount = 0;
    if (this.#pending.length > 0) this.#drain();
    if (this.#pending.length > 0 && this.#pendingBytes + bytes.length > PENDING_BYTES_MAX) {
      this.#droppedCount += lineCount;
      this.#onDropped(lineCount);
      return;
    }
    this.#pending.push({ bytes, lineCount });
    this.#pendingBytes += bytes.length;
  }

  #drain(): void {
    for (let stalls = 0; stalls < STALLS_MAX;) {
      const [chunk] = this.#pending;
      if (chunk === undefined) return;
      const written = this.#tryWrite(chunk.bytes);
      if (written <= 0) {
        stalls += 1;
        continue;
      }
      this.#pendingBytes -= written;
      if (written >= chunk.bytes.length) this.#pending.shift();
      else this.#pending[0] = { ...chunk, bytes: chunk.bytes.subarray(written) };
    }
  }

  #tryWrite(bytes: Uint8Array): number {
    try {
      return this.#output.write(bytes) ?? bytes.length;
    } catch {
      // A closed pipe or a full disk; logging must not be what ends the process.
      return 0;
    }
  }
}
