/**
 * Telemetry: spans, logs and metrics under the names of the observability contract.
 *
 * The public face of this room; nothing else in it is imported from outside, and no other room imports a
 * telemetry library.
 */
export { SPANS, UNKNOWN } from "./names.ts";
export { METRICS } from "./metric_names.ts";
export type { MetricLabels, MetricName, MetricNameOf, MetricType } from "./metric_names.ts";
export type { AttributeName, AttributeValue, SpanAttributes, SpanKindName, SpanName } from "./names.ts";
export { DEFAULT_TELEMETRY_CONFIG } from "./config.ts";
export type {
  ExporterType,
  LogConfig,
  LogExportConfig,
  LogFormat,
  MetricExportConfig,
  TelemetryConfig,
  TracingConfig,
} from "./config.ts";
export { telemetryConfigFromEnv } from "./config_env.ts";
export type { ServiceDefaults } from "./config_env.ts";
export { withFileSection } from "./config_file.ts";
export { REFUSED_VARIABLES, variableNames, VARIABLES } from "./variables.ts";
export type { RefusedRow, VariableRow } from "./variables.ts";
export { TelemetryConfigError } from "./env_reader.ts";
export type { Environment } from "./env_reader.ts";
export { startTelemetry } from "./telemetry.ts";
export type { Telemetry, TelemetryDeps } from "./telemetry.ts";
export { TelemetryStartError } from "./active_span.ts";
export { NULL_TRACER } from "./tracer.ts";
export type { DescribedSpan, JoinedSpan, SpanOptions, Tracer } from "./tracer.ts";
export { NULL_SPAN } from "./span.ts";
export type { Span, SpanEvent } from "./span.ts";
export type { SpanIds } from "./ids.ts";
export { formatTraceparent, parseTraceparent } from "./traceparent.ts";
export type { HeaderReader, HeaderWriter, RemoteContext } from "./propagation.ts";
export type { SamplerConfig, SamplerType } from "./sampling.ts";
export type { OtlpConfig } from "./export/otlp_sender.ts";
export type { BatchConfig } from "./export/pipeline.ts";
export type { SendResult, SpanSender } from "./export/sender.ts";
export { LogFilterError, parseLogFilter } from "./log_filter.ts";
export { LOG_LEVELS } from "./log_line.ts";
export type { LogFields, LogLevel } from "./log_line.ts";
export type { Logger } from "./log.ts";
export type { LoggedEvent, LogTap } from "./log_tap.ts";
export type { PlainFields, PlainValue } from "./plain_value.ts";
export type { LogOutput, WriteBytes } from "./line_buffer.ts";
export type { Metrics, MetricsText } from "./metrics.ts";
export { watchProcess } from "./process_metrics.ts";
export type { Counter, Exemplar, Gauge, Histogram, SeriesReading } from "./metric_series.ts";
export type { FamilyReading, MetricsReading } from "./metrics.ts";
export type { MetricsFormat } from "./exposition.ts";
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
export type { Verdict } from "./trace_verdict.ts";
export type { TailConfig } from "./tail/tail_sampler.ts";
