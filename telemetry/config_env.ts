/**
 * Environment: the variables that configure telemetry.
 *
 * Owns the table of variables, their precedence and their checks (observability contract §4, OpenTelemetry's
 * "Environment Variable Specification"). It reads no process: the variables are an argument. Invariant:
 * nothing is ignored in silence, and no message holds a header, a key or the query of an address.
 */
import {
  DEFAULT_OTLP_URL,
  DEFAULT_TELEMETRY_CONFIG,
  type ExporterType,
  type TelemetryConfig,
  type TracingConfig,
} from "./config.ts";
import type { OtlpConfig } from "./export/otlp_sender.ts";
import { type Environment, EnvReader, TelemetryConfigError } from "./env_reader.ts";
import type { BatchConfig } from "./export/pipeline.ts";
import { parseLogFilter } from "./log_filter.ts";
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
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
  "OTEL_PROPAGATORS",
  "OTEL_BSP_SCHEDULE_DELAY",
  "OTEL_BSP_EXPORT_TIMEOUT",
  "OTEL_BSP_MAX_QUEUE_SIZE",
  "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  "OTEL_DENO",
  ...["ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL"].flatMap((name) => [
    `OTEL_EXPORTER_OTLP_${name}`,
    `OTEL_EXPORTER_OTLP_TRACES_${name}`,
  ]),
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
  const tracing = readTracing(reader);
  warnUnknown(reader);
  return {
    serviceName: reader.text("OTEL_SERVICE_NAME") ?? named ?? service.serviceName ??
      DEFAULT_TELEMETRY_CONFIG.serviceName,
    serviceVersion: service.serviceVersion ?? DEFAULT_TELEMETRY_CONFIG.serviceVersion,
    resource: attributes,
    tracing,
    log: { ...DEFAULT_TELEMETRY_CONFIG.log, filter },
    warnings: reader.warnings,
  };
}

function readTracing(reader: EnvReader): TracingConfig {
  const disabled = reader.text("OTEL_SDK_DISABLED")?.toLowerCase() === "true";
  const endpoint = findEndpoint(reader);
  return {
    enabled: reader.onOff("TENSOR_WASM_TRACING", DEFAULT_TELEMETRY_CONFIG.tracing.enabled) && !disabled,
    exporter: readExporter(reader, endpoint !== undefined),
    sampler: readSampler(reader),
    otlp: readOtlp(reader, endpoint ?? DEFAULT_OTLP_URL),
    batch: readBatch(reader),
  };
}

/** `TENSOR_WASM_TRACE_EXPORTER`, else the specification's variable, else what an endpoint implies. */
function readExporter(reader: EnvReader, hasEndpoint: boolean): ExporterType {
  const own = reader.text("TENSOR_WASM_TRACE_EXPORTER");
  if (own === "none" || own === "stdout" || own === "otlp") return own;
  if (own !== undefined) {
    throw new TelemetryConfigError(
      `TENSOR_WASM_TRACE_EXPORTER is ${JSON.stringify(own)}, expected none, stdout or otlp`,
    );
  }
  const standard = reader.text("OTEL_TRACES_EXPORTER");
  if (standard === "none" || standard === "otlp") return standard;
  if (standard === "console") return "stdout";
  if (standard !== undefined) reader.warn("OTEL_TRACES_EXPORTER is not none, otlp or console, ignored");
  return hasEndpoint ? "otlp" : "none";
}

/** The URL of the first endpoint variable that is set. */
function findEndpoint(reader: EnvReader): string | undefined {
  for (
    const name of [
      "TENSOR_WASM_OTLP_ENDPOINT",
      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
      "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]
  ) {
    const value = reader.text(name);
    if (value === undefined) continue;
    const url = parseEndpoint(name, value);
    // Ours takes both forms, since people copy either; the standard ones are followed to the letter.
    const whole = name === "TENSOR_WASM_OTLP_ENDPOINT" && url.pathname.endsWith("/v1/traces");
    if (!whole && name !== "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
      url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
    }
    return url.href;
  }
  return undefined;
}

/** A URL, or `host:port`, which is plain HTTP except on port 443. */
function parseEndpoint(name: string, value: string): URL {
  const scheme = /:443(?:\/|$)/.test(value) ? "https" : "http";
  const text = value.includes("://") ? value : `${scheme}://${value}`;
  const url = URL.parse(text);
  if (url === null || url.hostname === "") {
    throw new TelemetryConfigError(`${name} is not a URL or host:port`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TelemetryConfigError(`${name} has the scheme ${url.protocol}, expected http or https`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TelemetryConfigError(`${name} has credentials in it, put them in OTEL_EXPORTER_OTLP_HEADERS`);
  }
  return url;
}

function readOtlp(reader: EnvReader, url: string): OtlpConfig {
  const { otlp } = DEFAULT_TELEMETRY_CONFIG.tracing;
  const protocol = reader.otlp("PROTOCOL");
  if (protocol !== undefined && protocol.value !== "http/protobuf") {
    throw new TelemetryConfigError(
      `${protocol.name} is ${JSON.stringify(protocol.value)}, only http/protobuf is supported`,
    );
  }
  const compression = reader.otlp("COMPRESSION");
  if (compression !== undefined && compression.value !== "gzip" && compression.value !== "none") {
    reader.warn(`${compression.name} is not gzip or none, ignored`);
  }
  const timeoutMs = reader.integer("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 1) ??
    reader.integer("OTEL_EXPORTER_OTLP_TIMEOUT", 1) ?? otlp.timeoutMs;
  const exportTimeoutMs = reader.integer("OTEL_BSP_EXPORT_TIMEOUT", 1) ?? timeoutMs;
  return {
    url,
    headers: {
      ...reader.headers("OTEL_EXPORTER_OTLP_HEADERS"),
      ...reader.headers("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
    },
    timeoutMs: Math.min(timeoutMs, exportTimeoutMs),
    compression: compression?.value === "gzip" ? "gzip" : "none",
  };
}

function readBatch(reader: EnvReader): BatchConfig {
  const { batch } = DEFAULT_TELEMETRY_CONFIG.tracing;
  return {
    queueCountMax: reader.integer("OTEL_BSP_MAX_QUEUE_SIZE", 1) ?? batch.queueCountMax,
    batchCountMax: reader.integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1) ?? batch.batchCountMax,
    delayMs: reader.integer("OTEL_BSP_SCHEDULE_DELAY", 0) ?? batch.delayMs,
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
    // Logs and metrics are not exported by OTLP, so "none" is what they get.
    if (/^OTEL_(?:LOGS|METRICS)_EXPORTER$/.test(name) && reader.text(name) === "none") continue;
    reader.warn(`${name} is set and not supported, ignored`);
  }
  const supported = new Set(["tracecontext", "baggage"]);
  if (reader.text("OTEL_PROPAGATORS")?.split(",").some((name) => !supported.has(name.trim()))) {
    reader.warn("OTEL_PROPAGATORS asks for more than tracecontext and baggage, which are always on; ignored");
  }
}
