/**
 * Telemetry: tracing, logs and metrics of one process, started and stopped as one.
 *
 * Owns the composition and the order of starting, flushing and closing. Invariant: after it has started,
 * nothing that an exporter, a collector or an output does is felt by a request; after it was disposed, the
 * process is as it was before.
 */
import { defaultResource, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { findActiveSpan, registerGlobals, TelemetryStartError } from "./trace/active_span.ts";
import type { TelemetryConfig } from "./config/config.ts";
import { TELEMETRY_TARGET } from "./config/config_env.ts";
import type { SpanSender } from "./export/sender.ts";
import { SignalExports } from "./export/signal_exports.ts";
import { PooledIdGenerator, type SpanIds } from "./trace/ids.ts";
import { LineBuffer, type LogOutput } from "./log/line_buffer.ts";
import { SpanFanOut, type SpanSink } from "./trace/local_trace.ts";
import { Log, type Logger } from "./log/log.ts";
import { type LogFilter, parseLogFilter } from "./log/log_filter.ts";
import { LineWriter } from "./log/log_line.ts";
import { MetricRegistry, type Metrics } from "./metrics/metrics.ts";
import type { MetricLabels } from "./metrics/metric_names.ts";
import { makeSampler } from "./trace/sampling.ts";
import { SpanScopes } from "./log/span_scopes.ts";
import { startTail } from "./tail/start.ts";
import type { TailConfig, TailSampler } from "./tail/tail_sampler.ts";
import { startTraceStore } from "./trace_store/start.ts";
import type { TraceStore } from "./trace_store/trace_store.ts";
import { NULL_TRACER, RecordingTracer, type Tracer } from "./trace/tracer.ts";

const CLOSE_TIMEOUT_MS = 3000;
/** How long the output may take over the last lines. */
const LAST_LINES_MS = 1000;

/** What telemetry needs from outside: where log lines and printed spans go, and what a test replaces. */
export interface TelemetryDeps extends LogOutput {
  /** Milliseconds since the epoch; the process's clock by default. */
  readonly nowMs?: () => number;
  /** Takes the place of the configured exporter; for tests. */
  readonly sender?: SpanSender;
  /** How long disposing waits for what is on its way; 3 s by default. */
  readonly closeTimeoutMs?: number;
}

/** The telemetry of a process. */
export interface Telemetry extends AsyncDisposable {
  readonly tracer: Tracer;
  readonly metrics: Metrics;
  /** The last traces; undefined when tracing or the store is off. */
  readonly traces: TraceStore | undefined;
  /** The logger of a target, such as `tower-http` or `guest`. */
  log(target: string): Logger;
  /** The same for lines of the process itself, which never carry the ids of a request, whatever is active. */
  processLog(target: string): Logger;
  /** Sends and writes what waits. False if something was still on its way after `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Reads certificates, keys and headers of the exporters again from their files. */
  reload(): Promise<void>;
  /**
   * Hands the lines that wait to the output, and gives it so long to be done with them: synchronously, for every
   * way out of the process. Without a time it does not wait.
   */
  flushLog(timeoutMs?: number): void;
  /** Has the output begin anew under its name; what was logged before stays in the old one. */
  reopenLog(): void;
}

/**
 * Starts telemetry. One at a time: the OpenTelemetry API and LogTape are global.
 *
 * @throws TelemetryStartError when another tracing or logging setup is active; LogFilterError;
 * TelemetryConfigError when a file that is configured cannot be used
 */
export function startTelemetry(config: TelemetryConfig, deps: TelemetryDeps): Telemetry {
  const filter = parseLogFilter(config.log.filter);
  const nowMs = deps.nowMs ?? ((): number => performance.timeOrigin + performance.now());
  const metrics = new MetricRegistry(nowMs, config.exemplars);
  const linesDropped = metrics.counter("tensor_wasm_log_lines_dropped_total", { reason: "output" });
  const buffer = new LineBuffer(deps, (count) => linesDropped.inc(count));
  const { enabled } = config.tracing;
  // What is deferred first is done last: lines leave after everything else has had its say.
  using starting = new DisposableStack();
  starting.defer(() => buffer.close(LAST_LINES_MS));
  if (enabled) starting.defer(registerGlobals(config.propagators));
  const scopes = enabled && filter.asksForSpans ? new SpanScopes() : undefined;
  const log = starting.adopt(
    startLog(config, { filter, buffer, nowMs, metrics, scopes }),
    (log) => log.close(),
  );
  const resource = makeResource(config);
  const exports = new SignalExports({
    config,
    resource,
    metrics,
    log: log.processLogger(TELEMETRY_TARGET),
    nowMs,
    writeLine: (line) => buffer.push(line),
    tapLog: (tap) => log.tap(tap),
    spanSender: deps.sender,
  });
  const traces = enabled && config.traces.bytesMax > 0
    ? startTraceStore(config.traces, { metrics, log, nowMs, owner: starting })
    : undefined;
  const sinks: SpanSink[] = [];
  const { addSpan } = exports;
  const tail = addSpan && startTail(tailConfig(config), { metrics, nowMs, add: addSpan, owner: starting });
  if (tail !== undefined) sinks.push(tail);
  if (traces !== undefined) sinks.push(traces.collector);
  const tracer = enabled ? makeTracer(config, resource, nowMs, sinks, scopes) : NULL_TRACER;
  metrics.gauge("tensor_wasm_build_info", buildLabels(config)).set(1);
  for (const warning of config.warnings) {
    log.processLogger(TELEMETRY_TARGET).warn("telemetry.config_ignored", { warning });
  }
  const closeTimeoutMs = deps.closeTimeoutMs ?? CLOSE_TIMEOUT_MS;
  return new RunningTelemetry({
    tracer,
    metrics,
    traces,
    tail,
    log,
    buffer,
    exports,
    reopen: deps.reopen,
    closeTimeoutMs,
    end: starting.move(),
  });
}

interface RunningParts {
  readonly tracer: Tracer;
  readonly metrics: Metrics;
  readonly traces: TraceStore | undefined;
  readonly tail: TailSampler | undefined;
  readonly log: Log;
  readonly buffer: LineBuffer;
  readonly exports: SignalExports;
  readonly reopen: (() => void) | undefined;
  readonly closeTimeoutMs: number;
  /** Takes back what start did, in order. */
  readonly end: DisposableStack;
}

class RunningTelemetry implements Telemetry {
  readonly tracer: Tracer;
  readonly metrics: Metrics;
  readonly traces: TraceStore | undefined;
  readonly #parts: RunningParts;
  #closing: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    this.tracer = parts.tracer;
    this.metrics = parts.metrics;
    this.traces = parts.traces;
    this.#parts = parts;
  }

  log(target: string): Logger {
    return this.#parts.log.logger(target);
  }

  processLog(target: string): Logger {
    return this.#parts.log.processLogger(target);
  }

  async flush(timeoutMs: number): Promise<boolean> {
    this.#parts.buffer.flush();
    const done = await this.#flushExports(timeoutMs);
    this.#parts.buffer.flush();
    return done;
  }

  reload(): Promise<void> {
    return this.#parts.exports.reload();
  }

  flushLog(timeoutMs = 0): void {
    if (timeoutMs > 0) this.#parts.buffer.settle(timeoutMs);
    else this.#parts.buffer.flush();
  }

  reopenLog(): void {
    const { buffer, log, reopen } = this.#parts;
    if (reopen === undefined) return;
    buffer.flush();
    try {
      reopen();
      log.processLogger(TELEMETRY_TARGET).info("log.reopened");
    } catch (error) {
      log.processLogger(TELEMETRY_TARGET).error("log.reopen_failed", { error });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#parts.tail?.close();
    await this.#flushExports(this.#parts.closeTimeoutMs);
    await this.#parts.exports.close();
    await this.#parts.traces?.close();
    this.#parts.end.dispose();
  }

  async #flushExports(timeoutMs: number): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), timeoutMs);
    const done = await Promise.race([this.#parts.exports.flush().then(() => true), late.promise]);
    clearTimeout(timer);
    return done;
  }
}

interface LogInputs {
  readonly filter: LogFilter;
  readonly buffer: LineBuffer;
  readonly nowMs: () => number;
  readonly metrics: Metrics;
  readonly scopes: SpanScopes | undefined;
}

function startLog(config: TelemetryConfig, inputs: LogInputs): Log {
  const { filter, buffer, nowMs, metrics, scopes } = inputs;
  const withTrace = metrics.counter("tensor_wasm_log_lines_total", { has_trace: "true" });
  const withoutTrace = metrics.counter("tensor_wasm_log_lines_total", { has_trace: "false" });
  try {
    return new Log({
      filter,
      format: config.log.format,
      writer: new LineWriter(config.serviceName),
      buffer,
      nowMs,
      spans: scopes,
      activeIds: config.tracing.enabled
        ? (): SpanIds | undefined => findActiveSpan()?.ids
        : (): undefined => undefined,
      onLine: (hasTrace) => (hasTrace ? withTrace : withoutTrace).inc(),
    });
  } catch (cause) {
    throw new TelemetryStartError("Cannot start the log: LogTape is configured already", { cause });
  }
}

/** Who asked for no trace at all gets none, errors included. */
function tailConfig({ tail, tracing }: TelemetryConfig): TailConfig {
  return { ...tail, isEnabled: tail.isEnabled && tracing.sampler.type !== "always_off" };
}

function makeTracer(
  config: TelemetryConfig,
  resource: Resource,
  nowMs: () => number,
  sinks: readonly SpanSink[],
  scopes: SpanScopes | undefined,
): Tracer {
  return new RecordingTracer({
    resource,
    sampler: makeSampler(config.tracing.sampler),
    propagators: config.propagators,
    ids: new PooledIdGenerator(),
    nowMs,
    fanOut: new SpanFanOut(sinks),
    scopes,
  });
}

function makeResource(config: TelemetryConfig): Resource {
  return defaultResource().merge(resourceFromAttributes({
    "process.runtime.name": "deno",
    "process.runtime.version": Deno.version.deno,
    "service.version": config.serviceVersion,
    // Whoever runs it may know better, such as the tag of its image.
    ...config.resource,
    "service.name": config.serviceName,
  }));
}

function buildLabels(config: TelemetryConfig): MetricLabels<"tensor_wasm_build_info"> {
  return {
    version: config.serviceVersion,
    git_sha: config.serviceRevision,
    deno_version: Deno.version.deno,
    v8_version: Deno.version.v8,
    target: Deno.build.target,
  };
}
