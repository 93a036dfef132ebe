/**
 * OTLP traces: spans as an ExportTraceServiceRequest in protobuf.
 *
 * Owns the messages of opentelemetry/proto/trace/v1/trace.proto and what of them is written. It sends nothing
 * (otlp_sender.ts does). Invariant: what is decoded from the result is what was recorded; a test compares it
 * with the SDK's own serializer, which takes six times as long.
 */
import type { Resource } from "@opentelemetry/resources";
import { SpanStatusCode } from "@opentelemetry/api";
import type { AttributeValue } from "../names.ts";
import type { SpanEvent } from "../trace/span.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { BufferPool } from "./buffer_pool.ts";
import { type OtlpWriter, SECOND, TEXT_LENGTH_MAX } from "./otlp_writer.ts";
import { FIXED32, FIXED64, LENGTH_DELIMITED, tagOf, VARINT } from "./proto_writer.ts";
import { ScopedBatch } from "./scoped_batch.ts";
import type { Batcher } from "./sender.ts";

/** OpenTelemetry's limits on what a span carries; required attributes come first and are the last to go. */
export interface SpanLimits {
  readonly attributeCountMax: number;
  /** Longest text of an attribute, in UTF-16 units; the rest is cut. */
  readonly textLengthMax: number;
  readonly eventCountMax: number;
  readonly eventAttributeCountMax: number;
}

/** The specification's defaults, but for the length of texts, which it leaves unbounded. */
export const DEFAULT_SPAN_LIMITS: SpanLimits = Object.freeze({
  attributeCountMax: 128,
  textLengthMax: TEXT_LENGTH_MAX,
  eventCountMax: 128,
  eventAttributeCountMax: 128,
});

/** trace.proto, SpanFlags: the parent's remoteness is known, and it is remote. */
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

const SPAN = {
  traceId: tagOf(1, LENGTH_DELIMITED),
  spanId: tagOf(2, LENGTH_DELIMITED),
  traceState: tagOf(3, LENGTH_DELIMITED),
  parentSpanId: tagOf(4, LENGTH_DELIMITED),
  name: tagOf(5, LENGTH_DELIMITED),
  kind: tagOf(6, VARINT),
  start: tagOf(7, FIXED64),
  end: tagOf(8, FIXED64),
  attributes: tagOf(9, LENGTH_DELIMITED),
  droppedAttributes: tagOf(10, VARINT),
  events: tagOf(11, LENGTH_DELIMITED),
  droppedEvents: tagOf(12, VARINT),
  status: tagOf(15, LENGTH_DELIMITED),
  flags: tagOf(16, FIXED32),
} as const;

const EVENT = {
  time: tagOf(1, FIXED64),
  name: SECOND,
  attributes: tagOf(3, LENGTH_DELIMITED),
  droppedAttributes: tagOf(4, VARINT),
} as const;

/** Encodes the spans of one resource, each when it comes, batch after batch. */
export class SpanEncoder implements Batcher<SpanRecord, Uint8Array<ArrayBuffer>> {
  readonly #batch: ScopedBatch;
  readonly #limits: SpanLimits;
  /** Of the span that is being written. */
  #writer: OtlpWriter | undefined;
  #attributeCount = 0;
  /** Made once, not for each span. */
  readonly #writeSpan: (writer: OtlpWriter, span: SpanRecord) => void;
  readonly #writeAttribute: (name: string, value: AttributeValue) => void;

  constructor(
    resource: Resource,
    limits: SpanLimits = DEFAULT_SPAN_LIMITS,
    buffers: BufferPool = new BufferPool(),
  ) {
    this.#batch = new ScopedBatch(resource.attributes, limits.textLengthMax, buffers);
    this.#limits = limits;
    this.#writeSpan = (writer, span) => this.#span(writer, span);
    this.#writeAttribute = (name, value) => {
      if (this.#attributeCount++ >= limits.attributeCountMax) return;
      this.#writer?.varint(SPAN.attributes);
      this.#writer?.keyValue(name, value);
    };
  }

  get bytes(): number {
    return this.#batch.bytes;
  }

  add(span: SpanRecord): void {
    this.#batch.add(span.row.scope.name, span, this.#writeSpan);
  }

  /** An ExportTraceServiceRequest. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#batch.take();
  }

  #span(writer: OtlpWriter, span: SpanRecord): void {
    const { ids, parentIds } = span;
    writer.id(SPAN.traceId, ids.traceId);
    writer.id(SPAN.spanId, ids.spanId);
    if (ids.traceState !== undefined) {
      writer.varint(SPAN.traceState);
      writer.string(ids.traceState.serialize());
    }
    if (parentIds !== undefined) writer.id(SPAN.parentSpanId, parentIds.spanId);
    writer.text(SPAN.name, span.name);
    writer.varint(SPAN.kind);
    // The protocol counts from 1, the API from 0.
    writer.varint(span.row.kind + 1);
    writer.instant(SPAN.start, span.startMs);
    writer.instant(SPAN.end, span.endMs);
    this.#attributes(writer, span);
    this.#events(writer, span);
    if (span.failure !== undefined) writeStatus(writer, span.failure);
    writer.varint(SPAN.flags);
    writer.fixed32(ids.traceFlags | HAS_IS_REMOTE | (parentIds?.isRemote === true ? IS_REMOTE : 0));
  }

  #attributes(writer: OtlpWriter, span: SpanRecord): void {
    this.#writer = writer;
    this.#attributeCount = 0;
    span.visitAttributes(this.#writeAttribute);
    const droppedCount = this.#attributeCount - this.#limits.attributeCountMax;
    if (droppedCount > 0) {
      writer.varint(SPAN.droppedAttributes);
      writer.varint(droppedCount);
    }
  }

  #events(writer: OtlpWriter, span: SpanRecord): void {
    const { timedEvents } = span;
    const { eventCountMax } = this.#limits;
    for (let index = 0; index < timedEvents.length && index < eventCountMax; index++) {
      const event = timedEvents[index];
      if (event !== undefined) this.#event(writer, event);
    }
    const droppedCount = span.droppedEventsCount + Math.max(0, timedEvents.length - eventCountMax);
    if (droppedCount > 0) {
      writer.varint(SPAN.droppedEvents);
      writer.varint(droppedCount);
    }
  }

  #event(writer: OtlpWriter, event: SpanEvent): void {
    writer.varint(SPAN.events);
    const message = writer.begin();
    writer.instant(EVENT.time, event.atMs);
    writer.text(EVENT.name, event.name);
    let attributeCount = 0;
    for (const [name, value] of Object.entries(event.attributes ?? {})) {
      if (attributeCount++ >= this.#limits.eventAttributeCountMax) continue;
      writer.varint(EVENT.attributes);
      writer.keyValue(name, value);
    }
    const droppedCount = attributeCount - this.#limits.eventAttributeCountMax;
    if (droppedCount > 0) {
      writer.varint(EVENT.droppedAttributes);
      writer.varint(droppedCount);
    }
    writer.end(message);
  }
}

function writeStatus(writer: OtlpWriter, failure: string): void {
  writer.varint(SPAN.status);
  const message = writer.begin();
  writer.text(SECOND, failure);
  writer.varint(tagOf(3, VARINT));
  writer.varint(SpanStatusCode.ERROR);
  writer.end(message);
}
