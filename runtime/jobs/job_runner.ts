/**
 * JobRunner: jobs from their acceptance to their end.
 *
 * Owns when a job begins, and the steps of its run. What the end of a run means is conclusion.ts's, whose turn it
 * is job_queue.ts's, what becomes durable when job_endings.ts's. It knows no HTTP. Invariants: a run begins only
 * after its start is durable, so a job that may run once is never begun twice; every job that was accepted ends,
 * or is left to the next process as the store has it.
 */
import type { Span, SpanIds } from "../../telemetry/mod.ts";
import { invariant } from "../model/invariant.ts";
import { cancelled, expired } from "./conclusion.ts";
import type { Conclusion } from "./conclusion.ts";
import { callJob } from "./job_call.ts";
import type { JobCallParts } from "./job_call.ts";
import { STORE_RETRY_MS } from "./job_endings.ts";
import type { Ended, JobEndings } from "./job_endings.ts";
import type { JobQueue, Reservation } from "./job_queue.ts";
import type { LiveJob } from "./live_job.ts";

/** What a runner works with. */
export interface JobRunnerParts extends JobCallParts {
  readonly queue: JobQueue;
  readonly endings: JobEndings;
  /** Counts a run in; the returned function counts it out. Throws once the gateway drains. */
  readonly enter: () => () => void;
  /** Whether somebody who waits for an answer is waiting for a slot. */
  readonly isBusy: () => boolean;
}

/** While others wait for slots, jobs begin at this pace, so that they never stand still. */
const BUSY_PACE_MS = 100;
/** Most ended runs whose end is not durable yet: with more, no run begins. */
const ENDING_COUNT_MAX = 256;
/** How often jobs are looked for that have waited too long, and how many end at a time. */
const EXPIRY_LOOK_MS = 1_000;
const EXPIRED_COUNT_MAX = 256;

