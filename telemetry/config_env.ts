/**
 * Environment: the variables that configure telemetry.
 *
 * Owns the table of variables, their precedence and their checks (observability contract §4, OpenTelemetry's
 * "Environment Variable Specification"). It reads no process: the variables are an argument. Invariant:
 * nothing is ignored in silence, and no message holds a header, a key or the query of an address.
 */
import {
  DEFAULT_TELEMETRY_CONFIG,
  type ExporterType,
  type LogExportConfig,
  type MetricExportConfig,
  type TelemetryConfig,
  type TracingConfig,
} from "./config.ts";
import { type Environment, EnvReader, TelemetryConfigError } from "./env_reader.ts";
import type { SpanLimits } from "./export/otlp_spans.ts";
import { parseLogFilter } from "./log_filter.ts";
import { findEndpoint, readBatch, readOtlp } from "./otlp_env.ts";
import { SAMPLER_TYPES, type SamplerConfig, type SamplerType } from "./sampling.ts";

/** What differs between the programs of the project. */
export interface ServiceDefaults {
  /** `tensor-wasm`, `tensor-wasm-agent` or `tensor-wasm-cli`. */
  readonly serviceName?: string;
  readonly serviceVersion?: string;
}

/** OpenTelemetry variables that are followed, or need not be because they ask for what happens anyway. */
const KNOWN_OTEL_VARIABLES: ReadonlySet<string> = new Set([
  "OTEL_SDK_DISABLED",
  "OTEL_SERVICE_NAME",
  "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_TRACES_EXPORTER",
  "OTEL_LOGS_EXPORTER",
  "OTEL_METRICS_EXPORTER",
  "OTEL_METRIC_EXPORT_INTERVAL",
  "OTEL_METRIC_EXPORT_TIMEOUT",
  "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
  "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
  "OTEL_PROPAGATORS",
  "OTEL_DENO",
  "OTEL_ATTRIBUTE_COUNT_LIMIT",
  "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
  "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
  "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
  "OTEL_SPAN_EVENT_COUNT_LIMIT",
  "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
  "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
  "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
  ...["OTEL_BSP", "OTEL_BLRP"].flatMap((prefix) =>
    ["SCHEDULE_DELAY", "EXPORT_TIMEOUT", "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE"].map((name) =>
      `${prefix}_${name}`
    )
  ),
  ...[
    "ENDPOINT",
    "HEADERS",
    "TIMEOUT",
    "COMPRESSION",
    "PROTOCOL",
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
  ].flatMap((name) =>
    ["", "TRACES_", "METRICS_", "LOGS_"].map((signal) => `OTEL_EXPORTER_OTLP_${signal}${name}`)
  ),
]);

/**
 * Reads the configuration from environment variables.
 *
 * @throws TelemetryConfigError for an unknown exporter, protocol or switch, a malformed endpoint or header, or
 * `OTEL_DENO`; LogFilterError for a bad `TENSOR_WASM_LOG`
 */
export function telemetryConfigFromEnv(env: Environment, service: ServiceDefaults = {}): TelemetryConfig {
  const reader = new EnvReader(env);
  if (reader.onOff("OTEL_DENO", false)) {
    throw new TelemetryConfigError(
      "OTEL_DENO is set: Deno's own tracing takes the place of this one and no span would arrive; unset it",
    );
  }
  const resource = reader.resource();
  const { "service.name": named, ...attributes } = resource;
  const filter = reader.text("TENSOR_WASM_LOG") ?? DEFAULT_TELEMETRY_CONFIG.log.filter;
  parseLogFilter(filter);
  const isDisabled = reader.boolean("OTEL_SDK_DISABLED");
  const tracing = readTracing(reader, isDisabled);
  const logExport = readLogExport(reader, isDisabled);
  const metricExport = readMetricExport(reader, isDisabled);
  warnUnknown(reader);
  return {
    serviceName: reader.text("OTEL_SERVICE_NAME") ?? named ?? service.serviceName ??
      DEFAULT_TELEMETRY_CONFIG.serviceName,
    serviceVersion: service.serviceVersion ?? DEFAULT_TELEMETRY_CONFIG.serviceVersion,
    resource: attributes,
    tracing,
    log: { ...DEFAULT_TELEMETRY_CONFIG.log, filter },
    logExport,
    metricExport,
    warnings: [...new Set(reader.warnings)],
  };
}

function readTracing(reader: EnvReader, isDisabled: boolean): TracingConfig {
  const defaults = DEFAULT_TELEMETRY_CONFIG.tracing;
  const isOn = reader.onOff("TENSOR_WASM_TRACING", defaults.enabled);
  return {
    enabled: isOn && !isDisabled,
    exporter: readTraceExporter(reader),
    sampler: readSampler(reader),
    otlp: readOtlp(reader, "TRACES", defaults.otlp, "OTEL_BSP_EXPORT_TIMEOUT"),
    batch: readBatch(reader, "OTEL_BSP", defaults.batch),
    limits: readSpanLimits(reader, defaults.limits),
  };
}

