/**
 * StdoutSender: spans as JSON lines, for looking at traces without a collector.
 *
 * Owns the form of the line. Invariant: one span is one line, whatever its attributes hold, within the same limits as
 * at a collector.
 */
import { SpanKind } from "@opentelemetry/api";
import { escapeJson } from "../log/json_text.ts";
import type { AttributeValue } from "../names.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { DEFAULT_SPAN_LIMITS, type SpanLimits } from "./otlp_spans.ts";
import type { SendResult, SpanSender } from "./sender.ts";

/** Prints spans through `writeLine`, which gets each line without its newline. */
export class StdoutSender implements SpanSender {
  readonly #writeLine: (line: string) => void;
  readonly #limits: SpanLimits;

  constructor(writeLine: (line: string) => void, limits: SpanLimits = DEFAULT_SPAN_LIMITS) {
    this.#writeLine = writeLine;
    this.#limits = limits;
  }

  send(spans: readonly SpanRecord[]): Promise<SendResult> {
    for (const span of spans) this.#writeLine(formatSpan(span, this.#limits));
    return Promise.resolve({ acceptedCount: spans.length });
  }

  close(): void {}
}

/** A span as one JSON object; times are RFC 3339, durations in milliseconds. What limits leave out is counted. */
function formatSpan(span: SpanRecord, limits: SpanLimits): string {
  const all: [name: string, value: AttributeValue][] = [];
  span.visitAttributes((name, value) => all.push([name, value]));
  const events = span.timedEvents.slice(0, limits.eventCountMax);
  const eventsDroppedCount = span.droppedEventsCount + span.timedEvents.length - events.length;
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
    attributes: limited(all, limits.attributeCountMax, limits.textLengthMax),
    dropped_attributes: orNothing(all.length - limits.attributeCountMax),
    events: events.map(({ name, atMs, attributes = {} }) => ({
      name,
      time: new Date(atMs).toISOString(),
      attributes: limited(Object.entries(attributes), limits.eventAttributeCountMax, limits.textLengthMax),
    })),
    dropped_events: orNothing(eventsDroppedCount),
  };
  return escapeJson(JSON.stringify(line));
}

/** So many of the attributes, with texts of that length at most. */
function limited(
  attributes: readonly (readonly [name: string, value: AttributeValue])[],
  countMax: number,
  textLengthMax: number,
): Record<string, unknown> {
  const cut = (value: unknown): unknown => typeof value === "string" ? value.slice(0, textLengthMax) : value;
  return Object.fromEntries(
    attributes.slice(0, countMax).map((
      [name, value],
    ) => [name, Array.isArray(value) ? value.map(cut) : cut(value)]),
  );
}

/** A count that is left out where there is nothing to say. */
function orNothing(count: number): number | undefined {
  return count > 0 ? count : undefined;
}
