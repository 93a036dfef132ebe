/**
 * TracePiece: spans and log lines of one trace and one tenant that were stored together.
 *
 * Owns the shapes that are read back. A request is one piece as a rule; a job that outlives it, or a part with
 * very many spans, makes more. Times are milliseconds since the epoch with three digits.
 */
import type { AttributeValue, SpanKindName } from "../names.ts";
import type { LogLevel } from "../log/log_line.ts";
import type { PlainFields } from "../log/plain_value.ts";
import type { Verdict } from "../trace/trace_verdict.ts";

/** A span as it is kept. */
export interface StoredSpan {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** True if the parent is a span of who called this process. */
  readonly isParentRemote: boolean;
  readonly name: string;
  readonly scope: string;
  readonly kind: SpanKindName;
  readonly startMs: number;
  /** Undefined while it is open. */
  readonly durationMs: number | undefined;
  readonly failure: string | undefined;
  /** `target` is left out: it equals the scope. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly StoredEvent[];
}

/** A moment within a span. */
export interface StoredEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A log line as it is kept. */
export interface StoredLine {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly target: string;
  readonly message: string;
  readonly spanId: string;
  readonly fields: PlainFields;
}

/** What a list shows of a piece, and what it is found by. */
export interface PieceSummary {
  readonly traceId: string;
  /** Undefined for what belongs to no tenant. */
  readonly tenant: string | undefined;
  /** The outermost span of the piece. */
  readonly rootName: string;
  /** Whether that is where the trace entered this process. */
  readonly hasRoot: boolean;
  readonly route: string | undefined;
  readonly method: string | undefined;
  readonly httpStatus: number | undefined;
  readonly functionId: string | undefined;
  readonly functionName: string | undefined;
  readonly verdict: Verdict;
  readonly startMs: number;
  readonly durationMs: number;
  readonly spanCount: number;
  readonly lineCount: number;
  /** Spans and lines that were over the bounds of a trace. */
  readonly droppedCount: number;
  /** Jobs that were accepted, less those that ended. */
  readonly promisedCount: number;
}

/** A piece, read back. */
export interface TracePiece {
  readonly summary: PieceSummary;
  readonly spans: readonly StoredSpan[];
  readonly lines: readonly StoredLine[];
}
