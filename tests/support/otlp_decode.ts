/**
 * OTLP, decoded: what was on the wire, by protobufjs and a schema of our own.
 *
 * Owns the schema and the plain shapes that tests look at. It trusts nothing of what encoded the bytes. Invariant:
 * what it returns is what was on the wire.
 */
import protobuf from "protobufjs";

/** The parts of opentelemetry/proto that carry spans, log records and metrics (version 1.9). */
const SCHEMA = `
syntax = "proto3";
message AnyValue {
  oneof value {
    string string_value = 1;
    bool bool_value = 2;
    int64 int_value = 3;
    double double_value = 4;
    ArrayValue array_value = 5;
    KeyValueList kvlist_value = 6;
    bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message InstrumentationScope { string name = 1; string version = 2; }
message Event {
  fixed64 time_unix_nano = 1;
  string name = 2;
  repeated KeyValue attributes = 3;
  uint32 dropped_attributes_count = 4;
}
message Status { string message = 2; uint32 code = 3; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  bytes parent_span_id = 4;
  string name = 5;
  uint32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10;
  repeated Event events = 11;
  uint32 dropped_events_count = 12;
  Status status = 15;
  fixed32 flags = 16;
}
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message LogRecord {
  fixed64 time_unix_nano = 1;
  uint32 severity_number = 2;
  string severity_text = 3;
  AnyValue body = 5;
  repeated KeyValue attributes = 6;
  uint32 dropped_attributes_count = 7;
  fixed32 flags = 8;
  bytes trace_id = 9;
  bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11;
  string event_name = 12;
}
message ScopeLogs { InstrumentationScope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
message Exemplar {
  fixed64 time_unix_nano = 2;
  oneof value { double as_double = 3; sfixed64 as_int = 6; }
  bytes span_id = 4;
  bytes trace_id = 5;
  repeated KeyValue filtered_attributes = 7;
}
message NumberDataPoint {
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated Exemplar exemplars = 5;
  repeated KeyValue attributes = 7;
  uint32 flags = 8;
}
message HistogramDataPoint {
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  optional double sum = 5;
  repeated fixed64 bucket_counts = 6;
  repeated double explicit_bounds = 7;
  repeated Exemplar exemplars = 8;
  repeated KeyValue attributes = 9;
  uint32 flags = 10;
  optional double min = 11;
  optional double max = 12;
}
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum {
  repeated NumberDataPoint data_points = 1;
  uint32 aggregation_temporality = 2;
  bool is_monotonic = 3;
}
message Histogram { repeated HistogramDataPoint data_points = 1; uint32 aggregation_temporality = 2; }
message Metric {
  string name = 1;
  string description = 2;
  string unit = 3;
  oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
}
message ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
`;

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;

/** A value of an attribute as it was decoded; integers of 64 bits that a number cannot hold are bigints. */
export type DecodedValue = string | number | bigint | boolean | undefined | readonly DecodedValue[] | {
  readonly [name: string]: DecodedValue;
};

/** Attributes by name. */
export type DecodedAttributes = Readonly<Record<string, DecodedValue>>;

/** A span as it was on the wire. Times are nanoseconds since the epoch; ids are lower-case hex. */
export interface DecodedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly scope: string;
  /** As in the protocol: 1 internal, 2 server, 5 consumer. */
  readonly kind: number;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: DecodedAttributes;
  readonly events: readonly {
    readonly name: string;
    readonly nanos: bigint;
    readonly attributes: DecodedAttributes;
    readonly droppedAttributesCount: number;
  }[];
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  /** Code 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly flags: number;
  readonly resource: DecodedAttributes;
}

/** A log record as it was on the wire. */
export interface DecodedLog {
  readonly nanos: bigint;
  readonly observedNanos: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: DecodedValue;
  readonly eventName: string;
  readonly scope: string;
  readonly attributes: DecodedAttributes;
  readonly droppedAttributesCount: number;
  /** Empty where there is none; likewise the span's. */
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  readonly resource: DecodedAttributes;
}

/** An exemplar as it was on the wire. */
export interface DecodedExemplar {
  readonly nanos: bigint;
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: DecodedAttributes;
}

/** A data point of a sum or gauge, or of a histogram, which has counts. */
export interface DecodedPoint {
  readonly startNanos: bigint;
  readonly nanos: bigint;
  readonly attributes: DecodedAttributes;
  /** Of a sum or gauge; of a histogram the sum of its values. */
  readonly value: number;
  readonly count: number;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
  readonly exemplars: readonly DecodedExemplar[];
}

/** A metric as it was on the wire. */
export interface DecodedMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly type: "sum" | "gauge" | "histogram" | "unknown";
  /** 1 delta, 2 cumulative; 0 for a gauge. */
  readonly temporality: number;
  readonly isMonotonic: boolean;
  readonly points: readonly DecodedPoint[];
  readonly scope: string;
  readonly resource: DecodedAttributes;
}

