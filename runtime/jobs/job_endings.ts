/**
 * JobEndings: the way of jobs to a final state, or back into the line.
 *
 * Owns what is to be durable before anyone is told, and the patience with a store that refuses. Why a job ends is
 * not its matter. Invariants: a state is told, logged and counted only after it is durable; a refusal of the store
 * loses nothing: the change is tried again until the gateway ends, and then the record is as it was.
 */
import type { SpanIds } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { JobStore } from "../store/job_store.ts";
import type { Conclusion } from "./conclusion.ts";
import type { JobRetention } from "./job_retention.ts";
import type { JobTelemetry } from "./job_telemetry.ts";
import type { JobWatchers } from "./job_watchers.ts";
import type { LiveJob } from "./live_job.ts";

/** How soon a store that refused a change is asked again. */
export const STORE_RETRY_MS = 5_000;

/** What endings work with. */
export interface JobEndingsParts {
  readonly store: JobStore;
  readonly watchers: JobWatchers;
  readonly retention: JobRetention;
  readonly telemetry: JobTelemetry;
  readonly clock: Clock;
}

/** A conclusion that is final. */
export type Ended = Conclusion & { readonly type: "end" };

/** Ends jobs. */
export class JobEndings {
  readonly #parts: JobEndingsParts;
  readonly #closing = Promise.withResolvers<void>();
  #isClosing = false;
  #count = 0;

  constructor(parts: JobEndingsParts) {
    this.#parts = parts;
  }

  /** Jobs whose end is not durable yet. */
  get count(): number {
    return this.#count;
  }

  /** Ends a job whose last run began at `startedMs`; its line is under the span of `ids`. */
  async end(
    job: LiveJob,
    attempt: number,
    conclusion: Ended,
    ids: SpanIds | undefined,
    startedMs: number,
  ): Promise<void> {
    const { store, retention, telemetry, clock } = this.#parts;
    const finishedUnixMs = clock.nowMs();
    const { state, end, output } = conclusion;
    this.#count++;
    const bytes = await this.#persist(
      job,
      () => store.finish(job.id, { state, end, output, finishedUnixMs }),
    );
    this.#count--;
    if (bytes === undefined) return;
    telemetry.ended(job, attempt, conclusion, ids, finishedUnixMs - startedMs);
    this.tell(job);
    retention.add(job.tenant, bytes);
  }

  /** Ends a job without a run. */
  async endUnrun(job: LiveJob, conclusion: Ended): Promise<void> {
    const nowMs = this.#parts.clock.nowMs();
    const ids = this.#parts.telemetry.recordNoRun(job, conclusion.kind ?? conclusion.state, nowMs);
    await this.end(job, job.attemptsBefore, conclusion, ids, nowMs);
  }

  /** Lets a job that was begun wait again, with that many attempts behind it. */
  async requeue(job: LiveJob, attempts: number): Promise<void> {
    await this.#persist(job, () => this.#parts.store.requeue(job.id, attempts));
    this.tell(job);
  }

  /** Tells those who watch a job how it is now. */
  tell(job: LiveJob): void {
    const { store, watchers } = this.#parts;
    if (!watchers.has(job.id)) return;
    const record = store.find(job.id);
    if (record !== undefined) watchers.tell(record);
  }

  /** Gives up on a store that refuses. */
  close(): void {
    this.#isClosing = true;
    this.#closing.resolve();
  }

  async #persist<T>(job: LiveJob, change: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await change();
      } catch (error) {
        this.#parts.telemetry.storeFailed(job, error);
        if (this.#isClosing) return undefined;
        const pause = Promise.withResolvers<void>();
        const cancelTimer = this.#parts.clock.after(STORE_RETRY_MS, pause.resolve);
        await Promise.race([pause.promise, this.#closing.promise]);
        cancelTimer();
      }
    }
  }
}
