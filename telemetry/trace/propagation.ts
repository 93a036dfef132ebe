/**
 * Propagation: trace context into and out of headers.
 *
 * Owns which headers are read and written and what counts as a usable parent; the formats are in
 * traceparent.ts, tracestate.ts and baggage.ts. It does not start spans. Invariant: whatever the headers
 * hold, reading them never fails: an unusable context is a fresh root (W3C Trace Context §4.3).
 */
import { parseBaggage } from "./baggage.ts";
import type { SpanIds } from "./ids.ts";
import { UNKNOWN } from "../names.ts";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";
import { parseTracestate } from "./tracestate.ts";

/** What of a Headers object propagation needs; a message queue's headers fit as well. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** See HeaderReader. */
export interface HeaderWriter {
  set(name: string, value: string): void;
}

/** What a caller sent. */
export interface RemoteContext {
  /** The caller's span, or null for a fresh root. */
  readonly parent: SpanIds | null;
  /** Checked baggage, which is carried on even where the parent was unusable. */
  readonly baggage: string | undefined;
  /** The `traceparent` as it came if it was usable, else `"unknown"`. */
  readonly traceparent: string;
}

/** Which formats are read and written. */
export interface Propagators {
  readonly traceContext: boolean;
  readonly baggage: boolean;
}

/** Both of the W3C's. */
export const ALL_PROPAGATORS: Propagators = Object.freeze({ traceContext: true, baggage: true });

/** A caller that sent nothing. */
export const NO_REMOTE: RemoteContext = Object.freeze({
  parent: null,
  baggage: undefined,
  traceparent: UNKNOWN,
});

/**
 * Reads the trace context of a request or message.
 *
 * Two `traceparent` headers arrive joined by a comma and so never parse: that is the fresh root which
 * §3.2.1 asks for. `tracestate` without a usable `traceparent` is ignored (§3.3).
 */
export function extractRemote(headers: HeaderReader, wanted: Propagators = ALL_PROPAGATORS): RemoteContext {
  const traceparent = wanted.traceContext ? headers.get("traceparent") : null;
  const baggageHeader = wanted.baggage ? headers.get("baggage") : null;
  if (traceparent === null && baggageHeader === null) return NO_REMOTE;
  const baggage = baggageHeader === null ? undefined : parseBaggage(baggageHeader);
  const named = traceparent === null ? undefined : parseTraceparent(traceparent);
  if (named === undefined || traceparent === null) {
    return { parent: null, baggage, traceparent: UNKNOWN };
  }
  const state = headers.get("tracestate");
  const traceState = state === null ? undefined : parseTracestate(state);
  return { parent: { ...named, traceState, baggage }, baggage, traceparent };
}

/** Writes the context of `ids` for the one who is called: an outgoing request or a queued message. */
export function injectContext(
  headers: HeaderWriter,
  ids: SpanIds,
  wanted: Propagators = ALL_PROPAGATORS,
): void {
  if (wanted.traceContext) {
    headers.set("traceparent", formatTraceparent(ids));
    const state = ids.traceState?.serialize();
    if (state !== undefined && state !== "") headers.set("tracestate", state);
  }
  if (wanted.baggage && ids.baggage !== undefined) headers.set("baggage", ids.baggage);
}

/** Writes `x-trace-id` and `traceresponse` for the one who called. */
export function writeResponseHeaders(headers: HeaderWriter, ids: SpanIds): void {
  headers.set("x-trace-id", ids.traceId);
  headers.set("traceresponse", formatTraceparent(ids));
}