// The shapes that protobufjs makes of the schema; absent messages are null.
interface RawValue {
  readonly value?:
    | "string_value"
    | "bool_value"
    | "int_value"
    | "double_value"
    | "array_value"
    | "kvlist_value"
    | "bytes_value";
  readonly string_value?: string;
  readonly bool_value?: boolean;
  readonly int_value?: string;
  readonly double_value?: number;
  readonly array_value?: { readonly values: readonly RawValue[] };
  readonly kvlist_value?: { readonly values: readonly RawKeyValue[] };
}
interface RawKeyValue {
  readonly key: string;
  readonly value?: RawValue | null;
}
interface RawSpan {
  readonly trace_id: Uint8Array;
  readonly span_id: Uint8Array;
  readonly trace_state: string;
  readonly parent_span_id: Uint8Array;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: readonly RawKeyValue[];
  readonly dropped_attributes_count: number;
  readonly events: readonly {
    readonly dropped_attributes_count: number;
    readonly time_unix_nano: string;
    readonly name: string;
    readonly attributes: readonly RawKeyValue[];
  }[];
  readonly dropped_events_count: number;
  readonly status?: { readonly message: string; readonly code: number } | null;
  readonly flags: number;
}
interface RawLog {
  readonly time_unix_nano: string;
  readonly observed_time_unix_nano: string;
  readonly severity_number: number;
  readonly severity_text: string;
  readonly body?: RawValue | null;
  readonly event_name: string;
  readonly attributes: readonly RawKeyValue[];
  readonly dropped_attributes_count: number;
  readonly flags: number;
  readonly trace_id: Uint8Array;
  readonly span_id: Uint8Array;
}
interface RawExemplar {
  readonly time_unix_nano: string;
  readonly as_double?: number;
  readonly as_int?: string;
  readonly span_id: Uint8Array;
  readonly trace_id: Uint8Array;
  readonly filtered_attributes: readonly RawKeyValue[];
}
interface RawPoint {
  readonly start_time_unix_nano: string;
  readonly time_unix_nano: string;
  readonly attributes: readonly RawKeyValue[];
  readonly as_double?: number;
  readonly as_int?: string;
  readonly sum?: number;
  readonly count?: string;
  readonly bucket_counts?: readonly string[];
  readonly explicit_bounds?: readonly number[];
  readonly exemplars: readonly RawExemplar[];
}
interface RawMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly data?: "sum" | "gauge" | "histogram";
  readonly sum?: RawData | null;
  readonly gauge?: RawData | null;
  readonly histogram?: RawData | null;
}
interface RawData {
  readonly data_points: readonly RawPoint[];
  readonly aggregation_temporality?: number;
  readonly is_monotonic?: boolean;
}
interface RawScoped {
  readonly scope?: { readonly name: string } | null;
  readonly spans?: readonly RawSpan[];
  readonly log_records?: readonly RawLog[];
  readonly metrics?: readonly RawMetric[];
}
interface RawResourced {
  readonly resource?: { readonly attributes: readonly RawKeyValue[] } | null;
  readonly scope_spans?: readonly RawScoped[];
  readonly scope_logs?: readonly RawScoped[];
  readonly scope_metrics?: readonly RawScoped[];
}
interface RawRequest {
  readonly resource_spans?: readonly RawResourced[];
  readonly resource_logs?: readonly RawResourced[];
  readonly resource_metrics?: readonly RawResourced[];
}

interface Scoped<T> {
  readonly record: T;
  readonly scope: string;
  readonly resource: DecodedAttributes;
}

/** What stands below resources and scopes, one by one. */
function* flatten<T>(
  type: string,
  bytes: Uint8Array,
  read: (scoped: RawScoped) => readonly T[] | undefined,
): Generator<Scoped<T>> {
  const requestType = root.lookupType(type);
  const options = { longs: String, defaults: true, oneofs: true };
  const request = requestType.toObject(requestType.decode(bytes), options) as RawRequest;
  const { resource_spans = [], resource_logs = [], resource_metrics = [] } = request;
  for (const resourced of [...resource_spans, ...resource_logs, ...resource_metrics]) {
    const resource = toAttributes(resourced.resource?.attributes ?? []);
    const { scope_spans = [], scope_logs = [], scope_metrics = [] } = resourced;
    for (const scoped of [...scope_spans, ...scope_logs, ...scope_metrics]) {
      for (const record of read(scoped) ?? []) yield { record, scope: scoped.scope?.name ?? "", resource };
    }
  }
}

/** Decodes an ExportTraceServiceRequest. */
export function decodeTraceRequest(bytes: Uint8Array): DecodedSpan[] {
  return [...flatten("ExportTraceServiceRequest", bytes, ({ spans }) => spans)]
    .map(({ record, scope, resource }) => decodeSpan(record, scope, resource));
}

