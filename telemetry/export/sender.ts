/**
 * SpanSender: where batches of spans go.
 *
 * Owns the interface between the pipeline and the exporters. Invariant: a sender never throws for what the
 * network does; it says how many spans the receiver took, and why not the others.
 */
import type { SpanRecord } from "../span_record.ts";

/** What became of a batch. */
export interface SendResult {
  /** Spans that the receiver accepted; the rest of the batch is lost. */
  readonly acceptedCount: number;
  /** Why the rest was lost: a few words without addresses or keys. */
  readonly reason?: string;
}

/** Sends batches. */
export interface SpanSender {
  /** Sends a batch; settles promptly once `signal` is aborted. */
  send(spans: readonly SpanRecord[], signal: AbortSignal): Promise<SendResult>;
  close(): void;
}
