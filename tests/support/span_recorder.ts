/**
 * SpanRecorder: a sender that keeps spans, for tests that need no collector.
 *
 * Each batch goes through the real encoding and an independent decoder, so that what a test sees is what a
 * collector would.
 */
import { SpanEncoder } from "../../telemetry/export/otlp_encode.ts";
import type { SendResult, SpanSender } from "../../telemetry/export/sender.ts";
import type { SpanRecord } from "../../telemetry/span_record.ts";
import { type DecodedSpan, decodeTraceRequest } from "./collector.ts";

/** Accepts everything. */
export class SpanRecorder implements SpanSender {
  /** All spans so far, in the order in which they were sent: by scope, then by end. */
  readonly spans: DecodedSpan[] = [];

  send(spans: readonly SpanRecord[]): Promise<SendResult> {
    const [first] = spans;
    if (first !== undefined) {
      this.spans.push(...decodeTraceRequest(new SpanEncoder(first.resource).encode(spans)));
    }
    return Promise.resolve({ acceptedCount: spans.length });
  }

  close(): void {}
}