/** Runs jobs. */
export class JobRunner {
  readonly #parts: JobRunnerParts;
  readonly #live = new Map<string, LiveJob>();
  readonly #under = new Set<Promise<void>>();
  #isClosing = false;
  #lastStartMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #cancelExpiry: (() => void) | undefined;

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
  }

  /** A job that has not ended. */
  find(id: string): LiveJob | undefined {
    return this.#live.get(id);
  }

  /** Takes a job over whose acceptance is durable. */
  accept(job: LiveJob, reservation: Reservation): void {
    this.#live.set(job.id, job);
    reservation.fill(job);
    this.#parts.telemetry.queued(job);
    this.pump();
  }

  /** Takes a job over that an earlier process accepted; `pump` begins with them. */
  restore(job: LiveJob): void {
    this.#live.set(job.id, job);
    this.#parts.queue.restore(job);
  }

  /** Begins what may begin now. */
  pump(): void {
    const { queue, endings, clock, isBusy } = this.#parts;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    while (queue.queued > 0 && endings.count < ENDING_COUNT_MAX) {
      const nowMs = clock.nowMs();
      const sinceMs = nowMs - this.#lastStartMs;
      if (sinceMs < BUSY_PACE_MS && isBusy()) {
        this.#pumpIn(BUSY_PACE_MS - sinceMs);
        break;
      }
      if (!this.#begin(nowMs)) break;
    }
    if (queue.queued > 0) this.#watchExpiry();
    this.#count();
  }

  /** Ends a job that waits, or stops one that runs; resolves when the wish is durable. */
  async cancel(job: LiveJob): Promise<void> {
    job.cancellation.cancel();
    if (this.#parts.queue.remove(job)) await this.#endWaiting(job, cancelled());
    else await this.#parts.store.requestCancel(job.id);
  }

  /** Ends a job that an earlier process had begun; its line is under the span of `ids`. */
  async endRestored(
    job: LiveJob,
    conclusion: Ended,
    ids: SpanIds | undefined,
    startedMs: number,
  ): Promise<void> {
    await this.#parts.endings.end(job, job.attemptsBefore, conclusion, ids, startedMs);
  }

  /** Begins nothing more; resolves when everything under way has ended or was given up. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelTimer?.();
    this.#cancelExpiry?.();
    this.#parts.endings.close();
    while (this.#under.size > 0) await Promise.allSettled(this.#under);
  }

  /** Whether a job was begun, or ended because it had waited too long. */
  #begin(nowMs: number): boolean {
    const { queue } = this.#parts;
    const leave = this.#enter();
    if (leave === undefined) return false;
    const job = queue.take(nowMs);
    if (job === undefined) {
      leave();
      const nextMs = queue.nextTurnMs(nowMs);
      if (nextMs !== undefined) this.#pumpIn(nextMs - nowMs);
      return false;
    }
    if (nowMs - job.createdUnixMs > this.#parts.limits.jobQueueMsMax) {
      queue.endRun(job);
      void this.#endWaiting(job, this.#expired(job, nowMs)).finally(leave);
      return true;
    }
    this.#lastStartMs = nowMs;
    void this.#track(
      job,
      this.#run(job, nowMs).finally(() => {
        leave();
        this.pump();
      }),
    );
    return true;
  }

  #enter(): (() => void) | undefined {
    if (this.#isClosing) return undefined;
    try {
      return this.#parts.enter();
    } catch {
      // The gateway drains: what waits is left to the next process.
      return undefined;
    }
  }

  readonly #isDraining = (): boolean => {
    const leave = this.#enter();
    leave?.();
    return leave === undefined;
  };

  async #run(job: LiveJob, startedMs: number): Promise<void> {
    const { telemetry } = this.#parts;
    const attempt = job.attemptsBefore + 1;
    const span = telemetry.startSpan(job, attempt);
    try {
      await telemetry.tracer.withSpan(span, () => this.#runUnder(span, job, attempt, startedMs));
    } finally {
      span.end();
    }
  }

  async #runUnder(
    span: Span<"async_invoke.job">,
    job: LiveJob,
    attempt: number,
    startedMs: number,
  ): Promise<void> {
    const { store, queue, telemetry, endings, clock } = this.#parts;
    try {
      const hasStarted = await store.start(job.id, attempt, startedMs);
      invariant(hasStarted, "A job was begun that did not wait");
    } catch (error) {
      telemetry.storeFailed(job, error);
      span.setAttribute("requeued", "store_failed").fail("store_failed");
      return queue.putBack(job, clock.nowMs() + STORE_RETRY_MS);
    }
    telemetry.started(job, attempt, startedMs);
    endings.tell(job);
    const conclusion = await callJob(this.#parts, job, attempt, this.#isDraining);
    await this.#conclude(span, job, attempt, conclusion, startedMs);
  }

  async #conclude(
    span: Span<"async_invoke.job">,
    job: LiveJob,
    attempt: number,
    conclusion: Conclusion,
    startedMs: number,
  ): Promise<void> {
    const { queue, telemetry, endings, clock } = this.#parts;
    switch (conclusion.type) {
      case "end":
        queue.endRun(job);
        // Its slot is free while its end becomes durable.
        this.pump();
        if (conclusion.kind !== undefined) span.fail(conclusion.kind);
        await endings.end(job, attempt, conclusion, span.ids, startedMs);
        return this.#forget(job);
      case "put_off":
        span.setAttribute("requeued", "no_room").fail("no_room");
        telemetry.requeued(job, job.attemptsBefore, "no_room");
        await endings.requeue(job, job.attemptsBefore);
        queue.putBack(job, clock.nowMs() + conclusion.afterMs);
        // Whoever cancelled it meanwhile found it neither waiting nor running.
        if (job.cancellation.isCancelled) await this.cancel(job);
        return;
      case "requeue": {
        const attempts = conclusion.hasRun ? attempt : job.attemptsBefore;
        queue.endRun(job);
        span.setAttribute("requeued", "drain").fail("interrupted");
        telemetry.requeued(job, attempts, "drain");
        await endings.requeue(job, attempts);
        return this.#forget(job);
      }
    }
  }

  /** Ends a job that was in line and is not any more. */
  #endWaiting(job: LiveJob, conclusion: Ended): Promise<void> {
    return this.#track(job, this.#parts.endings.endUnrun(job, conclusion).then(() => this.#forget(job)));
  }

  #forget(job: LiveJob): void {
    this.#live.delete(job.id);
    this.#parts.queue.settle(job);
    this.#count();
  }

  #count(): void {
    this.#parts.telemetry.countJobs(this.#live.size, this.#parts.queue);
  }

  #expired({ createdUnixMs }: LiveJob, nowMs: number): Ended {
    return expired(nowMs - createdUnixMs, this.#parts.limits);
  }

  #watchExpiry(): void {
    if (this.#isClosing) return;
    this.#cancelExpiry ??= this.#parts.clock.after(EXPIRY_LOOK_MS, () => {
      this.#cancelExpiry = undefined;
      const { queue, clock, limits } = this.#parts;
      const nowMs = clock.nowMs();
      for (const job of queue.olderThan(nowMs - limits.jobQueueMsMax, EXPIRED_COUNT_MAX)) {
        queue.remove(job);
        void this.#endWaiting(job, this.#expired(job, nowMs));
      }
      this.pump();
    });
  }

  #pumpIn(delayMs: number): void {
    if (this.#isClosing) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => this.pump());
  }

  /** Follows work on a job until it ends; that it fails is a bug, which is logged. */
  #track(job: LiveJob, work: Promise<void>): Promise<void> {
    const done = work.catch((error) => this.#parts.telemetry.crashed(job, error))
      .finally(() => this.#under.delete(done));
    this.#under.add(done);
    return done;
  }
}
