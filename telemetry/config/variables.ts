/**
 * Variables: every environment variable that telemetry follows, and those of OpenTelemetry that it does not.
 *
 * Owns the names, defaults and meanings; config_env.ts and otlp_env.ts read the values, docs/observability.md
 * has a table made of these rows. Source: OpenTelemetry's "Environment Variable Specification" and "OpenTelemetry
 * Protocol Exporter". Invariant: a variable that begins with `OTEL_` and is set is followed or warned of.
 */

/** A variable that is followed. */
export interface VariableRow {
  readonly name: string;
  /** As a reader sees it. */
  readonly fallback: string;
  readonly meaning: string;
  /** Also with `TRACES_`, `METRICS_` and `LOGS_` before its last part, which then wins for that signal. */
  readonly bySignal?: true;
  /** Where the configuration file has it, below `telemetry`. */
  readonly fileKey?: string;
}

/** A variable of the specification that is not followed. */
export interface RefusedRow {
  readonly name: string;
  readonly why: string;
}

const OTLP = "OTEL_EXPORTER_OTLP_";
/** The signals, as they stand in the names. */
const SIGNALS = ["TRACES", "METRICS", "LOGS"] as const;

/** What is followed, in the order of the documentation. */
export const VARIABLES: readonly VariableRow[] = [
  { name: "TENSOR_WASM_LOG", fallback: "info", meaning: "log filter", fileKey: "log.filter" },
  {
    name: "TENSOR_WASM_TRACING",
    fallback: "on",
    meaning: "off: no spans, no ids, no trace headers; logs and metrics go on",
    fileKey: "tracing.enabled",
  },
  {
    name: "TENSOR_WASM_TRACE_EXPORTER",
    fallback: "none, otlp with an endpoint",
    meaning: "none, stdout or otlp; anything else stops the start; wins over OTEL_TRACES_EXPORTER",
    fileKey: "tracing.exporter",
  },
  {
    name: "TENSOR_WASM_OTLP_ENDPOINT",
    fallback: "",
    meaning:
      "as OTEL_EXPORTER_OTLP_ENDPOINT, wins over every other endpoint; host:port is accepted here and there",
  },
  {
    name: "TENSOR_WASM_OTLP_HEADERS_FILE",
    fallback: "",
    meaning: "file with a name=value a line, wins over the headers of variables; " +
      "read again on SIGHUP, and when the collector answers 401 or 403 or cannot be reached",
    fileKey: "otlp.headersFile",
  },
  {
    name: "OTEL_SERVICE_NAME",
    fallback: "tensor-wasm",
    meaning: "who sends; the field service of log lines",
  },
  { name: "OTEL_RESOURCE_ATTRIBUTES", fallback: "", meaning: "name=value,…, on everything that is exported" },
  {
    name: "OTEL_SDK_DISABLED",
    fallback: "false",
    meaning: "true: as TENSOR_WASM_TRACING=off, and nothing is exported; log lines and GET /metrics stay",
  },
  {
    name: "OTEL_LOG_LEVEL",
    fallback: "TENSOR_WASM_LOG's",
    meaning:
      "level of telemetry's own lines, target tensor-wasm-telemetry: none, error, warn, info, debug; " +
      "a directive for that target in TENSOR_WASM_LOG wins",
  },
  {
    name: "OTEL_PROPAGATORS",
    fallback: "tracecontext,baggage",
    meaning: "what is read from callers and handed on: tracecontext, baggage, or none; others are warned of",
  },
  {
    name: "OTEL_TRACES_SAMPLER",
    fallback: "parentbased_always_on",
    meaning: "always_on, always_off, traceidratio and their parentbased_ forms",
  },
  { name: "OTEL_TRACES_SAMPLER_ARG", fallback: "1", meaning: "ratio of the traceidratio samplers, 0 to 1" },
  {
    name: "OTEL_TRACES_EXPORTER",
    fallback: "otlp with an endpoint",
    meaning: "otlp, console (spans as JSON lines on stdout) or none",
  },
  {
    name: "OTEL_METRICS_EXPORTER",
    fallback: "otlp with an endpoint",
    meaning: "otlp, or none; prometheus is none, since GET /metrics is there anyway",
  },
  {
    name: "OTEL_LOGS_EXPORTER",
    fallback: "otlp with an endpoint",
    meaning: "otlp, or none; console is none, since lines are on stdout anyway",
  },
  {
    name: `${OTLP}ENDPOINT`,
    fallback: "http://localhost:4318",
    meaning: "collector; /v1/traces, /v1/metrics, /v1/logs is appended, a signal's own is used as it is; " +
      "setting it turns export on",
    bySignal: true,
    fileKey: "otlp.endpoint",
  },
  {
    name: `${OTLP}HEADERS`,
    fallback: "",
    meaning: "name=value,…, percent-encoded, never printed; a signal's own are added and win",
    bySignal: true,
  },
  {
    name: `${OTLP}TIMEOUT`,
    fallback: "10000",
    meaning: "ms for one export, retries included; 0 is no limit",
    bySignal: true,
  },
  { name: `${OTLP}COMPRESSION`, fallback: "none", meaning: "gzip or none", bySignal: true },
  {
    name: `${OTLP}PROTOCOL`,
    fallback: "http/protobuf",
    meaning:
      "the only one; another stops the start where its signal is exported: that port would not understand",
    bySignal: true,
  },
  {
    name: `${OTLP}CERTIFICATE`,
    fallback: "",
    meaning: "PEM file of authorities to trust, beside the system's; read again like the headers file",
    bySignal: true,
  },
  {
    name: `${OTLP}CLIENT_CERTIFICATE`,
    fallback: "",
    meaning: "PEM file of the certificate that this process proves itself with; needs the key",
    bySignal: true,
  },
  { name: `${OTLP}CLIENT_KEY`, fallback: "", meaning: "PEM file of its key, never printed", bySignal: true },
  {
    name: `${OTLP}METRICS_TEMPORALITY_PREFERENCE`,
    fallback: "cumulative",
    meaning: "cumulative, delta or lowmemory; the latter two are one here, since no counter is asynchronous",
  },
  {
    name: `${OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION`,
    fallback: "explicit_bucket_histogram",
    meaning: "the only one: buckets are part of the names' promise",
  },
  ...batchRows("OTEL_BSP", "spans"),
  ...batchRows("OTEL_BLRP", "log records"),
  { name: "OTEL_METRIC_EXPORT_INTERVAL", fallback: "60000", meaning: "ms between two exports of metrics" },
  {
    name: "OTEL_METRIC_EXPORT_TIMEOUT",
    fallback: "the exporter's",
    meaning: "ms for one export of metrics, where that is shorter",
  },
  {
    name: "OTEL_METRICS_EXEMPLAR_FILTER",
    fallback: "trace_based",
    meaning:
      "which events may become exemplars: trace_based (those of sampled traces), always_on, always_off",
  },
  {
    name: "OTEL_ATTRIBUTE_COUNT_LIMIT",
    fallback: "128",
    meaning:
      "most attributes of a span, an event of one, or a log record that are exported; the rest is counted",
  },
  {
    name: "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    fallback: "4096, log records 16384",
    meaning: "longest text of an attribute that is exported, in UTF-16 units, but for the resource's",
  },
  {
    name: "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    fallback: "the general one",
    meaning: "of spans; required ones come first",
  },
  {
    name: "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    fallback: "the general one",
    meaning: "of spans and their events",
  },
  {
    name: "OTEL_SPAN_EVENT_COUNT_LIMIT",
    fallback: "128",
    meaning: "most events of a span; never more than 128",
  },
  { name: "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", fallback: "the general one", meaning: "of events of spans" },
  { name: "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", fallback: "the general one", meaning: "of log records" },
  {
    name: "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    fallback: "the general one",
    meaning: "of log records",
  },
  {
    name: "OTEL_DENO",
    fallback: "",
    meaning: "must not be true: Deno's own tracing would take the place of this one; the start says so",
  },
];

