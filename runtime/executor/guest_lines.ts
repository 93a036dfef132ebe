/**
 * Guest lines: a guest's stdout, stderr and log calls as log lines of the request.
 *
 * Owns the fields, the mapping of levels, and the rate at which the calls of one function of one tenant may log
 * together (a token bucket each; the bound per call is the cell's). Invariant: every line carries the ids of
 * its call's trace, the tenant and the function, whatever the guest wrote; every line that is not written is
 * counted in a metric and told of in one line a second, and the buckets are bounded.
 */
import type { Counter, LogLevel, SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { Invocation } from "../model/invocation.ts";
import type { Limits } from "../model/limits.ts";
import { LruCache } from "../model/lru_cache.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import type { CellLogLine } from "../wire/messages.ts";

/** What cells say, and no more: a cell that a guest has taken over says anything. */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map(
  (["trace", "debug", "info", "warn", "error"] as const).map((level) => [level, level]),
);
const SOURCES: ReadonlySet<string> = new Set(["stdout", "stderr", "log", "device", "notice"]);

/** How long drops are gathered before a line tells of them. */
const NOTICE_MS = 1_000;
/** Most functions whose rate is known; one that is forgotten begins with a full bucket. */
const BUCKETS_MAX = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
  /** What was dropped since the last notice. */
  dropped: number;
}

/** What guest lines need. */
export interface GuestLinesOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly limitsOf: LimitsOf;
}

/** Logs the lines of all guests. */
export class GuestLines implements Disposable {
  readonly #options: GuestLinesOptions;
  readonly #buckets = new LruCache<string, Bucket>({ countMax: BUCKETS_MAX, weightMax: BUCKETS_MAX });
  readonly #dropped: Counter;
  /** Notices that are due, each with the timer that will write it. */
  readonly #notices = new Map<Bucket, { readonly cancel: () => void; readonly write: () => void }>();

  constructor(options: GuestLinesOptions) {
    this.#options = options;
    this.#dropped = options.telemetry.metrics.counter("tensor_wasm_log_lines_dropped_total", {
      reason: "guest_rate",
    });
  }

  /** Logs one line under the span of its instance. */
  log(invocation: Invocation, ids: SpanIds | undefined, line: CellLogLine): void {
    const level = LEVELS.get(line.level) ?? "info";
    const source = SOURCES.has(line.source) ? line.source : "stdout";
    const log = this.#options.telemetry.log("guest");
    if (!log.enabled(level, ids)) return;
    const limits = this.#options.limitsOf(invocation.tenant);
    const bucket = this.#bucketOf(invocation, limits);
    if (!this.#take(bucket, limits)) return this.#drop(bucket, invocation, ids);
    const { tenant, function: { id } } = invocation;
    log[level](`guest.${source}`, { tenant, function_id: id, line: line.text }, ids);
  }

  /** Writes the notices that are due. */
  [Symbol.dispose](): void {
    for (const { cancel, write } of [...this.#notices.values()]) {
      cancel();
      write();
    }
  }

  #bucketOf({ tenant, function: { id } }: Invocation, limits: Limits): Bucket {
    const key = `${tenant} ${id}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      const atMs = this.#options.clock.nowMs();
      bucket = { tokens: limits.guestLogLinesBurstMax, atMs, dropped: 0 };
      this.#buckets.set(key, bucket, 1);
    }
    return bucket;
  }

  #take(bucket: Bucket, limits: Limits): boolean {
    const nowMs = this.#options.clock.nowMs();
    const earned = (nowMs - bucket.atMs) / 1000 * limits.guestLogLinesPerSecondMax;
    bucket.tokens = Math.min(limits.guestLogLinesBurstMax, bucket.tokens + earned);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #drop(bucket: Bucket, invocation: Invocation, ids: SpanIds | undefined): void {
    this.#dropped.inc();
    bucket.dropped += 1;
    if (bucket.dropped > 1) return;
    const write = (): void => {
      const count = bucket.dropped;
      bucket.dropped = 0;
      this.#notices.delete(bucket);
      const { guestLogLinesPerSecondMax } = this.#options.limitsOf(invocation.tenant);
      this.#options.telemetry.log("guest").warn("guest.lines_dropped", {
        ...fieldsOf(invocation),
        count,
        lines_per_second_max: guestLogLinesPerSecondMax,
      }, ids);
    };
    this.#notices.set(bucket, { cancel: this.#options.clock.after(NOTICE_MS, write), write });
  }
}

function fieldsOf({ tenant, function: { id } }: Invocation): { tenant: string; function_id: string } {
  return { tenant, function_id: id };
}
