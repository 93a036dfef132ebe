/**
 * Environment: the variables that configure telemetry.
 *
 * Owns their precedence and their checks (observability contract §4, OpenTelemetry's "Environment Variable
 * Specification"); variables.ts has the table, otlp_env.ts those of the exporters. It reads no process: the
 * variables are an argument. Invariant: nothing is ignored in silence, and no message holds a header, a key or
 * the query of an address.
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
import type { SpanLimits } from "../export/otlp_spans.ts";
import { LogFilterError, parseLogFilter } from "../log/log_filter.ts";
import { EXEMPLAR_FILTERS } from "../metrics/metric_series.ts";
import { findEndpoint, readBatch, readOtlp } from "./otlp_env.ts";
import type { Propagators } from "../trace/propagation.ts";
import { REFUSED_VARIABLES, variableNames } from "./variables.ts";
import { SAMPLER_TYPES, type SamplerConfig } from "../trace/sampling.ts";

/** The target of telemetry's own lines. */
export const TELEMETRY_TARGET = "tensor-wasm-telemetry";

/** What differs between the programs of the project. */
export interface ServiceDefaults {
  /** `tensor-wasm`, `tensor-wasm-agent` or `tensor-wasm-cli`. */
  readonly serviceName?: string;
  readonly serviceVersion?: string;
}

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
  const filter = readFilter(reader);
  const propagators = readPropagators(reader);
  const isDisabled = reader.boolean("OTEL_SDK_DISABLED");
  const tracing = readTracing(reader, isDisabled);
  const logExport = readLogExport(reader, isDisabled);
  const metricExport = readMetricExport(reader, isDisabled);
  warnUnknown(reader);
  return {
    serviceName: reader.text("OTEL_SERVICE_NAME") ?? named ?? service.serviceName ??
      DEFAULT_TELEMETRY_CONFIG.serviceName,
    serviceVersion: service.serviceVersion ?? DEFAULT_TELEMETRY_CONFIG.serviceVersion,
    serviceRevision: DEFAULT_TELEMETRY_CONFIG.serviceRevision,
    resource: attributes,
    propagators,
    tracing,
    tail: DEFAULT_TELEMETRY_CONFIG.tail,
    traces: DEFAULT_TELEMETRY_CONFIG.traces,
    log: { ...DEFAULT_TELEMETRY_CONFIG.log, filter },
    logExport,
    metricExport,
    exemplars: reader.oneOf("OTEL_METRICS_EXEMPLAR_FILTER", EXEMPLAR_FILTERS) ??
      DEFAULT_TELEMETRY_CONFIG.exemplars,
    warnings: [...new Set(reader.warnings)],
  };
}

function readTracing(reader: EnvReader, isDisabled: boolean): TracingConfig {
  const defaults = DEFAULT_TELEMETRY_CONFIG.tracing;
  const enabled = reader.onOff("TENSOR_WASM_TRACING", defaults.enabled) && !isDisabled;
  const exporter = readTraceExporter(reader);
  return {
    enabled,
    exporter,
    sampler: readSampler(reader),
    otlp: readOtlp(reader, {
      signal: "TRACES",
      defaults: defaults.otlp,
      exportTimeoutName: "OTEL_BSP_EXPORT_TIMEOUT",
      isExported: enabled && exporter === "otlp",
    }),
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
  const isExported = wanted === "otlp" && !isDisabled;
  return {
    exporter: isExported ? "otlp" : "none",
    otlp: readOtlp(reader, {
      signal: "LOGS",
      defaults: defaults.otlp,
      exportTimeoutName: "OTEL_BLRP_EXPORT_TIMEOUT",
      isExported,
    }),
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
  const isExported = wanted === "otlp" && !isDisabled;
  const temporality = reader.oneOf(
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    ["cumulative", "delta", "lowmemory"],
  );
  reader.oneOf("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", ["explicit_bucket_histogram"]);
  return {
    exporter: isExported ? "otlp" : "none",
    otlp: readOtlp(reader, {
      signal: "METRICS",
      defaults: defaults.otlp,
      exportTimeoutName: "OTEL_METRIC_EXPORT_TIMEOUT",
      isExported,
    }),
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
  const type = reader.oneOf("OTEL_TRACES_SAMPLER", SAMPLER_TYPES);
  if (type === undefined) return DEFAULT_TELEMETRY_CONFIG.tracing.sampler;
  const text = reader.text("OTEL_TRACES_SAMPLER_ARG");
  const ratio = text === undefined ? 1 : Number(text);
  if (ratio >= 0 && ratio <= 1) return { type, ratio };
  reader.warn("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1, ignored");
  return { type, ratio: 1 };
}

/** Which of the two formats of the W3C are read and written; the defaults where only others are named. */
function readPropagators(reader: EnvReader): Propagators {
  const text = reader.text("OTEL_PROPAGATORS");
  if (text === undefined) return DEFAULT_TELEMETRY_CONFIG.propagators;
  const names = new Set(text.split(",").map((name) => name.trim().toLowerCase()));
  const known = { traceContext: names.has("tracecontext"), baggage: names.has("baggage") };
  const hasNone = names.delete("none");
  for (const name of ["tracecontext", "baggage", ""]) names.delete(name);
  if (names.size > 0) {
    reader.warn(
      `OTEL_PROPAGATORS names ${[...names].join(", ")}, and only tracecontext and baggage are there`,
    );
  }
  const isUnusable = !known.traceContext && !known.baggage && !hasNone;
  return isUnusable ? DEFAULT_TELEMETRY_CONFIG.propagators : known;
}

/** The filter with `OTEL_LOG_LEVEL` for telemetry's own lines, unless it speaks of them itself. */
function readFilter(reader: EnvReader): string {
  const filter = reader.text("TENSOR_WASM_LOG") ?? DEFAULT_TELEMETRY_CONFIG.log.filter;
  try {
    parseLogFilter(filter);
  } catch (error) {
    if (!(error instanceof LogFilterError)) throw error;
    throw new LogFilterError(`TENSOR_WASM_LOG: ${error.message}`, { cause: error });
  }
  const level = reader.oneOf("OTEL_LOG_LEVEL", ["none", "error", "warn", "info", "debug", "trace"]);
  if (level === undefined || /tensor[-_]wasm[-_]telemetry/.test(filter)) return filter;
  return `${filter},${TELEMETRY_TARGET}=${level === "none" ? "off" : level}`;
}

/** Warns of variables of OpenTelemetry that nobody here follows. */
function warnUnknown(reader: EnvReader): void {
  const followed = new Set(variableNames());
  const refused = new Map(REFUSED_VARIABLES.map(({ name, why }) => [name, why]));
  for (const name of reader.names("OTEL_")) {
    if (followed.has(name)) continue;
    const why = refused.get(name) ?? "nobody here knows it";
    reader.warn(`${name} is set and not supported, ignored: ${why}`);
  }
}