/** What the specification has and is not followed. */
export const REFUSED_VARIABLES: readonly RefusedRow[] = [
  { name: "OTEL_SPAN_LINK_COUNT_LIMIT", why: "spans here have no links" },
  { name: "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", why: "spans here have no links" },
  { name: `${OTLP}INSECURE`, why: "it is for gRPC; with HTTP the scheme of the endpoint decides" },
  { name: `${OTLP}SPAN_INSECURE`, why: "it is for gRPC; with HTTP the scheme of the endpoint decides" },
  { name: `${OTLP}METRIC_INSECURE`, why: "it is for gRPC; with HTTP the scheme of the endpoint decides" },
  { name: "OTEL_EXPORTER_ZIPKIN_ENDPOINT", why: "there is no Zipkin exporter; Zipkin takes OTLP" },
  { name: "OTEL_EXPORTER_ZIPKIN_TIMEOUT", why: "there is no Zipkin exporter; Zipkin takes OTLP" },
  { name: "OTEL_EXPORTER_ZIPKIN_PROTOCOL", why: "there is no Zipkin exporter; Zipkin takes OTLP" },
  { name: "OTEL_EXPORTER_PROMETHEUS_HOST", why: "GET /metrics is on the gateway's own address" },
  { name: "OTEL_EXPORTER_PROMETHEUS_PORT", why: "GET /metrics is on the gateway's own address" },
  { name: "OTEL_CONFIG_FILE", why: "our own configuration file has these settings" },
  { name: "OTEL_EXPERIMENTAL_CONFIG_FILE", why: "our own configuration file has these settings" },
];

/** Every name that is followed, those of signals among them. */
export function variableNames(): string[] {
  return VARIABLES.flatMap(({ name, bySignal }) =>
    bySignal === true ? [name, ...SIGNALS.map((signal) => name.replace(OTLP, `${OTLP}${signal}_`))] : [name]
  );
}

function batchRows(prefix: string, what: string): VariableRow[] {
  return [
    {
      name: `${prefix}_SCHEDULE_DELAY`,
      fallback: "1000",
      meaning: `ms that ${what} wait for others before they are sent`,
    },
    {
      name: `${prefix}_EXPORT_TIMEOUT`,
      fallback: "the exporter's",
      meaning: `ms for one export of ${what}, where that is shorter`,
    },
    {
      name: `${prefix}_MAX_QUEUE_SIZE`,
      fallback: "65536",
      meaning: `most ${what} that wait, in at most 64 MiB; one more is dropped and counted`,
    },
    { name: `${prefix}_MAX_EXPORT_BATCH_SIZE`, fallback: "2048", meaning: `most ${what} of one export` },
  ];
}
