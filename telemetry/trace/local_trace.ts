/**
 * LocalTrace: the part of a trace that this process makes below one local root, and who is told of it.
 *
 * A local root is a span whose parent is in no span of this process: a request's, a job's after a restart. Owns
 * which spans are open and the fan-out of ended ones to sinks: export, tail sampling, the trace store. It keeps
 * no ended span itself. Invariant: every span, sampled or not, is handed to each sink once, at its end; a sink
 * is told that nothing is open any more each time that this becomes so, after the last span.
 */
import { SAMPLED } from "./ids.ts";
import type { LoggedEvent } from "../log/log_tap.ts";
import type { ListedPart } from "./part_list.ts";
import type { SpanRecord } from "./span_record.ts";

/** What the trace store holds of a part until it puts it away (trace_store/trace_collector.ts). */
export interface Collected extends ListedPart<Collected> {
  readonly local: LocalTrace;
  readonly spans: SpanRecord[];
  readonly lines: LoggedEvent[];
  /** Of the lines. */
  textLength: number;
  /** Since the part began. */
  spanCount: number;
  lineCount: number;
  /** Since something was put away. */
  droppedCount: number;
}

/** What tail sampling holds of a part that is not decided yet (tail/tail_sampler.ts). */
export interface Held extends ListedPart<Held> {
  readonly local: LocalTrace;
  readonly spans: SpanRecord[];
  readonly sinceMs: number;
  bytes: number;
  isSlow: boolean;
}

/** One local root and all below it. The ids of its spans refer to it, so it lives as long as one of them is known. */
export class LocalTrace {
  readonly traceId: string;
  /** The decision that was made where the trace entered: what `traceparent` says to others. */
  readonly isSampled: boolean;
  /** Spans that have started and not ended, oldest first as a rule. Joined spans never are. */
  readonly open: SpanRecord[] = [];
  /** The first of its spans, to have started. */
  root: SpanRecord | undefined;
  /** Whose it is; undefined for what belongs to no tenant. The store shows it to nobody else. */
  tenant: string | undefined;
  /** The first function that a span of it named. */
  functionId: string | undefined;
  /** Whether its spans go to the exporter; undefined until that is decided (tail/tail_sampler.ts). */
  isExported: boolean | undefined;
  /** False for probes: the store would hold little else. What fails is stored all the same. */
  isStored = true;
  /** Undefined until the trace store holds something of it. */
  collected: Collected | undefined;
  /** Undefined unless tail sampling holds something of it. */
  held: Held | undefined;

  constructor(traceId: string, traceFlags: number) {
    this.traceId = traceId;
    this.isSampled = (traceFlags & SAMPLED) === SAMPLED;
  }
}

/** Who is told of the spans of this process. Called on the request path: it must not throw and not wait. */
export interface SpanSink {
  /** A span has started; joined spans start and end at once and are not announced. */
  started?(span: SpanRecord, local: LocalTrace): void;
  /** A span has ended, sampled or not. */
  ended(span: SpanRecord, local: LocalTrace): void;
  /** Nothing of it is open. More may come: a job outlives its request. */
  closed?(local: LocalTrace): void;
}

/** Hands spans to sinks. */
export class SpanFanOut {
  readonly #sinks: readonly SpanSink[];

  constructor(sinks: readonly SpanSink[]) {
    this.#sinks = sinks;
  }

  /** Called once for each live span. */
  started(span: SpanRecord): void {
    const { local } = span.ids;
    if (local === undefined) return;
    local.root ??= span;
    local.open.push(span);
    for (const sink of this.#sinks) sink.started?.(span, local);
  }

  /** Called once for each span, live or joined. */
  ended(span: SpanRecord): void {
    const local = span.ids.local ?? new LocalTrace(span.ids.traceId, span.ids.traceFlags);
    remove(local.open, span);
    for (const sink of this.#sinks) sink.ended(span, local);
    if (local.open.length > 0) return;
    for (const sink of this.#sinks) sink.closed?.(local);
  }
}

/** Removes the last of `spans` that is `span`: spans end in reverse order as a rule. */
function remove(spans: SpanRecord[], span: SpanRecord): void {
  const index = spans.lastIndexOf(span);
  if (index < 0) return;
  if (index === spans.length - 1) spans.pop();
  else spans.splice(index, 1);
}
