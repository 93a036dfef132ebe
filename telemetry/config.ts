/**
 * Configuration: what telemetry can be told, and its defaults.
 *
 * Owns the shape only; config_env.ts fills it from environment variables, a test fills it by hand. Invariant:
 * it holds everything that startTelemetry needs, so that nothing else reads the environment.
 */
import type { OtlpConfig } from "./export/otlp_sender.ts";
import type { BatchConfig } from "./export/pipeline.ts";
import type { SamplerConfig } from "./sampling.ts";

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
  /** Attributes of the process on every span, beside the service's. */
  readonly resource: Readonly<Record<string, string>>;
  readonly tracing: TracingConfig;
  readonly log: LogConfig;
  /** What was set and could not be followed; logged at start. */
  readonly warnings: readonly string[];
}

/** The default endpoint of the OTLP specification. */
export const DEFAULT_OTLP_URL = "http://localhost:4318/v1/traces";

/**
 * The defaults; those of OpenTelemetry except for the queue, which would be full after 20 ms of 15,000 requests a
 * second with six spans each, and the delay, so that a trace can be looked up soon after its request.
 */
export const DEFAULT_TELEMETRY_CONFIG: TelemetryConfig = Object.freeze<TelemetryConfig>({
  serviceName: "tensor-wasm",
  serviceVersion: "unknown",
  resource: {},
  tracing: {
    enabled: true,
    exporter: "none",
    sampler: { type: "parentbased_always_on", ratio: 1 },
    otlp: { url: DEFAULT_OTLP_URL, headers: {}, timeoutMs: 10_000, compression: "none" },
    batch: { queueCountMax: 65_536, batchCountMax: 512, delayMs: 1000 },
  },
  log: { filter: "info", format: "json" },
  warnings: [],
});
