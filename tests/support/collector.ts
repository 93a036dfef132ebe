/**
 * Collector: an OTLP/HTTP receiver on a free port of this machine, for tests.
 *
 * Owns the decoding of trace requests from their protobuf form, by protobufjs and a schema of our own, so that
 * nothing of what encoded them is trusted; and knobs for the ways in which collectors fail. Invariant: what it
 * hands out is what was on the wire.
 */
import protobuf from "protobufjs";

/** The parts of opentelemetry/proto/collector/trace/v1/trace_service.proto that carry spans. */
const SCHEMA = `
syntax = "proto3";
message AnyValue {
  oneof value {
    string string_value = 1;
    bool bool_value = 2;
    int64 int_value = 3;
    double double_value = 4;
    ArrayValue array_value = 5;
    bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
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
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
`;

/** A value of an attribute as it was decoded; integers of 64 bits that a number cannot hold are bigints. */
export type DecodedValue = string | number | bigint | boolean | undefined | readonly DecodedValue[];

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
  }[];
  readonly droppedEventsCount: number;
  /** Code 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly flags: number;
  readonly resource: DecodedAttributes;
}

/** A request that arrived. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly spans: readonly DecodedSpan[];
  readonly bytesCount: number;
}

/** How the collector answers. */
export type CollectorMode =
  | { readonly type: "accept" }
  /** Answers with a status, and `Retry-After` if given, without taking the spans. */
  | { readonly type: "refuse"; readonly status: number; readonly retryAfter?: string }
  /** Refuses the first `count` requests and takes the rest. */
  | {
    readonly type: "refuse_first";
    readonly count: number;
    readonly status: number;
    readonly retryAfter?: string;
  }
  /** Takes the spans after a delay. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** Never answers. */
  | { readonly type: "hang" }
  /** Answers 200 and says that some spans were rejected. */
  | { readonly type: "partial"; readonly rejectedCount: number };

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;
const RequestType = root.lookupType("ExportTraceServiceRequest");
const ResponseType = root.lookupType("ExportTraceServiceResponse");

/** A running collector. */
export class Collector implements AsyncDisposable {
  /** Change it at any time. */
  mode: CollectorMode = { type: "accept" };
  /** Every request that was read, refused ones included. */
  readonly requests: ReceivedRequest[] = [];
  /** Spans that were taken. */
  readonly spans: DecodedSpan[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = Promise.withResolvers<void>();
  #refusedCount = 0;

  constructor(port = 0) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Where trace requests go. */
  get url(): string {
    return `${this.endpoint}/v1/traces`;
  }

  /** The spans of one trace. */
  trace(traceId: string): DecodedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.resolve();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const encoded = new Uint8Array(await request.arrayBuffer());
    const bytes = request.headers.get("content-encoding") === "gzip" ? await gunzip(encoded) : encoded;
    const spans = decodeTraceRequest(bytes);
    const { pathname } = new URL(request.url);
    this.requests.push({ path: pathname, headers: request.headers, spans, bytesCount: encoded.length });
    const { mode } = this;
    switch (mode.type) {
      case "refuse":
        return refuse(mode.status, mode.retryAfter);
      case "refuse_first":
        if (this.#refusedCount++ < mode.count) return refuse(mode.status, mode.retryAfter);
        break;
      case "delay":
        await this.#wait(mode.delayMs);
        break;
      case "hang":
        await this.#stop.promise;
        break;
      case "partial":
        return this.#respond(spans.slice(mode.rejectedCount), mode.rejectedCount);
      case "accept":
    }
    return this.#respond(spans, 0);
  }

  #respond(spans: readonly DecodedSpan[], rejectedCount: number): Response {
    this.spans.push(...spans);
    const message = rejectedCount === 0 ? {} : { partial_success: { rejected_spans: rejectedCount } };
    const body = new Uint8Array(ResponseType.encode(ResponseType.fromObject(message)).finish());
    return new Response(body, { headers: { "content-type": "application/x-protobuf" } });
  }

  /** Waits, but not longer than the collector lives. */
  async #wait(delayMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, delayMs);
    await Promise.race([late.promise, this.#stop.promise]);
    clearTimeout(timer);
  }
}

function refuse(status: number, retryAfter: string | undefined): Response {
  return new Response("no", {
    status,
    headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
  });
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The shapes that protobufjs makes of the schema; absent messages are null.
interface RawValue {
  readonly value?:
    | "string_value"
    | "bool_value"
    | "int_value"
    | "double_value"
    | "array_value"
    | "bytes_value";
  readonly string_value?: string;
  readonly bool_value?: boolean;
  readonly int_value?: string;
  readonly double_value?: number;
  readonly array_value?: { readonly values: readonly RawValue[] };
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
  readonly events: readonly {
    readonly time_unix_nano: string;
    readonly name: string;
    readonly attributes: readonly RawKeyValue[];
  }[];
  readonly dropped_events_count: number;
  readonly status?: { readonly message: string; readonly code: number } | null;
  readonly flags: number;
}
interface RawRequest {
  readonly resource_spans: readonly {
    readonly resource?: { readonly attributes: readonly RawKeyValue[] } | null;
    readonly scope_spans: readonly {
      readonly scope?: { readonly name: string } | null;
      readonly spans: readonly RawSpan[];
    }[];
  }[];
}

/** Decodes an ExportTraceServiceRequest. */
export function decodeTraceRequest(bytes: Uint8Array): DecodedSpan[] {
  const message = RequestType.decode(bytes);
  const request = RequestType.toObject(message, {
    longs: String,
    defaults: true,
    oneofs: true,
  }) as RawRequest;
  return request.resource_spans.flatMap(({ resource, scope_spans }) =>
    scope_spans.flatMap(({ scope, spans }) =>
      spans.map((span) => decodeSpan(span, scope?.name ?? "", toAttributes(resource?.attributes ?? [])))
    )
  );
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
    })),
    droppedEventsCount: raw.dropped_events_count,
    status: { code: raw.status?.code ?? 0, message: raw.status?.message ?? "" },
    flags: raw.flags,
    resource,
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
    default:
      return undefined;
  }
}

function toInteger(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
