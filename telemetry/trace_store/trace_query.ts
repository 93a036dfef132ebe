/**
 * Trace query: which traces a list shows, and pieces as one trace.
 *
 * Owns filters and the merging of the pieces of one trace and tenant. It finds nothing itself (trace_store.ts does).
 * Invariant: what is merged is of one tenant, or of none, unless an operator asked for all.
 */
import type { Verdict } from "../trace/trace_verdict.ts";
import type { PieceSummary, StoredLine, StoredSpan, TracePiece } from "./trace_piece.ts";

/** The words of a status filter. */
export const STATUS_WORDS = ["ok", "error", "timeout", "kill", "running"] as const;

/** A word, an HTTP status, or the class of one as its hundreds. `error` is everything that is not `ok`. */
export type StatusFilter = (typeof STATUS_WORDS)[number] | { readonly status: number } | {
  readonly hundreds: number;
};

/** What a list shows. */
export interface TraceQuery {
  /** Only those of a tenant; undefined for all. */
  readonly tenant?: string | undefined;
  /** Id or name of a function. */
  readonly function?: string | undefined;
  readonly status?: StatusFilter | undefined;
  readonly minMs?: number | undefined;
  readonly limit: number;
  /** Only what came before this; from `next` of the page before. */
  readonly before?: number | undefined;
}

/** A trace as a list shows it. */
export interface TraceSummary {
  readonly traceId: string;
  readonly tenant: string | undefined;
  readonly rootName: string;
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
  readonly droppedCount: number;
  /** False while spans are open or an accepted job has not ended. */
  readonly isComplete: boolean;
}

/** A page of a list, newest first. */
export interface TracePage {
  readonly traces: readonly TraceSummary[];
  /** Where the next page begins; undefined after the last one. A page may be short before that. */
  readonly next: number | undefined;
}

/** A trace, read back. */
export interface StoredTrace extends TraceSummary {
  /** All tenants whose spans are in it; one, unless an operator asked. */
  readonly tenants: readonly string[];
  /** By start. */
  readonly spans: readonly StoredSpan[];
  /** By time. */
  readonly lines: readonly StoredLine[];
  /** True if something is missing: bounds of the trace or of this answer. */
  readonly isTruncated: boolean;
}

const GRAVITY: readonly Verdict[] = ["ok", "error", "timeout", "kill"];

/** The summary of pieces of one trace; there is one at least. What runs is as long as it has been until now. */
export function mergeSummaries(
  pieces: readonly PieceSummary[],
  isRunning: boolean,
  nowMs: number,
): TraceSummary {
  const [oldest] = pieces;
  if (oldest === undefined) throw new TypeError("A trace has no piece");
  const root = pieces.find(({ hasRoot }) => hasRoot) ?? oldest;
  const called = pieces.find(({ functionId }) => functionId !== undefined) ?? root;
  // To the microsecond, as spans have it.
  const startMs = Math.round(Math.min(...pieces.map((piece) => piece.startMs)) * 1000) / 1000;
  const endMs = Math.max(
    ...pieces.map((piece) => piece.startMs + piece.durationMs),
    isRunning ? nowMs : -Infinity,
  );
  const sum = (count: (piece: PieceSummary) => number): number =>
    pieces.reduce((total, piece) => total + count(piece), 0);
  return {
    traceId: oldest.traceId,
    tenant: pieces.find(({ tenant }) => tenant !== undefined)?.tenant,
    rootName: root.rootName,
    route: root.route,
    method: root.method,
    httpStatus: root.httpStatus,
    functionId: called.functionId,
    functionName: called.functionName,
    verdict: GRAVITY[Math.max(...pieces.map(({ verdict }) => GRAVITY.indexOf(verdict)))] ?? "ok",
    startMs,
    durationMs: Math.round((endMs - startMs) * 1000) / 1000,
    spanCount: sum(({ spanCount }) => spanCount),
    lineCount: sum(({ lineCount }) => lineCount),
    droppedCount: sum(({ droppedCount }) => droppedCount),
    isComplete: !isRunning && sum(({ promisedCount }) => promisedCount) <= 0,
  };
}

/** Pieces of one trace as one trace, with at most `elementsMax` spans and as many lines. */
export function mergePieces(
  pieces: readonly TracePiece[],
  { isRunning, nowMs, elementsMax }: {
    readonly isRunning: boolean;
    readonly nowMs: number;
    readonly elementsMax: number;
  },
): StoredTrace {
  const summary = mergeSummaries(pieces.map((piece) => piece.summary), isRunning, nowMs);
  // Children end before their parents, so that backwards a parent comes first where both started together.
  const spans = pieces.flatMap((piece) => piece.spans).reverse().sort((a, b) => a.startMs - b.startMs);
  const lines = pieces.flatMap((piece) => piece.lines).sort((a, b) => a.atMs - b.atMs);
  const tenants = new Set(
    pieces.map((piece) => piece.summary.tenant).filter((tenant) => tenant !== undefined),
  );
  return {
    ...summary,
    tenants: [...tenants],
    spans: spans.slice(0, elementsMax),
    lines: lines.slice(0, elementsMax),
    isTruncated: summary.droppedCount > 0 || spans.length > elementsMax || lines.length > elementsMax,
  };
}

/** Whether a list shows a trace. The tenant is not looked at. */
export function matchesQuery(trace: TraceSummary, query: TraceQuery): boolean {
  if (
    query.function !== undefined && query.function !== trace.functionId &&
    query.function !== trace.functionName
  ) {
    return false;
  }
  if (query.minMs !== undefined && trace.durationMs < query.minMs) return false;
  return query.status === undefined || hasStatus(trace, query.status);
}

function hasStatus(trace: TraceSummary, filter: StatusFilter): boolean {
  if (typeof filter === "object") {
    const status = trace.httpStatus ?? 0;
    return "status" in filter ? status === filter.status : Math.floor(status / 100) === filter.hundreds;
  }
  if (filter === "running") return !trace.isComplete;
  return filter === "error" ? trace.verdict !== "ok" : trace.verdict === filter;
}
