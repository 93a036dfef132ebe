/**
 * SpanRecorder: a sender that keeps spans, for tests that need no collector.
 *
 * Each batch goes through the real encoding and an independent decoder, so that what a test sees is what a
 * collector would.
 */
import type { Resource } from "@opentelemetry/resources";
import { SpanEncoder } from "../../telemetry/export/otlp_spans.ts";
import type { SendResult, SpanSender } from "../../telemetry/export/sender.ts";
import type { SpanRecord } from "../../telemetry/trace/span_record.ts";
import { type DecodedSpan, decodeTraceRequest } from "./collector.ts";

/** Spans as an ExportTraceServiceRequest. */
export function encodeSpans(resource: Resource, spans: readonly SpanRecord[]): Uint8Array<ArrayBuffer> {
  const encoder = new SpanEncoder(resource);
  for (const span of spans) encoder.add(span);
  return encoder.take();
}

/** Accepts everything. */
export class SpanRecorder implements SpanSender {
  /** All spans so far, in the order in which they were sent: by scope, then by end. */
  readonly spans: DecodedSpan[] = [];

  send(spans: readonly SpanRecord[]): Promise<SendResult> {
    const [first] = spans;
    if (first !== undefined) {
      this.spans.push(...decodeTraceRequest(encodeSpans(first.resource, spans)));
    }
    return Promise.resolve({ acceptedCount: spans.length });
  }

  close(): void {}
}
