/**
 * Stream windows: how much of a call's output may be under way between a cell and its gateway.
 *
 * Owns the account of both ends: what the cell may still send, and what the gateway holds and gives back. It sends
 * no frames and keeps no bytes. Invariants: the two ends count alike, so that what a gateway holds of a stream never
 * exceeds its window; as long as the reader reads, a chunk of at most CHUNK_SHARE of the window gets its turn.
 */

/** What a chunk is charged beside its bytes: many small ones cost their receiver memory, too. */
export const CHUNK_OVERHEAD_BYTES = 256;
/** The part of a window that one chunk takes at most. */
const CHUNK_SHARE = 1 / 2;
/** Room is given back in pieces of this part of the window; more than a chunk ever has to wait for is left. */
const RETURN_SHARE = 1 / 4;

/** What a chunk takes of a window. */
export function chargeOf(chunkBytes: number): number {
  return chunkBytes + CHUNK_OVERHEAD_BYTES;
}

/** The window of a stream: as configured, or as large as its largest chunk needs it. */
export function windowBytesFor(windowBytes: number, chunkBytesMax: number): number {
  return Math.max(windowBytes, Math.ceil(chargeOf(chunkBytesMax) / CHUNK_SHARE));
}

/** The sender's end: one stream, whose chunks are offered one after the other. */
export class SendWindow {
  #roomBytes: number;
  #waiting: { readonly charge: number; readonly resolve: () => void } | undefined;

  constructor(windowBytes: number) {
    this.#roomBytes = windowBytes;
  }

  /** Takes the room for a chunk, or says that there is not enough. */
  tryTake(chunkBytes: number): boolean {
    const charge = chargeOf(chunkBytes);
    if (charge > this.#roomBytes) return false;
    this.#roomBytes -= charge;
    return true;
  }

  /** Resolves when there is room for such a chunk; one waits at a time. */
  room(chunkBytes: number): Promise<void> {
    const charge = chargeOf(chunkBytes);
    if (charge <= this.#roomBytes) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { charge, resolve };
    });
  }

  /** The receiver gave room back. */
  credit(bytes: number): void {
    this.#roomBytes += bytes;
    if (this.#waiting === undefined || this.#waiting.charge > this.#roomBytes) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}

/** The receiver's end. */
export class ReceiveWindow {
  readonly windowBytes: number;
  #heldBytes = 0;
  /** Consumed, and not given back yet. */
  #owedBytes = 0;

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
  }

  /** Charge of what has come and was not consumed. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A chunk has come; false if the sender had no room for it. */
  take(chunkBytes: number): boolean {
    this.#heldBytes += chargeOf(chunkBytes);
    return this.#heldBytes + this.#owedBytes <= this.windowBytes;
  }

  /** A chunk was consumed. Answers with the room to give back now: zero while it is little. */
  consume(chunkBytes: number): number {
    const charge = chargeOf(chunkBytes);
    this.#heldBytes -= charge;
    this.#owedBytes += charge;
    if (this.#owedBytes < this.windowBytes * RETURN_SHARE) return 0;
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    return bytes;
  }
}
