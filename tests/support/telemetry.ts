/**
 * Telemetry for tests: the real one, with its output and its spans at hand.
 */
import {
  DEFAULT_TELEMETRY_CONFIG,
  type LogConfig,
  type SpanSender,
  startTelemetry,
  type Telemetry,
  type TelemetryConfig,
  type TracingConfig,
} from "../../telemetry/mod.ts";
import type { DecodedSpan } from "./collector.ts";
import { SpanRecorder } from "./span_recorder.ts";

/** What a test wants to be different from the defaults. */
export interface TestTelemetryOptions {
  readonly tracing?: Partial<TracingConfig>;
  readonly log?: Partial<LogConfig>;
  readonly config?: Partial<TelemetryConfig>;
  readonly nowMs?: () => number;
  readonly closeTimeoutMs?: number;
  /** Takes the place of the recorder; null leaves the sender to the configuration. */
  readonly sender?: SpanSender | null;
}

/** A log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A configuration with a few things changed. */
export function aTelemetryConfig(options: TestTelemetryOptions = {}): TelemetryConfig {
  const base = DEFAULT_TELEMETRY_CONFIG;
  return {
    ...base,
    ...options.config,
    tracing: { ...base.tracing, ...options.tracing },
    log: { ...base.log, ...options.log },
  };
}

/** Started telemetry whose spans and lines a test can look at. */
export class TestTelemetry implements AsyncDisposable {
  readonly telemetry: Telemetry;
  readonly #recorder = new SpanRecorder();
  #output = "";

  constructor(options: TestTelemetryOptions = {}) {
    const decoder = new TextDecoder();
    this.telemetry = startTelemetry(aTelemetryConfig(options), {
      write: (bytes) => {
        this.#output += decoder.decode(bytes, { stream: true });
      },
      // Long, so that what a test waits for does not depend on how fast the machine is.
      closeTimeoutMs: options.closeTimeoutMs ?? 60_000,
      ...(options.nowMs === undefined ? {} : { nowMs: options.nowMs }),
      ...(options.sender === null ? {} : { sender: options.sender ?? this.#recorder }),
    });
  }

  /** Everything that was written. */
  get output(): string {
    this.telemetry.flushLog();
    return this.#output;
  }

  /** The lines that were written, parsed. */
  get lines(): LogLine[] {
    return this.output.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as LogLine);
  }

  /** The spans that have ended. */
  async spans(): Promise<readonly DecodedSpan[]> {
    await this.telemetry.flush(5000);
    return this.#recorder.spans;
  }

  /** The value of a series as `GET /metrics` prints it; `labels` as in `{has_trace="true"}`. */
  async metric(name: string, labels = ""): Promise<number | undefined> {
    const { body } = await this.telemetry.metrics.text();
    const line = body.split("\n").find((text) => text.startsWith(`${name}${labels} `));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.telemetry[Symbol.asyncDispose]();
  }
}
