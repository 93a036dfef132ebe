/**
 * Span: one timed operation of a trace, as the rest of the project sees it.
 *
 * Owns the interface and the null span that stands in when tracing is off; the real one is in span_record.ts.
 * Invariant: no method of a span ever throws, before or after its end, with tracing on or off.
 */
import type { SpanIds } from "./ids.ts";
import type { AttributeName, AttributeValue, SpanAttributes, SpanName } from "../names.ts";

/** A moment within a span. `atMs` is milliseconds since the epoch. */
export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes?: Readonly<Record<string, AttributeValue>> | undefined;
}

/** A span in progress. Every method is safe to call after the end; it then does nothing. */
export interface Span<N extends SpanName = SpanName> {
  /** Undefined when tracing is off. */
  readonly ids: SpanIds | undefined;
  /** Sets an attribute; the last value wins, `undefined` is ignored. */
  setAttribute(name: AttributeName<N>, value: AttributeValue | undefined): this;
  setAttributes(attributes: Partial<SpanAttributes<N>>): this;
  /** Adds an event, now unless `atMs` says otherwise. */
  addEvent(name: string, attributes?: Readonly<Record<string, AttributeValue>>, atMs?: number): this;
  /** Gives the span error status. The message is public to the operator: no bodies, no keys. */
  fail(message: string): this;
  /** Ends the span, now unless `endMs` says otherwise. */
  end(endMs?: number): void;
  [Symbol.dispose](): void;
}

/** What stands in for every span when tracing is off. */
class NullSpan implements Span {
  readonly ids = undefined;

  setAttribute(): this {
    return this;
  }

  setAttributes(): this {
    return this;
  }

  addEvent(): this {
    return this;
  }

  fail(): this {
    return this;
  }

  end(): void {}

  [Symbol.dispose](): void {}
}

/** The span that is none. */
export const NULL_SPAN: Span = Object.freeze(new NullSpan());
