/**
 * Telemetry: spans, logs and metrics under the names of the observability contract.
 *
 * The public face of this room; nothing else in it is imported from outside, and no other room imports a
 * telemetry library.
 */
export { SPANS, UNKNOWN } from "./names.ts";
export { METRICS } from "./metrics/metric_names.ts";
export type { MetricLabels, MetricName, MetricNameOf, MetricType } from "./metrics/metric_names.ts";
export type { AttributeName, AttributeValue, SpanAttributes, SpanKindName, SpanName } from "./names.ts";
export { DEFAULT_TELEMETRY_CONFIG } from "./config/config.ts";
export type {
  ExporterType,
  LogConfig,
  LogExportConfig,
  LogFormat,
  MetricExportConfig,
  TelemetryConfig,
  TracingConfig,
} from "./config/config.ts";
export { telemetryConfigFromEnv } from "./config/config_env.ts";
export type { ServiceDefaults } from "./config/config_env.ts";
export { withFileSection } from "./config/config_file.ts";
export { REFUSED_VARIABLES, variableNames, VARIABLES } from "./config/variables.ts";
export type { RefusedRow, VariableRow } from "./config/variables.ts";
export { TelemetryConfigError } from "./config/env_reader.ts";
export type { Environment } from "./config/env_reader.ts";
export { startTelemetry } from "./telemetry.ts";
export type { Telemetry, TelemetryDeps } from "./telemetry.ts";
export { TelemetryStartError } from "./trace/active_span.ts";
export { NULL_TRACER } from "./trace/tracer.ts";
export type { DescribedSpan, JoinedSpan, SpanOptions, Tracer } from "./trace/tracer.ts";
export { NULL_SPAN } from "./trace/span.ts";
export type { Span, SpanEvent } from "./trace/span.ts";
export type { SpanIds } from "./trace/ids.ts";
export { formatTraceparent, parseTraceparent } from "./trace/traceparent.ts";
export type { HeaderReader, HeaderWriter, RemoteContext } from "./trace/propagation.ts";
export type { SamplerConfig, SamplerType } from "./trace/sampling.ts";
export type { OtlpConfig } from "./export/otlp_sender.ts";
export type { BatchConfig } from "./export/pipeline.ts";
export type { SendResult, SpanSender } from "./export/sender.ts";
export { LogFilterError, parseLogFilter } from "./log/log_filter.ts";
export { LOG_LEVELS } from "./log/log_line.ts";
export type { LogFields, LogLevel } from "./log/log_line.ts";
export type { Logger } from "./log/log.ts";
export type { LoggedEvent, LogTap } from "./log/log_tap.ts";
export type { PlainFields, PlainValue } from "./log/plain_value.ts";
export type { LogOutput, WriteBytes } from "./log/line_buffer.ts";
export type { Metrics, MetricsText } from "./metrics/metrics.ts";
export { watchProcess } from "./metrics/process_metrics.ts";
export type { Counter, Exemplar, Gauge, Histogram, SeriesReading } from "./metrics/metric_series.ts";
export type { FamilyReading, MetricsReading } from "./metrics/metrics.ts";
export type { MetricsFormat } from "./metrics/exposition.ts";
export { TraceStore } from "./trace_store/trace_store.ts";
export type { TraceStoreConfig } from "./trace_store/trace_store.ts";
export type { TraceFolder } from "./trace_store/trace_keeper.ts";
export { STATUS_WORDS } from "./trace_store/trace_query.ts";
export type {
  StatusFilter,
  StoredTrace,
  TracePage,
  TraceQuery,
  TraceSummary,
} from "./trace_store/trace_query.ts";
export type { StoredEvent, StoredLine, StoredSpan } from "./trace_store/trace_piece.ts";
export type { Verdict } from "./trace/trace_verdict.ts";
export type { TailConfig } from "./tail/tail_sampler.ts";
