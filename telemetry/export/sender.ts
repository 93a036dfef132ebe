/**
 * Senders: where batches of a signal go.
 *
 * Owns the interfaces between a pipeline, what makes a batch of its items, and the exporters. Invariant: a
 * sender never throws for what the network does; it says how many items the receiver took, and why not the
 * others.
 */
import type { SpanRecord } from "../trace/span_record.ts";

/** What became of a batch. */
export interface SendResult {
  /** Items that the receiver accepted; the rest of the batch is lost. */
  readonly acceptedCount: number;
  /** Why the rest was lost: a few words without addresses or keys. */
  readonly reason?: string;
}

/** Sends batches of a form. */
export interface BatchSender<B> {
  /** Sends a batch of `count` items; settles promptly once `signal` is aborted. */
  send(batch: B, count: number, signal: AbortSignal): Promise<SendResult>;
  /** Reads again what the sender is configured with by files; nothing where there is none. */
  reload?(): Promise<void>;
  close(): void;
}

/** Gathers items into a batch. Adding one that cannot be added throws and leaves the others as they are. */
export interface Batcher<T, B> {
  /** Bytes of the batch so far; 0 where it holds the items themselves. */
  readonly bytes: number;
  add(item: T): void;
  /** The batch so far; the next item begins a new one. */
  take(): B;
}

/** Sends spans as they are; what tests and the printing exporter need. */
export interface SpanSender extends BatchSender<readonly SpanRecord[]> {
  send(spans: readonly SpanRecord[], count: number, signal: AbortSignal): Promise<SendResult>;
}

/** A batch that is the items themselves. */
export class ListBatcher<T> implements Batcher<T, readonly T[]> {
  readonly bytes = 0;
  #items: T[] = [];

  add(item: T): void {
    this.#items.push(item);
  }

  take(): readonly T[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}
