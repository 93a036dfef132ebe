/**
 * FrameWriter: sends frames in order over a byte sink that may write partially.
 *
 * Owns ordering and coalescing: while one write is under way, further small chunks gather and leave
 * together. It does not bound what is gathered: its users bound how many frames they have outstanding.
 * Invariant: chunks leave whole and in the order of `send`.
 */
import { encodeFrame } from "./frame.ts";

/** Something bytes can be written to. May write fewer than given and then says how many. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Chunks smaller than this are joined with their neighbours. */
const JOIN_BYTES_MAX = 64 * 1024;

/** Writes frames to a sink. */
export class FrameWriter {
  readonly #sink: ByteSink;
  readonly #onError: (error: unknown) => void;
  readonly #schedule: ((drain: () => void) => void) | undefined;
  #pending: Uint8Array[] = [];
  #backlogBytes = 0;
  #takenBytes = 0;
  #writing = false;
  #failed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  /**
   * `onError` is called at most once, when a write fails; later frames are then discarded. With `schedule`
   * the first write waits for it, so that frames of one turn of the event loop leave in one write; without,
   * it is issued before `send` returns.
   */
  constructor(
    sink: ByteSink,
    onError: (error: unknown) => void,
    schedule?: (drain: () => void) => void,
  ) {
    this.#sink = sink;
    this.#onError = onError;
    this.#schedule = schedule;
  }

  /** Queues one frame and starts writing if nothing is being written. */
  send(type: number, id: number, meta: unknown, blob?: Uint8Array): void {
    if (this.#failed) return;
    for (const chunk of encodeFrame(type, id, meta, blob)) {
      this.#pending.push(chunk);
      this.#backlogBytes += chunk.length;
    }
    if (this.#writing) return;
    this.#writing = true;
    if (this.#schedule === undefined) void this.#drain();
    else this.#schedule(() => void this.#drain());
  }

  /** Bytes sent that the system has not taken yet. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Bytes that the system has taken, from the first on. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Resolves when everything sent so far has been handed to the system, or a write has failed. */
  flushed(): Promise<void> {
    if (!this.#writing) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const chunk = this.#takeNext();
        for (let offset = 0; offset < chunk.length;) {
          const count = await this.#sink.write(offset === 0 ? chunk : chunk.subarray(offset));
          offset += count;
          this.#backlogBytes -= count;
          this.#takenBytes += count;
        }
      }
    } catch (error) {
      this.#failed = true;
      this.#pending = [];
      this.#backlogBytes = 0;
      this.#onError(error);
    } finally {
      this.#writing = false;
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  #takeNext(): Uint8Array {
    const [first, second] = this.#pending;
    if (first === undefined) return new Uint8Array(0);
    if (second === undefined || first.length + second.length > JOIN_BYTES_MAX) {
      this.#pending.shift();
      return first;
    }
    let count = 0;
    let bytes = 0;
    for (const chunk of this.#pending) {
      if (bytes + chunk.length > JOIN_BYTES_MAX) break;
      bytes += chunk.length;
      count++;
    }
    const joined = new Uint8Array(bytes);
    let offset = 0;
    for (const chunk of this.#pending.splice(0, count)) {
      joined.set(chunk, offset);
      offset += chunk.length;
    }
    return joined;
  }
}
