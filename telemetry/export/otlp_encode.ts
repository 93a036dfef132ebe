/**
 * OTLP encoding: spans as an ExportTraceServiceRequest in protobuf.
 *
 * Owns the messages of opentelemetry/proto/trace/v1/trace.proto and what of them is written. It sends nothing
 * (otlp_sender.ts does). Invariant: what is decoded from the result is what was recorded; a test compares it
 * with the SDK's own serializer, which takes six times as long.
 */
import type { InstrumentationScope } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import { SpanStatusCode } from "@opentelemetry/api";
import type { AttributeValue } from "../names.ts";
import type { SpanEvent } from "../span.ts";
import type { SpanRecord } from "../span_record.ts";
import { FIXED32, FIXED64, LENGTH_DELIMITED, ProtoWriter, tagOf, VARINT } from "./proto_writer.ts";

/** Longest text of an attribute, in UTF-16 units; the rest is cut, because some of it comes from callers. */
export const TEXT_LENGTH_MAX = 4096;

/** trace.proto, SpanFlags: the parent's remoteness is known, and it is remote. */
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;
const BUFFER_BYTES_START = 64 * 1024;

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
  events: tagOf(11, LENGTH_DELIMITED),
  droppedEvents: tagOf(12, VARINT),
  status: tagOf(15, LENGTH_DELIMITED),
  flags: tagOf(16, FIXED32),
} as const;

/** Field numbers 1 and 2 with a length, which most small messages here consist of. */
const FIRST = tagOf(1, LENGTH_DELIMITED);
const SECOND = tagOf(2, LENGTH_DELIMITED);

function groupByScope(spans: readonly SpanRecord[]): Map<InstrumentationScope, SpanRecord[]> {
  const groups = new Map<InstrumentationScope, SpanRecord[]>();
  for (const span of spans) {
    const group = groups.get(span.row.scope);
    if (group === undefined) groups.set(span.row.scope, [span]);
    else group.push(span);
  }
  return groups;
}

/** Encodes the spans of one resource, batch after batch. */
export class SpanEncoder {
  readonly #resource: Resource;
  readonly #writer = new ProtoWriter(BUFFER_BYTES_START);
  /** Made once, not for each span. */
  readonly #spanAttribute: (name: string, value: AttributeValue) => void;

  constructor(resource: Resource) {
    this.#resource = resource;
    this.#spanAttribute = (name, value) => {
      this.#writer.varint(SPAN.attributes);
      this.#keyValue(name, value);
    };
  }

  /** An ExportTraceServiceRequest. */
  encode(spans: readonly SpanRecord[]): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    writer.clear();
    writer.varint(FIRST);
    const resourceSpans = writer.begin();
    this.#resourceMessage();
    for (const [scope, members] of groupByScope(spans)) this.#scope(scope, members);
    writer.end(resourceSpans);
    return writer.take();
  }

  #resourceMessage(): void {
    const writer = this.#writer;
    writer.varint(FIRST);
    const message = writer.begin();
    for (const [name, value] of Object.entries(this.#resource.attributes)) {
      writer.varint(FIRST);
      this.#keyValue(name, value as AttributeValue);
    }
    writer.end(message);
  }

  #scope(scope: InstrumentationScope, spans: readonly SpanRecord[]): void {
    const writer = this.#writer;
    writer.varint(SECOND);
    const scopeSpans = writer.begin();
    writer.varint(FIRST);
    const message = writer.begin();
    this.#text(FIRST, scope.name);
    writer.end(message);
    for (const span of spans) {
      writer.varint(SECOND);
      this.#span(span);
    }
    writer.end(scopeSpans);
  }

  #span(span: SpanRecord): void {
    const writer = this.#writer;
    const { ids, parentIds } = span;
    const message = writer.begin();
    this.#id(SPAN.traceId, ids.traceId);
    this.#id(SPAN.spanId, ids.spanId);
    if (ids.traceState !== undefined) this.#text(SPAN.traceState, ids.traceState.serialize());
    if (parentIds !== undefined) this.#id(SPAN.parentSpanId, parentIds.spanId);
    this.#text(SPAN.name, span.name);
    writer.varint(SPAN.kind);
    // The protocol counts from 1, the API from 0.
    writer.varint(span.row.kind + 1);
    this.#instant(SPAN.start, span.startMs);
    this.#instant(SPAN.end, span.endMs);
    span.visitAttributes(this.#spanAttribute);
    for (const event of span.timedEvents) this.#event(event);
    if (span.droppedEventsCount > 0) {
      writer.varint(SPAN.droppedEvents);
      writer.varint(span.droppedEventsCount);
    }
    if (span.failure !== undefined) this.#status(span.failure);
    writer.varint(SPAN.flags);
    writer.fixed32(ids.traceFlags | HAS_IS_REMOTE | (parentIds?.isRemote === true ? IS_REMOTE : 0));
    writer.end(message);
  }

  #event(event: SpanEvent): void {
    const writer = this.#writer;
    writer.varint(SPAN.events);
    const message = writer.begin();
    this.#instant(tagOf(1, FIXED64), event.atMs);
    this.#text(SECOND, event.name);
    for (const [name, value] of Object.entries(event.attributes ?? {})) {
      writer.varint(tagOf(3, LENGTH_DELIMITED));
      this.#keyValue(name, value);
    }
    writer.end(message);
  }

  #status(failure: string): void {
    const writer = this.#writer;
    writer.varint(SPAN.status);
    const message = writer.begin();
    this.#text(SECOND, failure);
    writer.varint(tagOf(3, VARINT));
    writer.varint(SpanStatusCode.ERROR);
    writer.end(message);
  }

  #keyValue(name: string, value: AttributeValue): void {
    const writer = this.#writer;
    const message = writer.begin();
    this.#text(FIRST, name);
    writer.varint(SECOND);
    this.#anyValue(value);
    writer.end(message);
  }

  #anyValue(value: AttributeValue): void {
    const writer = this.#writer;
    const message = writer.begin();
    if (typeof value === "string") {
      this.#text(FIRST, value);
    } else if (typeof value === "boolean") {
      writer.varint(tagOf(2, VARINT));
      writer.varint(value ? 1 : 0);
    } else if (Array.isArray(value)) {
      writer.varint(tagOf(5, LENGTH_DELIMITED));
      this.#arrayValue(value);
    } else if (Number.isSafeInteger(value)) {
      writer.varint(tagOf(3, VARINT));
      writer.int64(value);
    } else if (typeof value === "number") {
      writer.varint(tagOf(4, FIXED64));
      writer.double(value);
    } else {
      // Types rule it out; if it comes all the same, one odd value must not cost the batch.
      this.#text(FIRST, String(value));
    }
    writer.end(message);
  }

  #arrayValue(values: readonly (string | number | boolean)[]): void {
    const writer = this.#writer;
    const message = writer.begin();
    for (const value of values) {
      writer.varint(FIRST);
      this.#anyValue(value);
    }
    writer.end(message);
  }

  #id(tag: number, digits: string): void {
    this.#writer.varint(tag);
    this.#writer.hex(digits);
  }

  #text(tag: number, text: string): void {
    this.#writer.varint(tag);
    this.#writer.string(text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) : text);
  }

  #instant(tag: number, ms: number): void {
    this.#writer.varint(tag);
    this.#writer.nanos(ms);
  }
}
