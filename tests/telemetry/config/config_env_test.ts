import assert from "node:assert/strict";
import {
  DEFAULT_TELEMETRY_CONFIG,
  type Environment,
  LogFilterError,
  REFUSED_VARIABLES,
  type TelemetryConfig,
  TelemetryConfigError,
  telemetryConfigFromEnv,
  variableNames,
} from "../../../telemetry/mod.ts";

type Read = (config: TelemetryConfig) => unknown;

const exporter: Read = (config) => config.tracing.exporter;
const url: Read = (config) => config.tracing.otlp.url;
const headers: Read = (config) => config.tracing.otlp.headers;
const sampler: Read = (config) => config.tracing.sampler;
const logExporter: Read = (config) => config.logExport.exporter;
const tls: Read = (config) => [config.tracing.otlp.tls, config.logExport.otlp.tls];
const metricExporter: Read = (config) => config.metricExport.exporter;
const propagators: Read = (config) => config.propagators;
const enabled: Read = (config) => config.tracing.enabled;

const TRACES = "/v1/traces";
const GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SPECIFIC = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const OWN = "TENSOR_WASM_OTLP_ENDPOINT";

const FOLLOWED: readonly (readonly [env: Environment, read: Read, value: unknown])[] = [
  [{}, (config) => config, DEFAULT_TELEMETRY_CONFIG],
  [{ TENSOR_WASM_LOG: "debug,a=off" }, (config) => config.log.filter, "debug,a=off"],
  [{ TENSOR_WASM_LOG: "" }, (config) => config.log.filter, "info"],
  [{ TENSOR_WASM_TRACING: "off" }, enabled, false],
  [{ TENSOR_WASM_TRACING: "false" }, enabled, false],
  [{ TENSOR_WASM_TRACING: "0" }, enabled, false],
  [{ TENSOR_WASM_TRACING: "ON" }, enabled, true],
  [{ OTEL_SDK_DISABLED: "TRUE" }, enabled, false],
  [{ OTEL_SDK_DISABLED: "true", TENSOR_WASM_TRACING: "on" }, enabled, false],
  // The exporter.
  [{ TENSOR_WASM_TRACE_EXPORTER: "none" }, exporter, "none"],
  [{ TENSOR_WASM_TRACE_EXPORTER: "stdout" }, exporter, "stdout"],
  [{ TENSOR_WASM_TRACE_EXPORTER: "otlp" }, exporter, "otlp"],
  [{ TENSOR_WASM_TRACE_EXPORTER: "otlp" }, url, `http://localhost:4318${TRACES}`],
  [{ [GENERAL]: "http://c:4318" }, exporter, "otlp"],
  [{ [SPECIFIC]: "http://c:4318/x" }, exporter, "otlp"],
  [{ [OWN]: "c:4318" }, exporter, "otlp"],
  [{ [OWN]: "c:4318", TENSOR_WASM_TRACE_EXPORTER: "none" }, exporter, "none"],
  [{ OTEL_TRACES_EXPORTER: "none", [GENERAL]: "http://c" }, exporter, "none"],
  [{ OTEL_TRACES_EXPORTER: "console" }, exporter, "stdout"],
  [{ OTEL_TRACES_EXPORTER: "otlp" }, exporter, "otlp"],
  [{ OTEL_TRACES_EXPORTER: "otlp", TENSOR_WASM_TRACE_EXPORTER: "stdout" }, exporter, "stdout"],
  // The endpoint.
  [{ [GENERAL]: "http://c:4318" }, url, `http://c:4318${TRACES}`],
  [{ [GENERAL]: "http://c:4318/" }, url, `http://c:4318${TRACES}`],
  [{ [GENERAL]: "http://c:4318/base/" }, url, `http://c:4318/base${TRACES}`],
  [{ [GENERAL]: "https://c/base?a=b" }, url, `https://c/base${TRACES}?a=b`],
  [{ [GENERAL]: "c:4318" }, url, `http://c:4318${TRACES}`],
  [{ [GENERAL]: "localhost:4318" }, url, `http://localhost:4318${TRACES}`],
  [{ [GENERAL]: "api.honeycomb.io:443" }, url, `https://api.honeycomb.io${TRACES}`],
  [{ [GENERAL]: "[::1]:4318" }, url, `http://[::1]:4318${TRACES}`],
  [{ [SPECIFIC]: "http://c:4318" }, url, "http://c:4318/"],
  [{ [SPECIFIC]: "http://c:4318/in" }, url, "http://c:4318/in"],
  [{ [SPECIFIC]: "http://s/a", [GENERAL]: "http://g" }, url, "http://s/a"],
  [{ [OWN]: "http://o", [SPECIFIC]: "http://s/a", [GENERAL]: "http://g" }, url, `http://o${TRACES}`],
  [{ [OWN]: `http://o${TRACES}` }, url, `http://o${TRACES}`],
  [{ [OWN]: "", [GENERAL]: "http://g" }, url, `http://g${TRACES}`],
  // Headers.
  [{ OTEL_EXPORTER_OTLP_HEADERS: "x-honeycomb-team=abc" }, headers, { "x-honeycomb-team": "abc" }],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "A=1, b = x%20y%2C ," }, headers, { a: "1", b: "x y," }],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "a=b=c==" }, headers, { a: "b=c==" }],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=2", OTEL_EXPORTER_OTLP_TRACES_HEADERS: "A=3" },
    headers,
    { a: "3", b: "2" },
  ],
  // Protocol, compression, time.
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }, exporter, "none"],
  [{ OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" }, (config) => config.tracing.otlp.compression, "gzip"],
  [
    { OTEL_EXPORTER_OTLP_COMPRESSION: "gzip", OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none" },
    (config) => config.tracing.otlp.compression,
    "none",
  ],
  [{ OTEL_EXPORTER_OTLP_TIMEOUT: "500" }, (config) => config.tracing.otlp.timeoutMs, 500],
  [
    { OTEL_EXPORTER_OTLP_TIMEOUT: "500", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "600" },
    (config) => config.tracing.otlp.timeoutMs,
    600,
  ],
  [{ OTEL_BSP_EXPORT_TIMEOUT: "700" }, (config) => config.tracing.otlp.timeoutMs, 700],
  [{ OTEL_BSP_EXPORT_TIMEOUT: "60000" }, (config) => config.tracing.otlp.timeoutMs, 10_000],
  [
    {
      OTEL_BSP_SCHEDULE_DELAY: "5",
      OTEL_BSP_MAX_QUEUE_SIZE: "6",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "5",
    },
    (config) => config.tracing.batch,
    { delayMs: 5, queueCountMax: 6, batchCountMax: 5 },
  ],
  // The sampler.
  [{ OTEL_TRACES_SAMPLER: "always_off" }, sampler, { type: "always_off", ratio: 1 }],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" }, sampler, {
    type: "traceidratio",
    ratio: 0.25,
  }],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio" }, sampler, {
    type: "parentbased_traceidratio",
    ratio: 1,
  }],
  // Values of a closed list are so in any case ("Enum").
  [{ OTEL_TRACES_SAMPLER: "ALWAYS_OFF" }, sampler, { type: "always_off", ratio: 1 }],
  [{ OTEL_EXPORTER_OTLP_COMPRESSION: "GZIP" }, (config) => config.tracing.otlp.compression, "gzip"],
  [{ [GENERAL]: "http://c", OTEL_EXPORTER_OTLP_PROTOCOL: "HTTP/Protobuf" }, exporter, "otlp"],
  [{ OTEL_TRACES_EXPORTER: "Console" }, exporter, "stdout"],
  // Service and resource.
  [{ OTEL_SERVICE_NAME: "checkout" }, (config) => config.serviceName, "checkout"],
  [{ OTEL_RESOURCE_ATTRIBUTES: "service.name=r,a=%20b" }, (config) => [config.serviceName, config.resource], [
    "r",
    { a: " b" },
  ]],
  [
    { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "service.name=r" },
    (config) => [config.serviceName, config.resource],
    ["s", {}],
  ],
  // Log records go where spans go, unless told otherwise; the specification's default is OTLP.
  [{ [GENERAL]: "http://c:4318" }, logExporter, "otlp"],
  [{ [OWN]: "http://c:4318" }, logExporter, "otlp"],
  [{ [SPECIFIC]: "http://c:4318" }, logExporter, "none"],
  [{ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://l/in" }, (config) => [
    config.logExport.exporter,
    config.logExport.otlp.url,
    config.tracing.exporter,
  ], ["otlp", "http://l/in", "none"]],
  [{ [GENERAL]: "http://c/base" }, (config) => config.logExport.otlp.url, "http://c/base/v1/logs"],
  [{ [OWN]: `http://o/b${TRACES}` }, (config) => config.logExport.otlp.url, "http://o/b/v1/logs"],
  [{ [GENERAL]: "http://c", OTEL_LOGS_EXPORTER: "none" }, logExporter, "none"],
  [{ [GENERAL]: "http://c", OTEL_LOGS_EXPORTER: "console" }, logExporter, "none"],
  [{ OTEL_LOGS_EXPORTER: "otlp" }, (config) => config.logExport.otlp.url, "http://localhost:4318/v1/logs"],
  [{ [GENERAL]: "http://c", OTEL_SDK_DISABLED: "true" }, logExporter, "none"],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=2", OTEL_EXPORTER_OTLP_LOGS_HEADERS: "b=3" },
    (config) => [config.tracing.otlp.headers, config.logExport.otlp.headers],
    [{ a: "1", b: "2" }, { a: "1", b: "3" }],
  ],
  [{ OTEL_BLRP_SCHEDULE_DELAY: "7", OTEL_BLRP_MAX_QUEUE_SIZE: "9", OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: "8" }, (
    config,
  ) => config.logExport.batch, { delayMs: 7, queueCountMax: 9, batchCountMax: 8 }],
  [
    { OTEL_BLRP_EXPORT_TIMEOUT: "70", OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "90" },
    (config) => config.logExport.otlp.timeoutMs,
    70,
  ],
  [{ OTEL_EXPORTER_OTLP_TIMEOUT: "0" }, (config) => config.tracing.otlp.timeoutMs, 0x7fff_ffff],
  // Certificates, by signal or for all.
  [
    {
      OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem",
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "/c.pem",
      OTEL_EXPORTER_OTLP_CLIENT_KEY: "/c.key",
      OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: "/logs.pem",
    },
    tls,
    [
      { certificateFile: "/ca.pem", clientCertificateFile: "/c.pem", clientKeyFile: "/c.key" },
      { certificateFile: "/logs.pem", clientCertificateFile: "/c.pem", clientKeyFile: "/c.key" },
    ],
  ],
  [{ TENSOR_WASM_OTLP_HEADERS_FILE: "/h" }, (config) => config.logExport.otlp.headersFile, "/h"],
  // Limits; those of a kind win over the general ones.
  [
    {
      OTEL_ATTRIBUTE_COUNT_LIMIT: "5",
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "6",
      OTEL_SPAN_EVENT_COUNT_LIMIT: "7",
    },
    (config) => [config.tracing.limits, config.logExport.limits],
    [
      { attributeCountMax: 5, textLengthMax: 6, eventCountMax: 7, eventAttributeCountMax: 5 },
      { attributeCountMax: 5, textLengthMax: 6 },
    ],
  ],
  [
    {
      OTEL_ATTRIBUTE_COUNT_LIMIT: "5",
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: "1",
      OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: "2",
      OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: "3",
      OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT: "4",
      OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT: "0",
    },
    (config) => [config.tracing.limits, config.logExport.limits],
    [
      { attributeCountMax: 1, textLengthMax: 2, eventCountMax: 128, eventAttributeCountMax: 3 },
      { attributeCountMax: 4, textLengthMax: 0 },
    ],
  ],
  // Metrics.
  [{ [GENERAL]: "http://c" }, (config) => [metricExporter(config), config.metricExport.otlp.url], [
    "otlp",
    "http://c/v1/metrics",
  ]],
  [{ [GENERAL]: "http://c", OTEL_METRICS_EXPORTER: "prometheus" }, metricExporter, "none"],
  [
    { OTEL_METRICS_EXPORTER: "otlp", OTEL_METRIC_EXPORT_INTERVAL: "5", OTEL_METRIC_EXPORT_TIMEOUT: "3" },
    (config) => [
      metricExporter(config),
      config.metricExport.intervalMs,
      config.metricExport.otlp.timeoutMs,
    ],
    ["otlp", 5, 3],
  ],
  ...(["cumulative", "delta", "LowMemory"] as const).map((preference) =>
    [
      { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: preference },
      (config: TelemetryConfig) => config.metricExport.temporality,
      preference === "cumulative" ? "cumulative" : "delta",
    ] as const
  ),
  [{ OTEL_METRICS_EXEMPLAR_FILTER: "always_off" }, (config) => config.exemplars, "always_off"],
  // Propagators, and telemetry's own level.
  [{ OTEL_PROPAGATORS: "none" }, propagators, { traceContext: false, baggage: false }],
  [{ OTEL_PROPAGATORS: "baggage,baggage" }, propagators, { traceContext: false, baggage: true }],
  [{ OTEL_LOG_LEVEL: "Debug" }, (config) => config.log.filter, "info,tensor-wasm-telemetry=debug"],
  [
    { OTEL_LOG_LEVEL: "none", TENSOR_WASM_LOG: "warn,guest=info" },
    (config) => config.log.filter,
    "warn,guest=info,tensor-wasm-telemetry=off",
  ],
  [
    { OTEL_LOG_LEVEL: "debug", TENSOR_WASM_LOG: "tensor_wasm_telemetry=error" },
    (config) => config.log.filter,
    "tensor_wasm_telemetry=error",
  ],
  // What needs no warning.
  [{ OTEL_PROPAGATORS: "tracecontext,baggage" }, (config) => config.warnings, []],
  [{ OTEL_LOGS_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" }, (config) => config.warnings, []],
  [{ OTEL_DENO: "false" }, (config) => config.warnings, []],
  [{ OTEL_ANYTHING: "" }, (config) => config.warnings, []],
];

for (const [env, read, value] of FOLLOWED) {
  Deno.test(`telemetryConfigFromEnv(${JSON.stringify(env)}) gives ${JSON.stringify(value)}`, () => {
    assert.deepEqual(read(telemetryConfigFromEnv(env)), value);
  });
}

const REFUSED: readonly (readonly [env: Environment, message: RegExp])[] = [
  [
    { TENSOR_WASM_TRACE_EXPORTER: "jaeger" },
    /^TENSOR_WASM_TRACE_EXPORTER is "jaeger", expected none, stdout or otlp$/,
  ],
  [{ TENSOR_WASM_TRACING: "maybe" }, /^TENSOR_WASM_TRACING is "maybe", expected on or off$/],
  [
    { [GENERAL]: "http://c", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    /^OTEL_EXPORTER_OTLP_PROTOCOL is "grpc", only http\/protobuf/,
  ],
  [
    { [SPECIFIC]: "http://c", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json" },
    /^OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is "http\/json"/,
  ],
  [{ OTEL_DENO: "true" }, /^OTEL_DENO is set/],
  [{ OTEL_DENO: "1" }, /^OTEL_DENO is set/],
  [{ [GENERAL]: "http://" }, /^OTEL_EXPORTER_OTLP_ENDPOINT is not a URL or host:port$/],
  [{ [OWN]: "a b" }, /^TENSOR_WASM_OTLP_ENDPOINT is not a URL or host:port$/],
  [
    { [SPECIFIC]: "ftp://c" },
    /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has the scheme ftp:, expected http or https$/,
  ],
  [{ [GENERAL]: "http://user:hush@c" }, /^OTEL_EXPORTER_OTLP_ENDPOINT has credentials in it/],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "a=1,hush" }, /^OTEL_EXPORTER_OTLP_HEADERS is malformed: pair 2 /],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "a=%zzhush" }, /is malformed: pair 1 /],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "a b=hush" }, /is malformed: pair 1 /],
  [{ OTEL_EXPORTER_OTLP_HEADERS: "a=hush%0d%0ab:c" }, /is malformed: pair 1 /],
  [{ OTEL_EXPORTER_OTLP_CLIENT_KEY: "/k" }, /^OTEL_EXPORTER_OTLP_CLIENT_KEY is set without its other half/],
  [
    { OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE: "/c" },
    /^OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE is set without its other half/,
  ],
  [
    { [GENERAL]: "http://c", OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "grpc" },
    /^OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is "grpc"/,
  ],
  [
    { OTEL_EXPORTER_OTLP_TRACES_HEADERS: "=hush" },
    /^OTEL_EXPORTER_OTLP_TRACES_HEADERS is malformed: pair 1 /,
  ],
];

