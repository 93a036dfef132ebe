/**
 * OTLP variables: where and how each signal is exported, out of environment variables.
 *
 * Owns the precedence between our variables, those of one signal and the general ones (OpenTelemetry Protocol
 * Exporter, "Configuration Options"). It sends nothing. Invariant: no message holds a header, a key or the
 * query of an address.
 */
import { type EnvReader, TelemetryConfigError } from "./env_reader.ts";
import type { TlsFiles } from "../export/otlp_connection.ts";
import type { OtlpConfig } from "../export/otlp_sender.ts";
import type { BatchConfig } from "../export/pipeline.ts";

/** The signals of OTLP, as the variables spell them. */
export type Signal = "TRACES" | "METRICS" | "LOGS";

function pathOf(signal: Signal): string {
  return `/v1/${signal.toLowerCase()}`;
}

/**
 * The URL of the first endpoint variable that is set.
 *
 * @throws TelemetryConfigError
 */
export function findEndpoint(reader: EnvReader, signal: Signal): string | undefined {
  const specific = `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`;
  for (const name of ["TENSOR_WASM_OTLP_ENDPOINT", specific, "OTEL_EXPORTER_OTLP_ENDPOINT"]) {
    const value = reader.text(name);
    if (value === undefined) continue;
    const url = parseEndpoint(name, value);
    if (name === specific) return url.href;
    // Ours takes both forms, since people copy either; the standard ones are followed to the letter.
    if (name === "TENSOR_WASM_OTLP_ENDPOINT") url.pathname = url.pathname.replace(/\/v1\/traces\/?$/, "");
    url.pathname = `${url.pathname.replace(/\/$/, "")}${pathOf(signal)}`;
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

/** What readOtlp needs to know of a signal. */
export interface SignalReading {
  readonly signal: Signal;
  readonly defaults: OtlpConfig;
  /** The variable of the signal's batches; the shorter time counts. */
  readonly exportTimeoutName: string;
  /** Whether it is exported by OTLP at all. */
  readonly isExported: boolean;
}

/**
 * How a signal is sent.
 *
 * @throws TelemetryConfigError
 */
export function readOtlp(
  reader: EnvReader,
  { signal, defaults, exportTimeoutName, isExported }: SignalReading,
): OtlpConfig {
  checkProtocol(reader, signal, isExported);
  const timeoutMs = reader.timeout(`OTEL_EXPORTER_OTLP_${signal}_TIMEOUT`) ??
    reader.timeout("OTEL_EXPORTER_OTLP_TIMEOUT") ?? defaults.timeoutMs;
  return {
    url: findEndpoint(reader, signal) ?? defaults.url,
    headers: {
      ...reader.headers("OTEL_EXPORTER_OTLP_HEADERS"),
      ...reader.headers(`OTEL_EXPORTER_OTLP_${signal}_HEADERS`),
    },
    headersFile: reader.text("TENSOR_WASM_OTLP_HEADERS_FILE"),
    timeoutMs: Math.min(timeoutMs, reader.timeout(exportTimeoutName) ?? timeoutMs),
    compression: readCompression(reader, signal) ?? defaults.compression,
    tls: readTls(reader, signal),
  };
}

/** Another protocol has another port, so that nothing would arrive there; of no interest where nothing is sent. */
function checkProtocol(reader: EnvReader, signal: Signal, isExported: boolean): void {
  const protocol = reader.otlp(signal, "PROTOCOL");
  if (protocol === undefined || protocol.value.toLowerCase() === "http/protobuf") return;
  const what = `${protocol.name} is ${JSON.stringify(protocol.value)}, only http/protobuf is supported`;
  if (isExported) throw new TelemetryConfigError(what);
  reader.warn(`${what}, ignored: nothing is exported`);
}

function readCompression(reader: EnvReader, signal: Signal): OtlpConfig["compression"] | undefined {
  const given = reader.otlp(signal, "COMPRESSION");
  const value = given?.value.toLowerCase();
  if (value === undefined || value === "gzip" || value === "none") return value;
  reader.warn(`${given?.name} is not gzip or none, ignored`);
  return undefined;
}

function readTls(reader: EnvReader, signal: Signal): TlsFiles {
  const clientCertificate = reader.otlp(signal, "CLIENT_CERTIFICATE");
  const clientKey = reader.otlp(signal, "CLIENT_KEY");
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    const given = clientCertificate ?? clientKey;
    throw new TelemetryConfigError(
      `${given?.name} is set without its other half: a client certificate needs both CLIENT_CERTIFICATE and CLIENT_KEY`,
    );
  }
  return {
    certificateFile: reader.otlp(signal, "CERTIFICATE")?.value,
    clientCertificateFile: clientCertificate?.value,
    clientKeyFile: clientKey?.value,
  };
}

/** Sizes and times of a queue; `prefix` is `OTEL_BSP` or `OTEL_BLRP`. */
export function readBatch(reader: EnvReader, prefix: string, defaults: BatchConfig): BatchConfig {
  const queueCountMax = reader.integer(`${prefix}_MAX_QUEUE_SIZE`, 1) ?? defaults.queueCountMax;
  const given = reader.integer(`${prefix}_MAX_EXPORT_BATCH_SIZE`, 1);
  if (given !== undefined && given > queueCountMax) {
    reader.warn(
      `${prefix}_MAX_EXPORT_BATCH_SIZE is more than ${prefix}_MAX_QUEUE_SIZE, cut to ${queueCountMax}`,
    );
  }
  return {
    queueCountMax,
    batchCountMax: Math.min(given ?? defaults.batchCountMax, queueCountMax),
    delayMs: reader.integer(`${prefix}_SCHEDULE_DELAY`, 0) ?? defaults.delayMs,
  };
}
