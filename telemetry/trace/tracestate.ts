/**
 * tracestate: vendors' own entries beside the trace context, carried and never read.
 *
 * Owns the checks and limits of W3C Trace Context §3.3 and the OpenTelemetry interface over the result.
 * Invariant: what is carried on is well-formed, has at most 32 members, one per key, and at most 512
 * characters; a header with a single malformed member is dropped whole, because a vendor's entry means
 * nothing without the order that the others give it.
 */
import type { TraceState } from "@opentelemetry/api";
import { splitHeaderList } from "./header_list.ts";

const MEMBERS_MAX = 32;
/** §3.3.1.5: at least this much must be carried; more is the caller's to pay for, so no more is. */
const LENGTH_MAX = 512;
/** §3.3.1.5: members longer than this are the first to go. */
const LONG_MEMBER_LENGTH = 128;
/** Longest header that is looked at: 32 members of the largest form. */
const HEADER_LENGTH_MAX = 32 * 514;

/** §3.3.1.3.1: a simple key, or tenant@system. */
const KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
/** §3.3.1.3.2: printable ASCII without comma and equals sign, not ending in a space. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Parses a `tracestate` header (several are joined by commas); undefined if there is nothing to carry. */
export function parseTracestate(header: string): TraceState | undefined {
  if (header.length > HEADER_LENGTH_MAX) return undefined;
  // An empty member is allowed (§3.3.1.1) and counts for nothing.
  const elements = splitHeaderList(header);
  if (elements.length > MEMBERS_MAX) return undefined;
  const members = new Map<string, string>();
  for (const element of elements) {
    const equals = element.indexOf("=");
    const key = element.slice(0, Math.max(0, equals));
    const value = element.slice(equals + 1);
    if (!KEY.test(key) || !VALUE.test(value)) return undefined;
    // Of a doubled key the first counts: the newest entry is on the left.
    if (!members.has(key)) members.set(key, value);
  }
  return members.size === 0 ? undefined : new Members(shorten(members));
}

/** Brings members within LENGTH_MAX: long ones go first, then the oldest, which are on the right (§3.3.1.5). */
function shorten(members: Map<string, string>): Map<string, string> {
  const kept = [...members];
  const length = (): number => kept.reduce((sum, [key, value]) => sum + key.length + value.length + 2, -1);
  while (length() > LENGTH_MAX) {
    const long = kept.findLastIndex(([key, value]) => key.length + value.length + 1 > LONG_MEMBER_LENGTH);
    kept.splice(long >= 0 ? long : kept.length - 1, 1);
  }
  return new Map(kept);
}

/** OpenTelemetry's view; `set` and `unset` make a new one, as that interface demands. */
class Members implements TraceState {
  readonly #members: ReadonlyMap<string, string>;

  constructor(members: ReadonlyMap<string, string>) {
    this.#members = members;
  }

  get(key: string): string | undefined {
    return this.#members.get(key);
  }

  set(key: string, value: string): TraceState {
    if (!KEY.test(key) || !VALUE.test(value)) return this;
    const rest = [...this.#members].filter(([name]) => name !== key).slice(0, MEMBERS_MAX - 1);
    return new Members(new Map([[key, value], ...rest]));
  }

  unset(key: string): TraceState {
    return new Members(new Map([...this.#members].filter(([name]) => name !== key)));
  }

  serialize(): string {
    return [...this.#members].map(([key, value]) => `${key}=${value}`).join(",");
  }
}
