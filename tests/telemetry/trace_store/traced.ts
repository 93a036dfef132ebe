/**
 * Spans for tests of the trace store: a tracer whose spans and lines go to a store, under a clock that stands.
 */
import { resourceFromAttributes } from "@opentelemetry/resources";
import { PooledIdGenerator } from "../../../telemetry/trace/ids.ts";
import { SpanFanOut } from "../../../telemetry/trace/local_trace.ts";
import { makeSampler } from "../../../telemetry/trace/sampling.ts";
import type { DropReason } from "../../../telemetry/trace_store/trace_keeper.ts";
import type { EvictionReason } from "../../../telemetry/trace_store/trace_ring.ts";
import { TraceStore, type TraceStoreConfig } from "../../../telemetry/trace_store/trace_store.ts";
import { RecordingTracer } from "../../../telemetry/trace/tracer.ts";
import type { Span, SpanIds } from "../../../telemetry/mod.ts";

/** Bounds that nothing in a test reaches unless it says so. */
export const WIDE: TraceStoreConfig = {
  bytesMax: 16 * 1024 * 1024,
  tracesMax: 100_000,
  ageMsMax: 3_600_000,
  bytesPerTraceMax: 1024 * 1024,
  spansPerTraceMax: 1000,
  linesPerTraceMax: 1000,
  writeBytesPerSecondMax: 1024 * 1024 * 1024,
};

/** What a test wants of a call. */
export interface CallOptions {
  readonly traceId?: string;
  readonly tenant?: string;
  readonly status?: number;
  readonly tookMs?: number;
  readonly functionId?: string;
  readonly functionName?: string;
  readonly route?: string;
}

/** A store and a tracer that fills it. */
export class Traced {
  nowMs = 1_700_000_000_000;
  readonly dropped = new Map<DropReason, number>();
  readonly evicted = new Map<EvictionReason, number>();
  storedCount = 0;
  readonly store: TraceStore;
  readonly tracer: RecordingTracer;

  constructor(config: Partial<TraceStoreConfig> = {}) {
    this.store = new TraceStore({ ...WIDE, ...config }, () => this.nowMs, {
      evicted: (count, reason) => void this.evicted.set(reason, (this.evicted.get(reason) ?? 0) + count),
      stored: () => void this.storedCount++,
      dropped: (count, reason) => void this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count),
    });
    this.tracer = new RecordingTracer({
      resource: resourceFromAttributes({}),
      sampler: makeSampler({ type: "always_on", ratio: 1 }),
      ids: new PooledIdGenerator(),
      nowMs: () => this.nowMs,
      fanOut: new SpanFanOut([this.store.collector]),
    });
  }

  /** Begins a request; end the span to end it. */
  request(
    { traceId, tenant = "1", route = "/functions/:id/invoke" }: CallOptions = {},
  ): Span<"http.request"> {
    const parent = traceId === undefined
      ? null
      : { traceId, spanId: "c".repeat(16), traceFlags: 1, isRemote: true };
    const span = this.tracer.startSpan("http.request", {
      method: "POST",
      uri: "/functions/f/invoke",
      version: "HTTP/1.1",
      traceparent: "unknown",
      "http.route": route,
    }, { parent }) as Span<"http.request">;
    this.tracer.setTenant(span.ids, tenant);
    return span;
  }

  /** A whole call; returns its trace id. */
  call(options: CallOptions = {}): string {
    const { status = 200, tookMs = 1, functionId = "f-1", functionName = "add" } = options;
    const root = this.request(options);
    const invoke = this.tracer.startSpan("http.invoke_function", {
      function_id: functionId,
      tenant: options.tenant ?? "1",
      name: functionName,
    }, { parent: root.ids });
    this.line("request.received", root.ids);
    this.nowMs += tookMs;
    if (status >= 400) invoke.fail("failed");
    invoke.end();
    root.setAttribute("http.response.status_code", status);
    if (status >= 500) root.fail(`HTTP ${status}`);
    this.line("request.completed", root.ids, { status });
    root.end();
    return root.ids?.traceId ?? "";
  }

  /** A log line. */
  line(message: string, ids: SpanIds | undefined, fields: Record<string, string | number> = {}): void {
    this.store.line({ atMs: this.nowMs, level: "info", target: "test", message, ids, fields });
  }
}
