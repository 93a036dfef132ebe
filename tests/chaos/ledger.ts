/**
 * Ledger: what is known of each call, from its caller, its spans and its log lines, until all of it fits.
 *
 * Owns the meeting of the three and the verdict on each trace. It keeps a trace no longer than it takes to be
 * whole, so that memory does not grow with the length of a run. Invariant: every trace is either found right once
 * or reported once, and spans that come after that are reported too.
 */
import type { DecodedSpan } from "../support/collector.ts";
import type { LogLine } from "../support/gateway.ts";
import { type CallRecord, checkTrace, type WholeTrace } from "./trace_check.ts";

/** The trace of every request that is not a call. It is not sampled, but tail sampling keeps the slowest of it. */
export const UNSAMPLED_TRACE = "00000000000000000000000000000001";
/** For the header of such a request. */
export const UNSAMPLED = { traceparent: `00-${UNSAMPLED_TRACE}-0000000000000001-00` };
/** How long the parts of a trace may be apart. */
const WAIT_MS_MAX = 15_000;
/** A root may overtake spans of its trace, if batches do. */
const GRACE_MS = 3_000;
/** Traces remembered after they were closed. */
const CLOSED_COUNT_MAX = 50_000;

interface Entry {
  readonly sinceMs: number;
  readonly spans: DecodedSpan[];
  readonly lines: Map<string, number>;
  record: CallRecord | undefined;
  /** How often the guest said which call it was. */
  runs: number;
}

/** What is found. */
export interface LedgerObserver {
  /** A trace is whole and right. */
  closed(record: CallRecord, trace: WholeTrace): void;
  violation(traceId: string, reason: string): void;
}

/** The calls that are not settled. */
export class Ledger {
  readonly #observer: LedgerObserver;
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Set<string>();

  constructor(observer: LedgerObserver) {
    this.#observer = observer;
  }

  /** Traces that are not settled. */
  get openCount(): number {
    return this.#entries.size;
  }

  takeRecord(record: CallRecord): void {
    const entry = this.#entryOf(record.traceId);
    if (entry === undefined || entry.record !== undefined) {
      return this.#observer.violation(record.traceId, "two calls have the same trace");
    }
    entry.record = record;
    this.#tryClose(record.traceId, entry, "first");
  }

  takeSpans(given: readonly DecodedSpan[]): void {
    const spans = given.filter(({ traceId }) => traceId !== UNSAMPLED_TRACE);
    for (const span of spans) {
      const entry = this.#entryOf(span.traceId);
      if (entry === undefined) {
        this.#observer.violation(span.traceId, `span ${span.name} came after its trace was whole`);
      } else entry.spans.push(span);
    }
    for (const { traceId, name } of spans) {
      const entry = this.#entries.get(traceId);
      if (name === "http.request" && entry !== undefined) this.#tryClose(traceId, entry, "first");
    }
  }

  takeLine(line: LogLine): void {
    if (line.trace_id === undefined || line.trace_id === UNSAMPLED_TRACE) return;
    const entry = this.#entryOf(line.trace_id);
    if (entry === undefined) {
      return this.#observer.violation(line.trace_id, `line ${line.message} came after its call was complete`);
    }
    entry.lines.set(line.message, (entry.lines.get(line.message) ?? 0) + 1);
    if (/^argv\[1\] /.test(String(line["line"]))) entry.runs++;
    if (line.message === "request.completed") this.#tryClose(line.trace_id, entry, "first");
  }

  /** Settles what has waited long enough; everything, if the run is over. */
  sweep(isOver: boolean): void {
    const nowMs = performance.now();
    for (const [traceId, entry] of this.#entries) {
      const waitedMs = nowMs - entry.sinceMs;
      if (isComplete(entry)) {
        if (waitedMs > GRACE_MS || isOver) this.#tryClose(traceId, entry, "last");
      } else if (hasNeverArrived(entry)) {
        if (waitedMs > GRACE_MS || isOver) this.#close(traceId);
      } else if (isOver || (entry.record !== undefined && waitedMs > WAIT_MS_MAX + entry.record.deadlineMs)) {
        this.#close(traceId);
        this.#observer.violation(traceId, `incomplete: ${describe(entry)}`);
      }
    }
  }

  #entryOf(traceId: string): Entry | undefined {
    if (this.#closed.has(traceId)) return undefined;
    let entry = this.#entries.get(traceId);
    if (entry === undefined) {
      entry = { sinceMs: performance.now(), spans: [], lines: new Map(), record: undefined, runs: 0 };
      this.#entries.set(traceId, entry);
    }
    return entry;
  }

  #tryClose(traceId: string, entry: Entry, attempt: "first" | "last"): void {
    const { record } = entry;
    if (record === undefined || !isComplete(entry)) return;
    try {
      const trace = checkTrace(entry.spans, record);
      checkLines(entry, record, trace.attempts.length);
      this.#close(traceId);
      this.#observer.closed(record, trace);
    } catch (error) {
      if (attempt === "first") return;
      this.#close(traceId);
      const reason = error instanceof Error ? error.message : String(error);
      this.#observer.violation(traceId, `${reason}; ${describe(entry)}`);
    }
  }

  #close(traceId: string): void {
    this.#entries.delete(traceId);
    this.#closed.add(traceId);
    const [oldest] = this.#closed;
    if (this.#closed.size > CLOSED_COUNT_MAX && oldest !== undefined) this.#closed.delete(oldest);
  }
}

function isComplete({ record, spans, lines }: Entry): boolean {
  return record !== undefined && lines.has("request.completed") &&
    spans.some((span) => span.name === "http.request");
}

/** Its client left before the gateway saw it. */
function hasNeverArrived({ record, spans, lines }: Entry): boolean {
  return record?.answer === "left" && spans.length === 0 && lines.size === 0;
}

/** The lines of a call say what its answer and its trace say. */
function checkLines({ lines, runs }: Entry, { guest, answer }: CallRecord, attempts: number): void {
  for (const message of ["request.received", "request.completed"]) {
    if (lines.get(message) !== 1) throw new Error(`${lines.get(message) ?? 0} lines ${message}`);
  }
  const failed = lines.get("request.failed") ?? 0;
  if (answer !== "left" && failed !== (answer === "200" ? 0 : 1)) {
    throw new Error(`${failed} lines request.failed`);
  }
  // What a cell had printed when it was killed may be lost, but nothing is printed twice.
  if (runs > attempts) throw new Error(`the guest ran ${runs} times in ${attempts} attempts`);
  if (guest === "args_env" && answer === "200" && runs === 0) {
    throw new Error("a line of the guest is missing");
  }
}

function describe({ record, spans, lines }: Entry): string {
  const call = record === undefined
    ? "no caller knows it"
    : `${record.guest} answered ${record.answer}${record.isIdempotent ? ", idempotent" : ""}`;
  const names = spans.map((span) => {
    const said = span.attributes["outcome"] ?? span.attributes["reason"];
    return span.name.slice(span.name.lastIndexOf(":") + 1) + (said === undefined ? "" : `=${String(said)}`);
  });
  return `${call}; spans [${names.join(", ")}]; lines [${[...lines.keys()].join(", ")}]`;
}
