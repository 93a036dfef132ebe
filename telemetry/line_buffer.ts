/**
 * LineBuffer: lines on their way to an output that is written synchronously.
 *
 * Owns batching and what happens when the output fails. It does not make lines. Invariant: bytes leave in the
 * order they came and a line is never torn: what an output did not take is offered again before anything
 * newer, and where too much waits, whole lines are dropped and counted.
 */

/** Writes bytes and returns how many it took; nothing returned means all of them. May throw. */
export type WriteBytes = (bytes: Uint8Array) => number | void;

const FLUSH_LENGTH = 64 * 1024;
const FLUSH_DELAY_MS = 50;
/** Most bytes that are kept for an output that does not take them. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** Writes in a row without progress before the output is left alone until the next flush. */
const STALLS_MAX = 3;

const utf8 = new TextEncoder();

/** Collects lines and writes them after 64 KiB or 50 ms, whichever comes first. */
export class LineBuffer {
  readonly #write: WriteBytes;
  #text = "";
  /** Encoded bytes that the output has not taken yet. */
  #pending = new Uint8Array(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #droppedCount = 0;
  #lineCount = 0;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Adds a line; `line` has no newline. */
  push(line: string): void {
    this.#text += line + "\n";
    this.#lineCount += 1;
    if (this.#text.length >= FLUSH_LENGTH) this.flush();
    else if (this.#timer === undefined) this.#timer = setTimeout(() => this.flush(), FLUSH_DELAY_MS);
  }

  /** Writes everything now. Safe on every way out of the process; never throws. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#text !== "") this.#encode();
    this.#drain();
  }

  /** Lines lost and not yet taken note of. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Lines lost since the last call. */
  takeDroppedCount(): number {
    const count = this.#droppedCount;
    this.#droppedCount = 0;
    return count;
  }

  #encode(): void {
    const bytes = utf8.encode(this.#text);
    if (this.#pending.length + bytes.length > PENDING_BYTES_MAX && this.#pending.length > 0) {
      this.#droppedCount += this.#lineCount;
    } else {
      this.#pending = this.#pending.length === 0 ? bytes : concat(this.#pending, bytes);
    }
    this.#text = "";
    this.#lineCount = 0;
  }

  #drain(): void {
    for (let stalls = 0; this.#pending.length > 0 && stalls < STALLS_MAX;) {
      const written = this.#tryWrite(this.#pending);
      if (written <= 0) stalls += 1;
      else this.#pending = this.#pending.subarray(written);
    }
  }

  #tryWrite(bytes: Uint8Array): number {
    try {
      return this.#write(bytes) ?? bytes.length;
    } catch {
      // A closed or full pipe; logging must not be what ends the process.
      return 0;
    }
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
