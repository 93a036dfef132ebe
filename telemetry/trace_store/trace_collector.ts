/**
 * TraceCollector: spans and log lines of what runs, until they are put away as pieces.
 *
 * Owns which parts of traces are being collected and how much of one part and of all together is held. A request's
 * spans and lines are put away when its last span has ended. Invariant: every span and line is put away once or
 * counted as dropped; what is held is bounded, however long a job runs and however much it logs.
 */
import type { Collected, LocalTrace, SpanSink } from "../trace/local_trace.ts";
import type { LoggedEvent } from "../log/log_tap.ts";
import { PartList } from "../trace/part_list.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import type { PieceContent } from "./piece_writer.ts";

/** How much is held. */
export interface CollectorBounds {
  /** Most spans of one part of a trace, and most lines. */
  readonly spansPerTraceMax: number;
  readonly linesPerTraceMax: number;
}

/** How long a part may have been open before what ended in it is put away. */
const LONG_MS = 1000;
/** Spans and lines of one part that are put away before it ends. */
const HELD_PER_TRACE_MAX = 256;
/** Spans and lines of all parts, above which those of the oldest are put away. */
const HELD_MAX = 50_000;
/** The text of lines of one part, in UTF-16 units, likewise: a guest may write long ones. */
const HELD_TEXT_MAX = 64 * 1024;

/** Collects. */
export class TraceCollector implements SpanSink {
  readonly #bounds: CollectorBounds;
  /** Uses what it is given at once: it is emptied afterwards. */
  readonly #put: (content: PieceContent) => void;
  /** Parts with open spans or with something that is not put away, oldest first. */
  readonly #live = new PartList<Collected>();
  #heldCount = 0;

  constructor(bounds: CollectorBounds, put: (content: PieceContent) => void) {
    this.#bounds = bounds;
    this.#put = put;
  }

  /** Parts that run or are not put away yet. */
  get live(): PartList<Collected> {
    return this.#live;
  }

  /** Spans and lines that are held. */
  get heldCount(): number {
    return this.#heldCount;
  }

  started(_span: SpanRecord, local: LocalTrace): void {
    if (local.open.length === 1) this.#live.add(collectedOf(local));
  }

  ended(span: SpanRecord, local: LocalTrace): void {
    const collected = collectedOf(local);
    collected.spanCount += 1;
    if (collected.spanCount > this.#bounds.spansPerTraceMax && span !== local.root) {
      collected.droppedCount += 1;
      return;
    }
    collected.spans.push(span);
    this.#held(local, collected);
  }

  /** Takes a line of the log; one that belongs to no trace is not kept. */
  line(event: LoggedEvent): void {
    const local = event.ids?.local;
    if (local === undefined || !local.isStored) return;
    const collected = collectedOf(local);
    collected.lineCount += 1;
    if (collected.lineCount > this.#bounds.linesPerTraceMax) {
      collected.droppedCount += 1;
      return;
    }
    collected.lines.push(event);
    const { fields } = event;
    for (const name of Object.keys(fields)) {
      const value = fields[name];
      if (typeof value === "string") collected.textLength += value.length;
    }
    if (local.open.length === 0) this.#live.add(collected);
    this.#held(local, collected);
  }

  closed(local: LocalTrace): void {
    this.#putAway(local);
    if (local.collected !== undefined) this.#live.remove(local.collected);
  }

  /**
   * Puts away what came after the last span of its part had ended: nothing else would. Also the spans that ended
   * below one that goes on for long, as a request does below its job, so that the end of the process costs only
   * what was open.
   */
  sweep(nowMs: number): void {
    for (const { local, spans } of this.#live) {
      const [oldest] = local.open;
      if (oldest === undefined) this.closed(local);
      else if (spans.length > 0 && nowMs - oldest.startMs >= LONG_MS) this.#putAway(local);
    }
  }

  /** Puts everything away: the process ends. */
  flush(): void {
    for (const { local } of this.#live) this.#putAway(local);
    this.sweep(Infinity);
  }

  #held(local: LocalTrace, { spans, lines, textLength }: Collected): void {
    this.#heldCount += 1;
    if (spans.length + lines.length >= HELD_PER_TRACE_MAX || textLength >= HELD_TEXT_MAX) {
      this.#putAway(local);
    }
    if (this.#heldCount < HELD_MAX) return;
    for (const { local: oldest } of this.#live) {
      this.#putAway(oldest);
      if (this.#heldCount < HELD_MAX / 2) return;
    }
  }

  #putAway(local: LocalTrace): void {
    const { collected } = local;
    if (collected === undefined) return;
    const { spans, lines, droppedCount } = collected;
    const count = spans.length + lines.length;
    if (count === 0) return;
    this.#heldCount -= count;
    collected.textLength = 0;
    collected.droppedCount = 0;
    if (local.isStored || spans.some((span) => span.failure !== undefined)) {
      this.#put({ local, spans, lines, droppedCount });
    }
    // Emptied, not replaced: a list that has grown old keeps what is in it until the next full collection.
    spans.length = lines.length = 0;
  }
}

function collectedOf(local: LocalTrace): Collected {
  return local.collected ??= {
    local,
    spans: [],
    lines: [],
    textLength: 0,
    spanCount: 0,
    lineCount: 0,
    droppedCount: 0,
    isListed: false,
    before: undefined,
    after: undefined,
  };
}
