/**
 * StdoutSender: spans as JSON lines, for looking at traces without a collector.
 *
 * Owns the form of the line. Invariant: one span is one line, whatever its attributes hold.
 */
import { SpanKind } from "@opentelemetry/api";
import { escapeJson } from "../log/json_text.ts";
import type { AttributeValue } from "../names.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import type { SendResult, SpanSender } from "./sender.ts";

/** Prints spans through `writeLine`, which gets each line without its newline. */
export class StdoutSender implements SpanSender {
  readonly #writeLine: (line: string) => void;

  constructor(writeLine: (line: string) => void) {
    this.#writeLine = writeLine;
  }

  send(spans: readonly SpanRecord[]): Promise<SendResult> {
    for (const span of spans) this.#writeLine(formatSpan(span));
    return Promise.resolve({ acceptedCount: spans.length });
  }

  close(): void {}
}

/** A span as one JSON object; times are RFC 3339, durations in milliseconds. */
export function formatSpan(span: SpanRecord): string {
  const attributes: Record<string, AttributeValue> = {};
  span.visitAttributes((name, value) => attributes[name] = value);
  const line = {
    span: span.name,
    trace_id: span.ids.traceId,
    span_id: span.ids.spanId,
    parent_span_id: span.parentIds?.spanId,
    scope: span.row.scope.name,
    kind: SpanKind[span.kind].toLowerCase(),
    start: new Date(span.startMs).toISOString(),
    duration_ms: Math.round((span.endMs - span.startMs) * 1000) / 1000,
    status: span.failure === undefined ? "unset" : "error",
    failure: span.failure,
    attributes,
    events: span.timedEvents.map(({ name, atMs, attributes }) => ({
      name,
      time: new Date(atMs).toISOString(),
      attributes,
    })),
  };
  return escapeJson(JSON.stringify(line));
}
