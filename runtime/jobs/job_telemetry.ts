/**
 * JobTelemetry: what jobs leave in traces, logs and metrics.
 *
 * Owns the `async_invoke.job` span, the `job.*` lines and the metrics of jobs. It decides nothing. Invariants: the
 * span is in the trace of the request that the job came by, in this process or an earlier one; every line has
 * the ids of that trace; each job is counted in and out once.
 */
import type {
  Gauge,
  Histogram,
  LogFields,
  Logger,
  Span,
  SpanIds,
  Telemetry,
  Tracer,
} from "../../telemetry/mod.ts";
import { JOB_STATES } from "../model/job.ts";
import type { JobRecord } from "../model/job.ts";
import type { Conclusion } from "./conclusion.ts";
import type { JobQueue } from "./job_queue.ts";
import type { LiveJob } from "./live_job.ts";

type Ended = Conclusion & { readonly type: "end" };

/** The names that a job's trace context has in its record. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** Spans, lines and metrics of jobs. */
export class JobTelemetry {
  readonly tracer: Tracer;
  readonly #telemetry: Telemetry;
  readonly #log: Logger;
  readonly #active: Gauge;
  readonly #queued: Gauge;
  readonly #queueWait: Histogram;

  constructor(telemetry: Telemetry) {
    this.tracer = telemetry.tracer;
    this.#telemetry = telemetry;
    this.#log = telemetry.log("tensor_wasm_jobs");
    this.#active = telemetry.metrics.gauge("tensor_wasm_jobs_active", {});
    this.#queued = telemetry.metrics.gauge("tensor_wasm_jobs_queued", {});
    this.#queueWait = telemetry.metrics.histogram("tensor_wasm_job_queue_wait_seconds", {});
    for (const state of JOB_STATES) {
      if (state === "queued" || state === "running") continue;
      telemetry.metrics.counter("tensor_wasm_jobs_finished_total", { state });
    }
  }

  /** The trace context of the active span, for a record. */
  activeTrace(): TraceHeaders {
    return this.tracer.toRecord(this.tracer.activeIds());
  }

  /** The jobs that have not ended, as of now. */
  countJobs(active: number, queue: JobQueue): void {
    this.#active.set(active);
    this.#queued.set(queue.queued);
  }

  /** A job was accepted, under the active span. */
  queued(job: LiveJob): void {
    this.#log.info("job.queued", fieldsOf(job));
  }

  /** A run begins: its span. */
  startSpan(job: LiveJob, attempt: number): Span<"async_invoke.job"> {
    return this.tracer.startSpan(
      "async_invoke.job",
      { ...spanAttributes(job), attempt },
      this.#parentOf(job),
    );
  }

  /** A run has begun, durably, under the active span. */
  started(job: LiveJob, attempt: number, startedMs: number): void {
    const waitedMs = Math.max(0, startedMs - job.createdUnixMs);
    this.#queueWait.observe(waitedMs / 1000, this.tracer.activeIds());
    this.#log.info("job.started", { ...fieldsOf(job), attempt, queue_ms: round(waitedMs) });
  }

  /** A job has ended, durably. The line is under the job's span, whatever is active. */
  ended(
    job: LiveJob,
    attempt: number,
    { state, kind, end }: Ended,
    ids: SpanIds | undefined,
    durationMs: number,
  ): void {
    // Whose trace is worth a look is that of a job that did not complete.
    const finished = this.#telemetry.metrics.counter("tensor_wasm_jobs_finished_total", { state });
    finished.inc(1, state === "completed" ? undefined : ids);
    const fields = {
      ...fieldsOf(job),
      attempt,
      duration_ms: round(durationMs),
      ...(kind === undefined ? {} : { kind }),
      ...(end.type === "fault" ? { error: end.fault.message } : {}),
    };
    const level = kind === undefined || kind === "job_cancelled"
      ? "info"
      : kind === "internal"
      ? "error"
      : "warn";
    this.#log[level](`job.${state}`, fields, ids);
  }

  /** A job goes back to the line: there was no room for it, or the gateway ends. */
  requeued(job: LiveJob, attempt: number, reason: "no_room" | "drain"): void {
    this.#log.info("job.requeued", { ...fieldsOf(job), attempt, reason });
  }

  /** The store refused a change; it is tried again. Whoever asked for it, or set a timer, may be active. */
  storeFailed(job: LiveJob, error: unknown): void {
    this.#log.error("job.store_failed", { ...fieldsOf(job), error }, this.#idsOf(job));
  }

  /** A run failed by a bug of ours; the record says nothing of it. Whoever happened to begin it may be active. */
  crashed(job: LiveJob, error: unknown): void {
    this.#log.error("job.crashed", { ...fieldsOf(job), error }, this.#idsOf(job));
  }

  /**
   * A job that was found running when the process started: the span of a run that nobody could end. `isRerun` tells
   * whether it is to run again.
   */
  recordInterruptedRun(
    job: LiveJob,
    record: JobRecord,
    nowMs: number,
    isRerun: boolean,
  ): SpanIds | undefined {
    const startMs = record.startedUnixMs ?? record.createdUnixMs;
    const run = { attempt: record.attempt, ...(isRerun ? { requeued: "restart" } : {}) };
    return this.#recordSpan(job, run, "interrupted", startMs, nowMs);
  }

  /** A job that ends without a run: a span all the same, so that its trace tells of it. */
  recordNoRun(job: LiveJob, reason: string, nowMs: number): SpanIds | undefined {
    return this.#recordSpan(job, { attempt: job.attemptsBefore }, reason, nowMs, nowMs);
  }

  /** A run that was interrupted is followed by another. */
  rerun(job: LiveJob, ids: SpanIds | undefined): void {
    this.#log.warn("job.requeued", { ...fieldsOf(job), attempt: job.attemptsBefore, reason: "restart" }, ids);
  }

  #recordSpan(
    job: LiveJob,
    run: { readonly attempt: number; readonly requeued?: string },
    reason: string,
    startMs: number,
    endMs: number,
  ): SpanIds | undefined {
    const options = { ...this.#parentOf(job), startMs };
    const span = this.tracer.startSpan("async_invoke.job", { ...spanAttributes(job), ...run }, options);
    span.fail(reason).end(endMs);
    return span.ids;
  }

  /** The ids of the request that the job came by. */
  #idsOf(job: LiveJob): SpanIds | undefined {
    return job.parent ?? this.#remoteOf(job).parent ?? undefined;
  }

  #parentOf(job: LiveJob): Parameters<Tracer["startSpan"]>[2] {
    return job.parent === undefined ? { remote: this.#remoteOf(job) } : { parent: job.parent };
  }

  #remoteOf({ trace }: LiveJob): ReturnType<Tracer["fromRecord"]> {
    return this.tracer.fromRecord(trace);
  }
}

function spanAttributes(
  { id, tenant, functionId }: LiveJob,
): { job_id: string; tenant: string; function_id: string } {
  return { job_id: id, tenant, function_id: functionId };
}

function fieldsOf(job: LiveJob): LogFields {
  return spanAttributes(job);
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