/** `TENSOR_WASM_TRACE_EXPORTER`, else the specification's variable, else what an endpoint implies. */
function readTraceExporter(reader: EnvReader): ExporterType {
  const own = reader.text("TENSOR_WASM_TRACE_EXPORTER");
  if (own === "none" || own === "stdout" || own === "otlp") return own;
  if (own !== undefined) {
    throw new TelemetryConfigError(
      `TENSOR_WASM_TRACE_EXPORTER is ${JSON.stringify(own)}, expected none, stdout or otlp`,
    );
  }
  const standard = reader.oneOf("OTEL_TRACES_EXPORTER", ["none", "otlp", "console"]);
  if (standard === "console") return "stdout";
  return standard ?? (findEndpoint(reader, "TRACES") === undefined ? "none" : "otlp");
}

/** The specification's default is `otlp`; here it takes an endpoint, as for traces. `console` is there anyway. */
function readLogExport(reader: EnvReader, isDisabled: boolean): LogExportConfig {
  const defaults = DEFAULT_TELEMETRY_CONFIG.logExport;
  const standard = reader.oneOf("OTEL_LOGS_EXPORTER", ["none", "otlp", "console"]);
  const wanted = standard ?? (findEndpoint(reader, "LOGS") === undefined ? "none" : "otlp");
  return {
    exporter: wanted === "otlp" && !isDisabled ? "otlp" : "none",
    otlp: readOtlp(reader, "LOGS", defaults.otlp, "OTEL_BLRP_EXPORT_TIMEOUT"),
    batch: readBatch(reader, "OTEL_BLRP", defaults.batch),
    limits: {
      attributeCountMax: reader.integer("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", 0) ??
        reader.integer("OTEL_ATTRIBUTE_COUNT_LIMIT", 0) ?? defaults.limits.attributeCountMax,
      textLengthMax: reader.integer("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0) ??
        reader.integer("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0) ?? defaults.limits.textLengthMax,
    },
  };
}

/** `prometheus` asks for what `GET /metrics` is anyway. */
function readMetricExport(reader: EnvReader, isDisabled: boolean): MetricExportConfig {
  const defaults = DEFAULT_TELEMETRY_CONFIG.metricExport;
  const standard = reader.oneOf("OTEL_METRICS_EXPORTER", ["none", "otlp", "prometheus"]);
  const wanted = standard ?? (findEndpoint(reader, "METRICS") === undefined ? "none" : "otlp");
  const temporality = reader.oneOf(
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    ["cumulative", "delta", "lowmemory"],
  );
  reader.oneOf("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", ["explicit_bucket_histogram"]);
  return {
    exporter: wanted === "otlp" && !isDisabled ? "otlp" : "none",
    otlp: readOtlp(reader, "METRICS", defaults.otlp, "OTEL_METRIC_EXPORT_TIMEOUT"),
    intervalMs: reader.integer("OTEL_METRIC_EXPORT_INTERVAL", 1) ?? defaults.intervalMs,
    // All our counters and histograms are synchronous, so "lowmemory" wants deltas of each of them as well.
    temporality: temporality === "delta" || temporality === "lowmemory" ? "delta" : "cumulative",
  };
}

function readSpanLimits(reader: EnvReader, defaults: SpanLimits): SpanLimits {
  const count = reader.integer("OTEL_ATTRIBUTE_COUNT_LIMIT", 0);
  return {
    attributeCountMax: reader.integer("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 0) ?? count ??
      defaults.attributeCountMax,
    textLengthMax: reader.integer("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0) ??
      reader.integer("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0) ?? defaults.textLengthMax,
    eventCountMax: reader.integer("OTEL_SPAN_EVENT_COUNT_LIMIT", 0) ?? defaults.eventCountMax,
    eventAttributeCountMax: reader.integer("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", 0) ?? count ??
      defaults.eventAttributeCountMax,
  };
}

function readSampler(reader: EnvReader): SamplerConfig {
  const type = reader.text("OTEL_TRACES_SAMPLER");
  const { sampler } = DEFAULT_TELEMETRY_CONFIG.tracing;
  if (type === undefined) return sampler;
  if (!(SAMPLER_TYPES as readonly string[]).includes(type)) {
    reader.warn(`OTEL_TRACES_SAMPLER is not one of ${SAMPLER_TYPES.join(", ")}, ignored`);
    return sampler;
  }
  const text = reader.text("OTEL_TRACES_SAMPLER_ARG");
  const ratio = text === undefined ? 1 : Number(text);
  if (ratio >= 0 && ratio <= 1) return { type: type as SamplerType, ratio };
  reader.warn("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1, ignored");
  return { type: type as SamplerType, ratio: 1 };
}

/** Warns of variables of OpenTelemetry that nobody here follows. */
function warnUnknown(reader: EnvReader): void {
  for (const name of reader.names("OTEL_")) {
    if (KNOWN_OTEL_VARIABLES.has(name)) continue;
    reader.warn(`${name} is set and not supported, ignored`);
  }
  const supported = new Set(["tracecontext", "baggage"]);
  if (reader.text("OTEL_PROPAGATORS")?.split(",").some((name) => !supported.has(name.trim()))) {
    reader.warn("OTEL_PROPAGATORS asks for more than tracecontext and baggage, which are always on; ignored");
  }
}
