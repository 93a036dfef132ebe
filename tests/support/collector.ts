/**
 * Collector: an OTLP/HTTP receiver on a free port of this machine, for tests.
 *
 * Owns the three services of OTLP/HTTP and knobs for the ways in which collectors fail; otlp_decode.ts reads the
 * bytes. A path that ends in none of the three names takes traces. Invariant: what it hands out is what was on
 * the wire.
 */
import {
  type DecodedLog,
  type DecodedMetric,
  type DecodedSpan,
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
  encodeResponse,
} from "./otlp_decode.ts";

export type {
  DecodedAttributes,
  DecodedLog,
  DecodedMetric,
  DecodedSpan,
  DecodedValue,
} from "./otlp_decode.ts";
export { decodeTraceRequest } from "./otlp_decode.ts";

/** A request that arrived. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly spans: readonly DecodedSpan[];
  readonly logs: readonly DecodedLog[];
  readonly metrics: readonly DecodedMetric[];
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

/** A running collector. */
export class Collector implements AsyncDisposable {
  /** Change it at any time. */
  mode: CollectorMode = { type: "accept" };
  /** Every request that was read, refused ones included. */
  readonly requests: ReceivedRequest[] = [];
  /** Spans that were taken. */
  readonly spans: DecodedSpan[] = [];
  /** Log records that were taken. */
  readonly logs: DecodedLog[] = [];
  /** Metrics that were taken, of one request after another. */
  readonly metrics: DecodedMetric[] = [];
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
    const { pathname } = new URL(request.url);
    const received = decode(pathname, request.headers, bytes, encoded.length);
    this.requests.push(received);
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
        return this.#respond(received, mode.rejectedCount);
      case "accept":
    }
    return this.#respond(received, 0);
  }

  #respond({ spans, logs, metrics }: ReceivedRequest, rejectedCount: number): Response {
    this.spans.push(...spans.slice(rejectedCount));
    this.logs.push(...logs.slice(rejectedCount));
    this.metrics.push(...metrics);
    return new Response(encodeResponse(rejectedCount), {
      headers: { "content-type": "application/x-protobuf" },
    });
  }

  /** Waits, but not longer than the collector lives. */
  async #wait(delayMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, delayMs);
    await Promise.race([late.promise, this.#stop.promise]);
    clearTimeout(timer);
  }
}

function decode(path: string, headers: Headers, bytes: Uint8Array, bytesCount: number): ReceivedRequest {
  const isLogs = path.endsWith("/v1/logs");
  const isMetrics = path.endsWith("/v1/metrics");
  return {
    path,
    headers,
    spans: isLogs || isMetrics ? [] : decodeTraceRequest(bytes),
    logs: isLogs ? decodeLogsRequest(bytes) : [],
    metrics: isMetrics ? decodeMetricsRequest(bytes) : [],
    bytesCount,
  };
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
