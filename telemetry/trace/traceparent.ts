/**
 * traceparent: the header that names a trace and a parent span.
 *
 * Owns its parsing and printing (W3C Trace Context, Recommendation of 23 November 2021, §3.2). It does not
 * read headers (propagation.ts does). Invariant: a string is taken whole and exactly or not at all; whatever
 * version comes in, version 00 goes out, with no flag but the sampled one.
 */
import { SAMPLED, type SpanIds } from "./ids.ts";

/** version "-" trace-id "-" parent-id "-" trace-flags, and what a future version may append. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^,]*)?$/;
/** Far above what any version will need; bounds the work on a hostile header. */
const LENGTH_MAX = 512;

/** The ids that a `traceparent` value names, or undefined if it must be ignored. */
export function parseTraceparent(value: string): SpanIds | undefined {
  if (value.length < 55 || value.length > LENGTH_MAX) return undefined;
  const match = TRACEPARENT.exec(value);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, rest] = match;
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // ff is forbidden (§3.2.2.1); more than four fields are for versions to come (§4.3).
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & SAMPLED, isRemote: true };
}

/** Prints ids as a `traceparent` value; the same form is the value of `traceresponse`. */
export function formatTraceparent(ids: SpanIds): string {
  return `00-${ids.traceId}-${ids.spanId}-${formatTraceFlags(ids)}`;
}

/** The trace flags as two hex digits. */
export function formatTraceFlags(ids: SpanIds): string {
  return (ids.traceFlags & SAMPLED) === SAMPLED ? "01" : "00";
}
