/**
 * Configuration: what telemetry can be told, and its defaults.
 *
 * Owns the shape only; config_env.ts fills it from environment variables, a test fills it by hand. Invariant:
 * it holds everything that startTelemetry needs, so that nothing else reads the environment.
 */
import type { MetricReaderConfig } from "../export/metric_reader.ts";
import { DEFAULT_RECORD_LIMITS, type RecordLimits } from "../export/otlp_logs.ts";
import type { OtlpConfig } from "../export/otlp_sender.ts";
import { DEFAULT_SPAN_LIMITS, type SpanLimits } from "../export/otlp_spans.ts";
import type { BatchConfig } from "../export/pipeline.ts";
import type { ExemplarFilter } from "../metrics/metric_series.ts";
import { ALL_PROPAGATORS, type Propagators } from "../trace/propagation.ts";
import type { SamplerConfig } from "../trace/sampling.ts";
import type { TailConfig } from "../tail/tail_sampler.ts";
import type { TraceStoreConfig } from "../trace_store/trace_store.ts";

/** Where spans go; `none` leaves ids in logs and headers only. */
export type ExporterType = "none" | "stdout" | "otlp";

/** How a log line looks. */
export type LogFormat = "json" | "pretty";

/** Tracing. */
export interface TracingConfig {
  /** False: no spans, no ids, no headers. */
  readonly enabled: boolean;
  readonly exporter: ExporterType;
  readonly sampler: SamplerConfig;
  /** Used when `exporter` is `otlp`. */
  readonly otlp: OtlpConfig;
  readonly batch: BatchConfig;
  readonly limits: SpanLimits;
}

/** The way of log lines to a collector, beside the one to standard output. */
export interface LogExportConfig {
  readonly exporter: "none" | "otlp";
  readonly otlp: OtlpConfig;
  readonly batch: BatchConfig;
  readonly limits: RecordLimits;
}

/** The way of metrics to a collector, beside `GET /metrics`. */
export interface MetricExportConfig extends MetricReaderConfig {
  readonly exporter: "none" | "otlp";
  readonly otlp: OtlpConfig;
}

/** Logs. */
export interface LogConfig {
  /** As in `info,tensor_wasm_exec=debug`. */
  readonly filter: string;
  readonly format: LogFormat;
}

/** Everything telemetry is told. */
export interface TelemetryConfig {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** The commit that it was built from, or `"unknown"`. */
  readonly serviceRevision: string;
  /** Attributes of the process on every span, beside the service's. */
  readonly resource: Readonly<Record<string, string>>;
  readonly propagators: Propagators;
  readonly tracing: TracingConfig;
  /** What is exported although the sampler was against it. */
  readonly tail: TailConfig;
  /** What the embedded store keeps; `bytesMax` 0 is no store. */
  readonly traces: TraceStoreConfig;
  readonly log: LogConfig;
  readonly logExport: LogExportConfig;
  readonly metricExport: MetricExportConfig;
  /** Which events may become exemplars, at a collector and in OpenMetrics. */
  readonly exemplars: ExemplarFilter;
  /** What was set and could not be followed; logged at start. */
  readonly warnings: readonly string[];
}

const OTLP: OtlpConfig = {
  url: "http://localhost:4318/v1/traces",
  headers: {},
  headersFile: undefined,
  timeoutMs: 10_000,
  compression: "none",
  tls: { certificateFile: undefined, clientCertificateFile: undefined, clientKeyFile: undefined },
};

/**
 * The defaults; those of OpenTelemetry except for the queues, which would be full after 20 ms of 15,000 requests
 * a second with six spans and two lines each, the batches, since four in one cost half to send, and the delay, so
 * that a trace can be looked up soon after its request.
 */
export const DEFAULT_TELEMETRY_CONFIG: TelemetryConfig = Object.freeze<TelemetryConfig>({
  serviceName: "tensor-wasm",
  serviceVersion: "unknown",
  serviceRevision: "unknown",
  resource: {},
  propagators: ALL_PROPAGATORS,
  tracing: {
    enabled: true,
    exporter: "none",
    sampler: { type: "parentbased_always_on", ratio: 1 },
    otlp: OTLP,
    batch: { queueCountMax: 65_536, batchCountMax: 2048, delayMs: 1000 },
    limits: DEFAULT_SPAN_LIMITS,
  },
  tail: {
    isEnabled: true,
    spansMax: 100_000,
    bytesMax: 128 * 1024 * 1024,
    ageMsMax: 3_600_000,
    slowPercent: 1,
  },
  traces: {
    bytesMax: 64 * 1024 * 1024,
    tracesMax: 100_000,
    ageMsMax: 24 * 3_600_000,
    bytesPerTraceMax: 1024 * 1024,
    spansPerTraceMax: 2000,
    linesPerTraceMax: 2000,
    writeBytesPerSecondMax: 4 * 1024 * 1024,
  },
  log: { filter: "info", format: "json" },
  logExport: {
    exporter: "none",
    otlp: { ...OTLP, url: "http://localhost:4318/v1/logs" },
    batch: { queueCountMax: 65_536, batchCountMax: 2048, delayMs: 1000 },
    limits: DEFAULT_RECORD_LIMITS,
  },
  metricExport: {
    exporter: "none",
    otlp: { ...OTLP, url: "http://localhost:4318/v1/metrics" },
    intervalMs: 60_000,
    temporality: "cumulative",
  },
  exemplars: "trace_based",
  warnings: [],
});
