/**
 * Signal exports: the pipelines of one process, made from its configuration.
 *
 * Owns which signal goes where, the counting and reporting of what is lost, and flushing and closing them as
 * one. It encodes and sends nothing itself. Invariant: what is lost is in the signal's metric exactly, and in
 * a log line at most once a minute; that line may be lost in turn and never leads to another at once.
 */
import type { Resource } from "@opentelemetry/resources";
import type { MetricExportConfig, TelemetryConfig } from "../config/config.ts";
import type { LoggedEvent, LogTap } from "../log/log_tap.ts";
import type { Logger } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { BufferPool } from "./buffer_pool.ts";
import { DropReport } from "./drop_report.ts";
import { ExportThread } from "./export_thread.ts";
import { MetricReader } from "./metric_reader.ts";
import { LogEncoder } from "./otlp_logs.ts";
import { SpanEncoder } from "./otlp_spans.ts";
import { Pipeline, type PipelineCounts } from "./pipeline.ts";
import { type Batcher, type BatchSender, ListBatcher, type SpanSender } from "./sender.ts";
import { StdoutSender } from "./stdout_sender.ts";

/** What the exports of a process are made of. */
export interface ExportParts {
  readonly config: TelemetryConfig;
  readonly resource: Resource;
  readonly metrics: Metrics;
  /** For what is lost. */
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Prints a line; for the printing exporter. */
  readonly writeLine: (line: string) => void;
  /** Lets a tap receive the log's events. */
  readonly tapLog: (tap: LogTap) => Disposable;
  /** Takes the place of the configured exporter of spans. */
  readonly spanSender: SpanSender | undefined;
}

type Signal = "spans" | "logs" | "metrics";

const COUNTERS = {
  spans: { exported: "tensor_wasm_spans_exported_total", dropped: "tensor_wasm_spans_dropped_total" },
  logs: {
    exported: "tensor_wasm_log_records_exported_total",
    dropped: "tensor_wasm_log_records_dropped_total",
  },
  metrics: {
    exported: "tensor_wasm_metric_points_exported_total",
    dropped: "tensor_wasm_metric_points_dropped_total",
  },
} as const;

/** What of a pipeline matters once it is made. */
type Running = Pick<Pipeline<unknown, unknown>, "flush" | "reload" | "close">;

/** The exports of a process. */
export class SignalExports {
  /** Takes an ended span; undefined where spans go nowhere. */
  readonly addSpan: ((span: SpanRecord) => void) | undefined;
  readonly #pipelines: Running[] = [];
  readonly #reports: DropReport[] = [];
  readonly #logTap: Disposable | undefined;
  readonly #parts: ExportParts;
  readonly #buffers = new BufferPool();
  readonly #thread: ExportThread;

  /** @throws TelemetryConfigError when a file that a sender is configured with cannot be used */
  constructor(parts: ExportParts) {
    this.#parts = parts;
    this.#thread = new ExportThread(`tensor-wasm/${parts.config.serviceVersion}`, this.#buffers);
    const { tracing, logExport, metricExport } = parts.config;
    if (tracing.enabled) this.addSpan = this.#startSpans();
    if (logExport.exporter === "otlp") {
      const encoder = new LogEncoder(parts.resource, logExport.limits, this.#buffers);
      const sender = this.#thread.open(logExport.otlp);
      const add = this.#start<LoggedEvent, Uint8Array<ArrayBuffer>>(encoder, sender, logExport.batch, "logs");
      this.#logTap = parts.tapLog(add);
    }
    if (metricExport.exporter === "otlp") this.#startMetrics(metricExport);
  }

  /** Sends what waits; settles once all of it was accepted or lost, however long that takes. */
  async flush(): Promise<void> {
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.flush()));
  }

  /** Reads certificates, keys and headers again from their files. */
  async reload(): Promise<void> {
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.reload()));
  }

  /** Gives up what is on its way, and tells of what was lost. */
  async close(): Promise<void> {
    this.#logTap?.[Symbol.dispose]();
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.close()));
    for (const report of this.#reports) report.close();
  }

  #startSpans(): ((span: SpanRecord) => void) | undefined {
    const { config, resource, spanSender, writeLine } = this.#parts;
    const { exporter, otlp, batch, limits } = config.tracing;
    const printing = exporter === "stdout" ? new StdoutSender(writeLine, limits) : undefined;
    const whole = spanSender ?? printing;
    if (whole !== undefined) return this.#start(new ListBatcher<SpanRecord>(), whole, batch, "spans");
    if (exporter !== "otlp") return undefined;
    const sender = this.#thread.open(otlp);
    return this.#start(new SpanEncoder(resource, limits, this.#buffers), sender, batch, "spans");
  }

  #startMetrics(config: MetricExportConfig): void {
    const { metrics, resource } = this.#parts;
    const sender = this.#thread.open(config.otlp);
    const counts = this.#counts("metrics");
    this.#pipelines.push(new MetricReader(() => metrics.read(), resource, sender, config, counts));
  }

  #start<T, B>(
    batcher: Batcher<T, B>,
    sender: BatchSender<B>,
    batch: TelemetryConfig["tracing"]["batch"],
    signal: Signal,
  ): (item: T) => void {
    const pipeline = new Pipeline(batcher, sender, batch, this.#counts(signal));
    this.#pipelines.push(pipeline);
    return pipeline.add;
  }

  #counts(signal: Signal): PipelineCounts {
    const { metrics, log, nowMs } = this.#parts;
    const exported = metrics.counter(COUNTERS[signal].exported, {});
    const dropped = metrics.counter(COUNTERS[signal].dropped, {});
    const report = new DropReport(log, `telemetry.${signal}_dropped`, nowMs);
    this.#reports.push(report);
    return {
      exported: (count) => exported.inc(count),
      dropped: (count, reason) => {
        dropped.inc(count);
        report.add(count, reason);
      },
    };
  }
}
