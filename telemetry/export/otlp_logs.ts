/**
 * OTLP logs: log events as an ExportLogsServiceRequest in protobuf.
 *
 * Owns the messages of opentelemetry/proto/logs/v1/logs.proto and how an event becomes one: its target is the
 * scope, its name both `event_name` and the body, its fields the attributes. It redacts nothing: events come
 * from the log's tap, redacted. Invariant: a record carries the ids that its line carries.
 */
import type { Resource } from "@opentelemetry/resources";
import type { LogLevel } from "../log/log_line.ts";
import type { LoggedEvent } from "../log/log_tap.ts";
import { BufferPool } from "./buffer_pool.ts";
import { type OtlpWriter, TEXT_LENGTH_MAX } from "./otlp_writer.ts";
import { FIXED32, FIXED64, LENGTH_DELIMITED, tagOf, VARINT } from "./proto_writer.ts";
import { ScopedBatch } from "./scoped_batch.ts";
import type { Batcher } from "./sender.ts";

/** OpenTelemetry's limits on what a log record carries. */
export interface RecordLimits {
  readonly attributeCountMax: number;
  /** Longest text of an attribute, in UTF-16 units; the rest is cut. */
  readonly textLengthMax: number;
}

/** The specification's default, but for the length of texts, which it leaves unbounded. */
export const DEFAULT_RECORD_LIMITS: RecordLimits = Object.freeze({
  attributeCountMax: 128,
  textLengthMax: 4 * TEXT_LENGTH_MAX,
});

const RECORD = {
  time: tagOf(1, FIXED64),
  severityNumber: tagOf(2, VARINT),
  severityText: tagOf(3, LENGTH_DELIMITED),
  body: tagOf(5, LENGTH_DELIMITED),
  attributes: tagOf(6, LENGTH_DELIMITED),
  droppedAttributes: tagOf(7, VARINT),
  flags: tagOf(8, FIXED32),
  traceId: tagOf(9, LENGTH_DELIMITED),
  spanId: tagOf(10, LENGTH_DELIMITED),
  observedTime: tagOf(11, FIXED64),
  eventName: tagOf(12, LENGTH_DELIMITED),
} as const;

/** Logs Data Model, "Severity Fields": the first number of each range. */
const SEVERITY: Readonly<Record<LogLevel, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17 };

/** Encodes the events of one resource, each when it comes, batch after batch. */
export class LogEncoder implements Batcher<LoggedEvent, Uint8Array<ArrayBuffer>> {
  readonly #batch: ScopedBatch;
  /** Made once, not for each event. */
  readonly #write: (writer: OtlpWriter, event: LoggedEvent) => void;

  constructor(
    resource: Resource,
    limits: RecordLimits = DEFAULT_RECORD_LIMITS,
    buffers: BufferPool = new BufferPool(),
  ) {
    this.#batch = new ScopedBatch(resource.attributes, limits.textLengthMax, buffers);
    this.#write = (writer, event) => writeRecord(writer, event, limits.attributeCountMax);
  }

  get bytes(): number {
    return this.#batch.bytes;
  }

  add(event: LoggedEvent): void {
    this.#batch.add(event.target, event, this.#write);
  }

  /** An ExportLogsServiceRequest. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#batch.take();
  }
}

function writeRecord(writer: OtlpWriter, event: LoggedEvent, attributeCountMax: number): void {
  const { ids, fields } = event;
  writer.instant(RECORD.time, event.atMs);
  writer.instant(RECORD.observedTime, event.atMs);
  writer.varint(RECORD.severityNumber);
  writer.varint(SEVERITY[event.level]);
  writer.text(RECORD.severityText, event.level);
  writer.varint(RECORD.body);
  writer.body(event.message);
  writer.text(RECORD.eventName, event.message);
  let attributeCount = 0;
  for (const name of Object.keys(fields)) {
    if (attributeCount++ >= attributeCountMax) continue;
    writer.varint(RECORD.attributes);
    writer.keyValue(name, fields[name]);
  }
  if (attributeCount > attributeCountMax) {
    writer.varint(RECORD.droppedAttributes);
    writer.varint(attributeCount - attributeCountMax);
  }
  if (ids === undefined) return;
  writer.varint(RECORD.flags);
  writer.fixed32(ids.traceFlags);
  writer.id(RECORD.traceId, ids.traceId);
  writer.id(RECORD.spanId, ids.spanId);
}
