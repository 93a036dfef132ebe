/**
 * LineBuffer: lines on their way to the output.
 *
 * Owns batching and what happens when the output fails. It does not make lines. Invariant: bytes leave in the
 * order they came and a line is never torn: what an output did not take is offered again before anything
 * newer, and where too much waits, whole lines are dropped and counted, the newest first.
 */

/**
 * Writes bytes and returns how many it took; nothing returned means all of them. May throw, must not wait. The bytes
 * are the caller's again when it returns.
 */
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
  /** True once nobody will ever read it again: what comes then is lost. */
  readonly isGone?: () => boolean;
  /** Lines that it had taken and that are lost, since it was asked last; for outputs that only take over. */
  readonly takeLostCount?: () => number;
}

/** A piece of output: whole lines, except that the beginning of the first may be written already. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly lineCount: number;
}

const FLUSH_LENGTH = 64 * 1024;
/** Text that is encoded at a time: what has just been put together is still near; all at once took twice as long. */
const ENCODE_LENGTH = 4 * 1024;
const BUFFER_BYTES_START = 2 * FLUSH_LENGTH;
/** Largest buffer that is kept for what comes next. */
const BUFFER_BYTES_KEPT_MAX = 4 * FLUSH_LENGTH;
/** Most bytes of a UTF-16 unit in UTF-8. */
const UNIT_BYTES_MAX = 3;
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
  /** Not encoded yet. */
  #text = "";
  /** Since the last flush: lines, their UTF-16 units, and those that are encoded, at the beginning of the buffer. */
  #lineCount = 0;
  #length = 0;
  #bytes = new Uint8Array(BUFFER_BYTES_START);
  #byteCount = 0;
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
    this.#length += line.length + 1;
    if (this.#text.length >= ENCODE_LENGTH) this.#encode();
    if (this.#length >= FLUSH_LENGTH || this.#isClosed) this.flush();
    else if (this.#timer === undefined) this.#flushLater();
  }

  /** Hands everything to the output, as far as it takes it now. Never throws. */
  flush(): void {
    this.#stopTimer();
    if (this.#text !== "") this.#encode();
    this.#drain();
    if (this.#byteCount > 0) this.#handOver();
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
    return this.#pendingBytes < PENDING_BYTES_MAX / 2 && this.#output.isGone?.() !== true;
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
    const needed = this.#byteCount + UNIT_BYTES_MAX * this.#text.length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#byteCount));
      this.#bytes = grown;
    }
    this.#byteCount += utf8.encodeInto(this.#text, this.#bytes.subarray(this.#byteCount)).written;
    this.#text = "";
  }

  /** What was encoded, to the output or to what waits for it. */
  #handOver(): void {
    const bytes = this.#bytes.subarray(0, this.#byteCount);
    const lineCount = this.#lineCount;
    this.#byteCount = 0;
    this.#length = 0;
    this.#lineCount = 0;
    if (this.#bytes.length > BUFFER_BYTES_KEPT_MAX) this.#bytes = new Uint8Array(BUFFER_BYTES_START);
    if (this.#output.isGone?.() === true) return this.#noteDropped(lineCount);
    if (this.#pending.length > 0 && this.#pendingBytes + bytes.length > PENDING_BYTES_MAX) {
      return this.#noteDropped(lineCount);
    }
    const taken = this.#pending.length > 0 ? 0 : this.#offer(bytes);
    if (taken >= bytes.length) return;
    this.#pending.push({ bytes: bytes.slice(taken), lineCount });
    this.#pendingBytes += bytes.length - taken;
  }

  /** Offers again what was not taken before. */
  #drain(): void {
    this.#noteDropped(this.#output.takeLostCount?.() ?? 0);
    if (this.#output.isGone?.() === true) return this.#giveUp();
    for (let chunk = this.#pending[0]; chunk !== undefined; chunk = this.#pending[0]) {
      const taken = this.#offer(chunk.bytes);
      this.#pendingBytes -= taken;
      if (taken < chunk.bytes.length) {
        this.#pending[0] = { ...chunk, bytes: chunk.bytes.subarray(taken) };
        return;
      }
      this.#pending.shift();
    }
  }

  /** Offers bytes until they are taken or the output makes no progress; returns how many were taken. */
  #offer(bytes: Uint8Array): number {
    let taken = 0;
    for (let stalls = 0; stalls < STALLS_MAX && taken < bytes.length;) {
      const written = this.#tryWrite(taken === 0 ? bytes : bytes.subarray(taken));
      if (written > 0) taken += written;
      else stalls += 1;
    }
    return Math.min(taken, bytes.length);
  }

  /** What nobody will ever have is not worth keeping. */
  #giveUp(): void {
    for (const { lineCount } of this.#pending.splice(0)) this.#noteDropped(lineCount);
    this.#pendingBytes = 0;
  }

  #noteDropped(lineCount: number): void {
    if (lineCount === 0) return;
    this.#droppedCount += lineCount;
    this.#onDropped(lineCount);
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