/** Decodes an ExportLogsServiceRequest. */
export function decodeLogsRequest(bytes: Uint8Array): DecodedLog[] {
  return [...flatten("ExportLogsServiceRequest", bytes, ({ log_records }) => log_records)]
    .map(({ record, scope, resource }) => decodeLog(record, scope, resource));
}

/** Decodes an ExportMetricsServiceRequest. */
export function decodeMetricsRequest(bytes: Uint8Array): DecodedMetric[] {
  return [...flatten("ExportMetricsServiceRequest", bytes, ({ metrics }) => metrics)]
    .map(({ record, scope, resource }) => decodeMetric(record, scope, resource));
}

/** Encodes an answer of any of the three services: they have one shape. */
export function encodeResponse(rejectedCount: number): Uint8Array<ArrayBuffer> {
  const type = root.lookupType("ExportTraceServiceResponse");
  const message = rejectedCount === 0 ? {} : { partial_success: { rejected_spans: rejectedCount } };
  return new Uint8Array(type.encode(type.fromObject(message)).finish());
}

function decodeSpan(raw: RawSpan, scope: string, resource: DecodedAttributes): DecodedSpan {
  return {
    traceId: raw.trace_id.toHex(),
    spanId: raw.span_id.toHex(),
    parentSpanId: raw.parent_span_id.toHex(),
    traceState: raw.trace_state,
    name: raw.name,
    scope,
    kind: raw.kind,
    startNanos: BigInt(raw.start_time_unix_nano),
    endNanos: BigInt(raw.end_time_unix_nano),
    attributes: toAttributes(raw.attributes),
    events: raw.events.map((event) => ({
      name: event.name,
      nanos: BigInt(event.time_unix_nano),
      attributes: toAttributes(event.attributes),
      droppedAttributesCount: event.dropped_attributes_count,
    })),
    droppedAttributesCount: raw.dropped_attributes_count,
    droppedEventsCount: raw.dropped_events_count,
    status: { code: raw.status?.code ?? 0, message: raw.status?.message ?? "" },
    flags: raw.flags,
    resource,
  };
}

function decodeLog(raw: RawLog, scope: string, resource: DecodedAttributes): DecodedLog {
  return {
    nanos: BigInt(raw.time_unix_nano),
    observedNanos: BigInt(raw.observed_time_unix_nano),
    severityNumber: raw.severity_number,
    severityText: raw.severity_text,
    body: toValue(raw.body),
    eventName: raw.event_name,
    scope,
    attributes: toAttributes(raw.attributes),
    droppedAttributesCount: raw.dropped_attributes_count,
    traceId: raw.trace_id.toHex(),
    spanId: raw.span_id.toHex(),
    flags: raw.flags,
    resource,
  };
}

function decodeMetric(raw: RawMetric, scope: string, resource: DecodedAttributes): DecodedMetric {
  const data = raw.data === undefined ? undefined : raw[raw.data];
  return {
    name: raw.name,
    description: raw.description,
    unit: raw.unit,
    type: raw.data ?? "unknown",
    temporality: data?.aggregation_temporality ?? 0,
    isMonotonic: data?.is_monotonic ?? false,
    points: (data?.data_points ?? []).map(decodePoint),
    scope,
    resource,
  };
}

function decodePoint(raw: RawPoint): DecodedPoint {
  return {
    startNanos: BigInt(raw.start_time_unix_nano),
    nanos: BigInt(raw.time_unix_nano),
    attributes: toAttributes(raw.attributes),
    value: raw.as_double ?? raw.sum ?? Number(raw.as_int ?? 0),
    count: Number(raw.count ?? 0),
    bucketCounts: (raw.bucket_counts ?? []).map(Number),
    bounds: raw.explicit_bounds ?? [],
    exemplars: raw.exemplars.map((exemplar) => ({
      nanos: BigInt(exemplar.time_unix_nano),
      value: exemplar.as_double ?? Number(exemplar.as_int ?? 0),
      traceId: exemplar.trace_id.toHex(),
      spanId: exemplar.span_id.toHex(),
      attributes: toAttributes(exemplar.filtered_attributes),
    })),
  };
}

function toAttributes(pairs: readonly RawKeyValue[]): DecodedAttributes {
  const attributes: Record<string, DecodedValue> = {};
  for (const { key, value } of pairs) {
    if (Object.hasOwn(attributes, key)) throw new Error(`Attribute ${key} is there twice`);
    attributes[key] = toValue(value);
  }
  return attributes;
}

function toValue(raw: RawValue | null | undefined): DecodedValue {
  switch (raw?.value) {
    case "string_value":
      return raw.string_value;
    case "bool_value":
      return raw.bool_value;
    case "double_value":
      return raw.double_value;
    case "int_value":
      return toInteger(raw.int_value ?? "0");
    case "array_value":
      return raw.array_value?.values.map(toValue) ?? [];
    case "kvlist_value":
      return toAttributes(raw.kvlist_value?.values ?? []);
    default:
      return undefined;
  }
}

function toInteger(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
