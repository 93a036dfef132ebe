/**
 * TailSampler: which traces are exported although the decision at their entry was against it.
 *
 * Owns the spans of undecided parts of traces and the decision, made when the local root has ended: errors,
 * timeouts, kills and the slowest are kept. A part whose request accepted a job waits for the job, since either may
 * fail. What was sampled at the entry goes through at once. Invariants: every span of a part that is kept is handed
 * on exactly once, and none of one that is dropped; what is held is bounded, and where it is too much the oldest
 * part is decided as it was at the entry, which is to drop it, and counted.
 */
import type { Held, LocalTrace, SpanSink } from "../trace/local_trace.ts";
import { PartList } from "../trace/part_list.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { promisesOf } from "../trace_store/piece_format.ts";
import { judgeSpans } from "../trace/trace_verdict.ts";
import { DurationQuantile } from "./duration_quantile.ts";

/** Sizes and what is slow. */
export interface TailConfig {
  /** False: what was decided at the entry stands. */
  readonly isEnabled: boolean;
  /** Most spans that are held, over all traces. */
  readonly spansMax: number;
  /** Most bytes of them, as an estimate. */
  readonly bytesMax: number;
  /** How long a part may stay undecided: a job may take as long. */
  readonly ageMsMax: number;
  /** How many of a hundred requests of one route and function are the slowest; 0 keeps none for that. */
  readonly slowPercent: number;
}

/**
 * Why a part of a trace is exported or not: `head` was sampled at the entry; `dropped` was not, and nothing was
 * remarkable; `overflow` and `expired` were not, and were let go before the end.
 */
export const TAIL_DECISIONS = [
  "head",
  "error",
  "timeout",
  "kill",
  "slow",
  "dropped",
  "overflow",
  "expired",
] as const;

/** See TAIL_DECISIONS. */
export type TailDecision = (typeof TAIL_DECISIONS)[number];

/** A span takes about so much besides its texts. */
const SPAN_BYTES = 500;

/** Stands before the exporter. */
export class TailSampler implements SpanSink {
  readonly #config: TailConfig;
  readonly #add: (span: SpanRecord) => void;
  readonly #nowMs: () => number;
  readonly #onDecided: (decision: TailDecision) => void;
  readonly #durations: DurationQuantile | undefined;
  /** Oldest first. */
  readonly #held = new PartList<Held>();
  #spanCount = 0;
  #bytes = 0;
  #last: SpanRecord | undefined;

  constructor(
    config: TailConfig,
    add: (span: SpanRecord) => void,
    nowMs: () => number,
    onDecided: (decision: TailDecision) => void,
  ) {
    this.#config = config;
    this.#add = add;
    this.#nowMs = nowMs;
    this.#onDecided = onDecided;
    this.#durations = config.slowPercent > 0 ? new DurationQuantile(1 - config.slowPercent / 100) : undefined;
  }

  /** Spans that are held. */
  get spanCount(): number {
    return this.#spanCount;
  }

  /** Bytes of them, estimated. */
  get byteCount(): number {
    return this.#bytes;
  }

  ended(span: SpanRecord, local: LocalTrace): void {
    this.#last = span;
    if (local.functionId === undefined && span.row.required.includes("function_id")) {
      const id = span.findAttribute("function_id");
      if (typeof id === "string") local.functionId = id;
    }
    if (local.isSampled || local.isExported === true) this.#add(span);
    else if (this.#config.isEnabled && local.isExported === undefined) this.#hold(span, local);
  }

  closed(local: LocalTrace): void {
    if (!this.#config.isEnabled) return this.#follow(local);
    const outer = this.#last;
    const isSlow = outer !== undefined && this.#durations !== undefined &&
      this.#durations.observe(kindOf(outer, local), outer.endMs - outer.startMs);
    if (local.isSampled) return this.#follow(local);
    const { held } = local;
    if (held === undefined) return;
    held.isSlow ||= isSlow;
    const verdict = judgeSpans(held.spans);
    if (verdict !== "ok") this.#decide(local, verdict);
    else if (held.isSlow) this.#decide(local, "slow");
    else if (promisesOf(held.spans) <= 0) this.#decide(local, "dropped");
  }

  /** To be called about once a second: lets go of what has waited too long. */
  sweep(): void {
    const beforeMs = this.#nowMs() - this.#config.ageMsMax;
    for (const { local, sinceMs } of this.#held) {
      if (sinceMs > beforeMs) return;
      this.#decide(local, "expired");
    }
  }

  /** Decides everything that is held by what is known of it. The process ends. */
  close(): void {
    for (const { local, spans, isSlow } of this.#held) {
      const verdict = judgeSpans(spans);
      this.#decide(local, verdict !== "ok" ? verdict : isSlow ? "slow" : "dropped");
    }
  }

  /** As it was decided at the entry. */
  #follow(local: LocalTrace): void {
    if (local.isExported === undefined) this.#onDecided(local.isSampled ? "head" : "dropped");
    local.isExported = local.isSampled;
  }

  #hold(span: SpanRecord, local: LocalTrace): void {
    const held = local.held ??= makeHeld(local, this.#nowMs());
    this.#held.add(held);
    const bytes = bytesOf(span);
    held.spans.push(span);
    held.bytes += bytes;
    this.#spanCount += 1;
    this.#bytes += bytes;
    while (this.#spanCount > this.#config.spansMax || this.#bytes > this.#config.bytesMax) {
      const oldest = this.#held.first;
      if (oldest === undefined) return;
      this.#decide(oldest.local, "overflow");
    }
  }

  #decide(local: LocalTrace, decision: TailDecision): void {
    const { held } = local;
    if (held === undefined) return;
    this.#held.remove(held);
    local.held = undefined;
    this.#spanCount -= held.spans.length;
    this.#bytes -= held.bytes;
    const isKept = decision !== "dropped" && decision !== "overflow" && decision !== "expired";
    local.isExported = isKept;
    this.#onDecided(decision);
    if (!isKept) return;
    for (const span of held.spans) this.#add(span);
  }
}

/** What durations are compared within: a route and function, or another outermost span and its function. */
function kindOf(span: SpanRecord, local: LocalTrace): string {
  const route = span.findAttribute("http.route");
  return `${span.name} ${typeof route === "string" ? route : ""} ${local.functionId ?? ""}`;
}

function bytesOf(span: SpanRecord): number {
  let bytes = SPAN_BYTES + (span.failure?.length ?? 0);
  span.visitAttributes((_name, value) => {
    if (typeof value === "string") bytes += 2 * value.length;
  });
  return bytes;
}

function makeHeld(local: LocalTrace, sinceMs: number): Held {
  return {
    ...{ local, spans: [], sinceMs, bytes: 0, isSlow: false },
    ...{ isListed: false, before: undefined, after: undefined },
  };
}
