/**
 * Verdict: how a part of a trace went.
 *
 * Owns what counts as an error, a timeout and a kill, for tail sampling and for the trace store alike. It decides
 * on nothing. Invariant: an answer of 4xx is no error here: it is the caller's mistake, and a caller that makes
 * many of them must not fill the exporter. A timeout, a kill and a shed call are answered with 5xx.
 */
import type { SpanRecord } from "./span_record.ts";

/** How it went, the gravest of its spans first. */
export type Verdict = "kill" | "timeout" | "error" | "ok";

const GATEWAY_TIMEOUT = 504;

/** Judges spans that ended together: those of a request, or of its job. */
export function judgeSpans(spans: readonly SpanRecord[]): Verdict {
  // Nearly all went well, and looking for a failure is much cheaper than looking at attributes.
  if (spans.every(hasNotFailed)) return "ok";
  let verdict: Verdict = "ok";
  let isCallersMistake = false;
  for (const span of spans) {
    if (span.failure === undefined) {
      isCallersMistake ||= isClientError(span);
    } else if (verdict !== "kill") {
      const own = judgeSpan(span);
      if (own !== "error" || verdict === "ok") verdict = own;
    }
  }
  return isCallersMistake && verdict === "error" ? "ok" : verdict;
}

function hasNotFailed(span: SpanRecord): boolean {
  return span.failure === undefined;
}

function judgeSpan(span: SpanRecord): Verdict {
  // The process under it died; where a call would not stop, that is its timeout.
  if (span.findAttribute("outcome") === "lost") return "kill";
  const isTimeout = span.findAttribute("reason") === "deadline_elapsed" ||
    span.failure === "invoke_timeout" ||
    span.findAttribute("http.response.status_code") === GATEWAY_TIMEOUT;
  return isTimeout ? "timeout" : "error";
}

function isClientError(span: SpanRecord): boolean {
  const status = span.findAttribute("http.response.status_code");
  return typeof status === "number" && status >= 400 && status < 500;
}
