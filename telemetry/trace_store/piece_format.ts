/**
 * Piece format: the numbers that the writer and the reader of pieces share.
 *
 * Owns tags and their meaning. Invariant: what is written to disk carries FORMAT_VERSION; a change of anything
 * here or of the order in which fields are written raises it, and older files are then left out.
 */
import type { SpanKindName } from "../names.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import type { Verdict } from "../trace/trace_verdict.ts";

/** Of the encoding of pieces and their string table. */
export const FORMAT_VERSION = 1;

/** How a value is written. */
export const VALUE = { text: 0, integer: 1, double: 2, yes: 3, no: 4, json: 5, repeated: 6 } as const;

/** Longest text of an attribute or field, in UTF-16 units; the rest is cut. */
export const TEXT_LENGTH_MAX = 4096;

/**
 * Values of at least this length, up to TEXT_LENGTH_MAX, are remembered, so many of a piece, and written once.
 * Writer and reader remember alike.
 */
export const REPEATED_LENGTH_MIN = 8;
export const REPEATED_COUNT_MAX = 16;

/** What stands in the place of a name: the end of a list of named values, a text to follow, or a number. */
export const NAME_NONE = 0;
export const NAME_WRITTEN_OUT = 1;
export const NAME_FIRST = 2;

/** What a span's first number says. */
export const SPAN_FLAG = { parent: 1, remoteParent: 2, failed: 4, open: 8 } as const;

/** The outermost span of the piece is the local root. */
export const FLAG_HAS_ROOT = 1;

/** By number. */
export const KIND_NAMES = ["internal", "server", "consumer"] as const satisfies readonly SpanKindName[];

/** By number. */
export const VERDICTS = ["ok", "error", "timeout", "kill"] as const satisfies readonly Verdict[];

/** The span that accepts a job and the one that runs it: the first promises the second, which comes later. */
const ACCEPTS = "http.invoke_function_async";
const FULFILS = "async_invoke.job";
/** The attribute of a run after which its job goes back to the line: it does not keep the promise. */
const REQUEUED = "requeued";

/** Jobs that the spans have accepted, less those that they saw to the end. */
export function promisesOf(spans: readonly SpanRecord[]): number {
  let count = 0;
  for (const span of spans) {
    if (span.row.name === ACCEPTS) {
      // One whose key was known accepted nothing: the job is in another trace.
      if (span.failure === undefined && span.findAttribute("replayed") !== true) count += 1;
    } else if (span.row.name === FULFILS && span.findAttribute(REQUEUED) === undefined) {
      count -= 1;
    }
  }
  return count;
}
