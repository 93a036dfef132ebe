/**
 * Outbox: the chunks of one streamed call between the cell that sends them and the client that reads them.
 *
 * Owns the queue and the account of its window (runtime/model/stream_window.ts); framing.ts makes bytes of a response
 * out of chunks, stream_body.ts hands them on. Invariants: it never holds more than its window; chunks come out in
 * the order in which they came, each once; room is given back for what was read, and for nothing else.
 */
import type { OutputStream } from "../../model/invocation.ts";
import { ReceiveWindow } from "../../model/stream_window.ts";

/** Hears of what an outbox holds. */
export interface OutboxObserver {
  /** A chunk has come from the cell. */
  arrived(bytes: number): void;
  /** The bytes held have changed by so much. */
  held(difference: number): void;
}

/** Where a call's chunks wait for their reader. */
export class Outbox implements OutputStream {
  readonly windowBytes: number;
  /** Resolves with the first chunk. */
  readonly begun: Promise<void>;
  readonly #begin = Promise.withResolvers<void>();
  readonly #window: ReceiveWindow;
  readonly #observer: OutboxObserver;
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #credit: (bytes: number) => void = () => {};
  #wake: (() => void) | undefined;
  #hasEnded = false;
  #isDiscarded = false;
  #contentType: string | undefined;
  #chunks = 0;
  #bytes = 0;

  constructor(windowBytes: number, observer: OutboxObserver) {
    this.windowBytes = windowBytes;
    this.#window = new ReceiveWindow(windowBytes);
    this.#observer = observer;
    this.begun = this.#begin.promise;
  }

  get hasBegun(): boolean {
    return this.#chunks > 0;
  }

  /** The media type that the guest had set before its first chunk. */
  get contentType(): string | undefined {
    return this.#contentType;
  }

  /** Chunks and bytes that have come. */
  get chunks(): number {
    return this.#chunks;
  }

  get bytes(): number {
    return this.#bytes;
  }

  open(credit: (bytes: number) => void): void {
    this.#credit = credit;
  }

  take(chunk: Uint8Array<ArrayBuffer>, contentType: string | undefined): boolean {
    if (!this.#window.take(chunk.length)) return false;
    if (!this.hasBegun) this.#contentType = contentType;
    this.#chunks++;
    this.#bytes += chunk.length;
    this.#observer.arrived(chunk.length);
    if (!this.#isDiscarded) {
      this.#queue.push(chunk);
      this.#observer.held(chunk.length);
    }
    this.#begin.resolve();
    this.#wake?.();
    return true;
  }

  /** No more will come. What is here can still be read. */
  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Nobody reads any more: what is here and what still comes is dropped. */
  discard(): void {
    this.#isDiscarded = true;
    for (const chunk of this.#queue.splice(0)) this.#observer.held(-chunk.length);
    this.#wake?.();
  }

  /** True if there is something to read, or will never be again. */
  get isReadable(): boolean {
    return this.#queue.length > 0 || this.#hasEnded || this.#isDiscarded;
  }

  /** Resolves when `isReadable`; one waits at a time. */
  readable(): Promise<void> {
    if (this.isReadable) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** Takes the next chunks, at least one if there is any, up to `bytesMax` together. */
  read(bytesMax: number): Uint8Array<ArrayBuffer>[] {
    let count = 0;
    let bytes = 0;
    let credit = 0;
    for (const chunk of this.#queue) {
      if (count > 0 && bytes + chunk.length > bytesMax) break;
      count++;
      bytes += chunk.length;
      credit += this.#window.consume(chunk.length);
    }
    if (bytes > 0) this.#observer.held(-bytes);
    if (credit > 0) this.#credit(credit);
    return this.#queue.splice(0, count);
  }
}