for (const [env, message] of REFUSED) {
  Deno.test(`telemetryConfigFromEnv(${JSON.stringify(env)}) is refused, and no secret is told`, () => {
    assert.throws(() => telemetryConfigFromEnv(env), (error) => {
      assert.ok(error instanceof TelemetryConfigError);
      assert.match(error.message, message);
      assert.equal(error.message.includes("hush"), false);
      return true;
    });
  });
}

Deno.test("telemetryConfigFromEnv() refuses a bad log filter", () => {
  assert.throws(() => telemetryConfigFromEnv({ TENSOR_WASM_LOG: "loud=" }), LogFilterError);
});

const WARNED: readonly (readonly [env: Environment, warning: RegExp, read: Read, value: unknown])[] = [
  [
    { OTEL_BSP_MAX_QUEUE_SIZE: "0" },
    /^OTEL_BSP_MAX_QUEUE_SIZE is not an integer from 1/,
    (config) => config.tracing.batch.queueCountMax,
    65_536,
  ],
  [
    { OTEL_BSP_SCHEDULE_DELAY: "-1" },
    /^OTEL_BSP_SCHEDULE_DELAY /,
    (config) => config.tracing.batch.delayMs,
    1000,
  ],
  [
    { OTEL_EXPORTER_OTLP_TIMEOUT: "10s" },
    /^OTEL_EXPORTER_OTLP_TIMEOUT /,
    (config) => config.tracing.otlp.timeoutMs,
    10_000,
  ],
  [
    { OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" },
    /^OTEL_EXPORTER_OTLP_COMPRESSION is not gzip or none/,
    (config) => config.tracing.otlp.compression,
    "none",
  ],
  // What a platform sets for all of its programs is no reason not to start one that exports nothing.
  [
    { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    /^OTEL_EXPORTER_OTLP_PROTOCOL is "grpc", only http\/protobuf is supported, ignored: nothing is exported$/,
    exporter,
    "none",
  ],
  [
    { [GENERAL]: "http://c:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_SDK_DISABLED: "true" },
    /^OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"/,
    (config) => config.tracing.enabled,
    false,
  ],
  [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, /^OTEL_TRACES_SAMPLER is not one of/, sampler, {
    type: "parentbased_always_on",
    ratio: 1,
  }],
  [
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.5" },
    /^OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1/,
    sampler,
    { type: "traceidratio", ratio: 1 },
  ],
  [{ OTEL_TRACES_EXPORTER: "zipkin" }, /^OTEL_TRACES_EXPORTER is not/, exporter, "none"],
  [
    { OTEL_RESOURCE_ATTRIBUTES: "a=1,b" },
    /^OTEL_RESOURCE_ATTRIBUTES is malformed/,
    (config) => config.resource,
    {},
  ],
  [
    { OTEL_PROPAGATORS: "b3,tracecontext" },
    /^OTEL_PROPAGATORS names b3, and only tracecontext and baggage are there$/,
    propagators,
    { traceContext: true, baggage: false },
  ],
  [{ OTEL_PROPAGATORS: "b3" }, /^OTEL_PROPAGATORS names b3/, propagators, {
    traceContext: true,
    baggage: true,
  }],
  [
    { OTEL_METRICS_EXEMPLAR_FILTER: "some" },
    /^OTEL_METRICS_EXEMPLAR_FILTER is not one of trace_based, always_on, always_off, ignored$/,
    (config) => config.exemplars,
    "trace_based",
  ],
  [
    { OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: "base2_exponential_bucket_histogram" },
    /^OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION is not one of explicit_bucket_histogram/,
    metricExporter,
    "none",
  ],
  [{ OTEL_METRICS_EXPORTER: "console" }, /^OTEL_METRICS_EXPORTER is not one of/, metricExporter, "none"],
  [{ OTEL_LOG_LEVEL: "loud" }, /^OTEL_LOG_LEVEL is not one of/, (config) => config.log.filter, "info"],
  [
    { OTEL_SPAN_LINK_COUNT_LIMIT: "1" },
    /is set and not supported, ignored: spans here have no links$/,
    exporter,
    "none",
  ],
  [{ OTEL_GO_X_THING: "1" }, /is set and not supported, ignored: nobody here knows it$/, exporter, "none"],
  [
    { OTEL_BSP_MAX_QUEUE_SIZE: "100", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "200" },
    /^OTEL_BSP_MAX_EXPORT_BATCH_SIZE is more than OTEL_BSP_MAX_QUEUE_SIZE, cut to 100$/,
    (config) => config.tracing.batch.batchCountMax,
    100,
  ],
  [{ OTEL_SDK_DISABLED: "yes" }, /^OTEL_SDK_DISABLED is not true or false, taken as false$/, enabled, true],
  [
    { OTEL_LOGS_EXPORTER: "zipkin" },
    /^OTEL_LOGS_EXPORTER is not one of none, otlp, console/,
    logExporter,
    "none",
  ],
  [
    { OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: "-1" },
    /^OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT is not an integer from 0/,
    (config) => config.tracing.limits.attributeCountMax,
    128,
  ],
];

for (const [env, warning, read, value] of WARNED) {
  Deno.test(`telemetryConfigFromEnv(${JSON.stringify(env)}) warns and goes on`, () => {
    const config = telemetryConfigFromEnv(env);
    assert.equal(config.warnings.length, 1);
    assert.match(config.warnings[0] ?? "", warning);
    assert.deepEqual(read(config), value);
  });
}

Deno.test("telemetryConfigFromEnv() takes the program's own name and version as defaults", () => {
  const config = telemetryConfigFromEnv({}, { serviceName: "tensor-wasm-agent", serviceVersion: "1.0.0" });
  assert.equal(config.serviceName, "tensor-wasm-agent");
  assert.equal(config.serviceVersion, "1.0.0");
  assert.equal(telemetryConfigFromEnv({ OTEL_SERVICE_NAME: "x" }, { serviceName: "y" }).serviceName, "x");
});

/** A value that is followed, where "1" is none; by the general name. */
const VALUES: Readonly<Record<string, string>> = {
  OTEL_SDK_DISABLED: "true",
  OTEL_RESOURCE_ATTRIBUTES: "a=1",
  OTEL_LOG_LEVEL: "warn",
  OTEL_PROPAGATORS: "baggage",
  OTEL_TRACES_SAMPLER: "always_on",
  OTEL_TRACES_EXPORTER: "none",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
  OTEL_EXPORTER_OTLP_HEADERS: "a=1",
  OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
  OTEL_EXPORTER_OTLP_TEMPORALITY_PREFERENCE: "delta",
  OTEL_EXPORTER_OTLP_DEFAULT_HISTOGRAM_AGGREGATION: "explicit_bucket_histogram",
  OTEL_METRICS_EXEMPLAR_FILTER: "always_on",
};

Deno.test("every variable of the tables is followed or refused, and none is in both", () => {
  const followed = variableNames();
  assert.equal(new Set(followed).size, followed.length);
  for (const name of followed.filter((name) => name.startsWith("OTEL_") && name !== "OTEL_DENO")) {
    const general = name.replace(/^OTEL_EXPORTER_OTLP_(TRACES|METRICS|LOGS)_/, "OTEL_EXPORTER_OTLP_");
    const value = VALUES[general] ?? "1";
    // A client certificate is only one with its key.
    const other = name.replace(
      /CLIENT_(KEY|CERTIFICATE)$/,
      (_, half) => `CLIENT_${half === "KEY" ? "CERTIFICATE" : "KEY"}`,
    );
    const { warnings } = telemetryConfigFromEnv({ [other]: value, [name]: value });
    assert.deepEqual(warnings, [], name);
  }
  for (const { name } of REFUSED_VARIABLES) {
    assert.equal(followed.includes(name), false);
    assert.match(telemetryConfigFromEnv({ [name]: "1" }).warnings[0] ?? "", /not supported, ignored/);
  }
});
