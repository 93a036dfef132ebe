/**
 * Tracer: makes spans, live ones and those joined from records of other processes.
 *
 * Owns parenthood, sampling at the point where a trace enters the process, and the null tracer that stands in
 * when tracing is off. It does not export (export/pipeline.ts). Invariant: every span has the trace id of its
 * parent; a malformed or absent parent makes a fresh root, never an error.
 */
import { type Attributes, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { type IdGenerator, type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-base";
import { bindActive, findActiveSpan, runWithSpan } from "./active_span.ts";
import { makeChildIds, makeRootIds, SAMPLED, type SpanIds } from "./ids.ts";
import { LocalTrace, type SpanFanOut } from "./local_trace.ts";
import { plainTarget, type SpanFacts } from "../log/log_directive.ts";
import type { AttributeValue, SpanAttributes, SpanName } from "../names.ts";
import {
  ALL_PROPAGATORS,
  extractRemote,
  type HeaderReader,
  type HeaderWriter,
  injectContext,
  NO_REMOTE,
  type Propagators,
  type RemoteContext,
  writeResponseHeaders,
} from "./propagation.ts";
import { NULL_SPAN, type Span, type SpanEvent } from "./span.ts";
import { type SpanOwner, SpanRecord } from "./span_record.ts";
import { getSpanKindRow, type SpanKindRow } from "./span_kind.ts";
import type { SpanScopes } from "../log/span_scopes.ts";

/** Where a span begins; without any of it: a child of the active span, now. */
export interface SpanOptions {
  /** The parent, local or remote; null for a fresh root. */
  readonly parent?: SpanIds | null | undefined;
  /** What a caller sent; its parent and baggage are taken. Ignored where `parent` is given. */
  readonly remote?: RemoteContext | undefined;
  /** Milliseconds since the epoch. */
  readonly startMs?: number | undefined;
  /** False: the trace store leaves this part of the trace out unless it fails. Counts for a local root. */
  readonly isStored?: boolean | undefined;
}

/** A span whose ids were allotted beforehand and that ran elsewhere. Times are milliseconds since the epoch. */
export interface JoinedSpan<N extends SpanName = SpanName> {
  readonly name: N;
  /** From `allotIds`. */
  readonly ids: SpanIds | undefined;
  readonly parentSpanId: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  /** Handed over: do not change it afterwards. */
  readonly attributes: SpanAttributes<N>;
  readonly events?: readonly SpanEvent[] | undefined;
  /** Present when it failed: the message of the error status. */
  readonly failure?: string | undefined;
}

/** What is known of a span before it has run. */
export interface DescribedSpan<N extends SpanName = SpanName> {
  readonly name: N;
  readonly attributes: Partial<SpanAttributes<N>>;
}

/** Makes spans. With tracing off every method is safe, costs next to nothing and yields no ids. */
export interface Tracer {
  /** False when tracing is off. */
  readonly enabled: boolean;
  /** Starts a span. `attributes` is handed over: do not change the object afterwards. */
  startSpan<N extends SpanName>(name: N, attributes: SpanAttributes<N>, options?: SpanOptions): Span<N>;
  /** Records a span that has already ended. */
  recordSpan<N extends SpanName>(span: JoinedSpan<N>): void;
  /**
   * Ids for a span that will run elsewhere as a child of `parent`; undefined when tracing is off. Log filters
   * know the span by what `described` says of it, until it has run.
   */
  allotIds(parent: SpanIds | undefined, described?: DescribedSpan): SpanIds | undefined;
  /** Runs `fn` with `span` active, in everything it awaits as well. */
  withSpan<T>(span: Span, fn: () => T): T;
  /** `fn` as one that runs with the span that is active now, whoever calls it: for callbacks of streams and signals. */
  bind<This, Args extends unknown[], Result>(
    fn: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result;
  /** Says whose this process's part of a trace is: the trace store shows it to that tenant and to no other. */
  setTenant(ids: SpanIds | undefined, tenant: string): void;
  /** Ids of the active span. */
  activeIds(): SpanIds | undefined;
  /** Reads the trace context of a request or message. */
  extract(headers: HeaderReader): RemoteContext;
  /** Writes `traceparent`, `tracestate` and `baggage` for an outgoing request or message. */
  inject(headers: HeaderWriter, ids: SpanIds | undefined): void;
  /** The context of `ids` as texts by name, for a record of our own: whole, whatever is handed on to others. */
  toRecord(ids: SpanIds | undefined): Readonly<Record<string, string>>;
  /** The context that a record has. */
  fromRecord(record: Readonly<Record<string, string>>): RemoteContext;
  /** Writes `x-trace-id` and `traceresponse`. */
  setResponseHeaders(headers: HeaderWriter, ids: SpanIds | undefined): void;
}

/** What a recording tracer is made of. */
export interface TracerParts {
  readonly resource: Resource;
  readonly sampler: Sampler;
  /** Which formats are read and written; both by default. */
  readonly propagators?: Propagators;
  readonly ids: IdGenerator;
  readonly nowMs: () => number;
  /** Told of every span, sampled or not. */
  readonly fanOut: SpanFanOut;
  /** Told of every span; only while the log filter asks for spans. */
  readonly scopes?: SpanScopes | undefined;
}

/** A tracer that records. */
export class RecordingTracer implements Tracer, SpanOwner {
  readonly enabled = true;
  readonly resource: Resource;
  readonly #sampler: Sampler;
  readonly #propagators: Propagators;
  readonly #ids: IdGenerator;
  readonly #scopes: SpanScopes | undefined;
  readonly nowMs: () => number;
  readonly #fanOut: SpanFanOut;

  constructor(parts: TracerParts) {
    this.resource = parts.resource;
    this.#sampler = parts.sampler;
    this.#propagators = parts.propagators ?? ALL_PROPAGATORS;
    this.#ids = parts.ids;
    this.#scopes = parts.scopes;
    this.nowMs = parts.nowMs;
    this.#fanOut = parts.fanOut;
  }

  finish(span: SpanRecord): void {
    this.#fanOut.ended(span);
  }

  startSpan<N extends SpanName>(name: N, attributes: SpanAttributes<N>, options?: SpanOptions): Span<N> {
    const row = getSpanKindRow(name);
    const given = attributes as Readonly<Record<string, AttributeValue | undefined>>;
    const parent = this.#findParent(options);
    const ids = parent !== null && parent.isRemote !== true
      ? this.#childIds(parent)
      : this.#enter(row, given, parent, options?.remote?.baggage);
    const startMs = options?.startMs ?? this.nowMs();
    const span = new SpanRecord(this, row, ids, parent ?? undefined, startMs, given);
    const { local } = ids;
    if (local !== undefined) {
      if (options?.isStored === false) local.isStored = false;
      // A job that goes on after a restart has no request that said so.
      if (local.tenant === undefined && typeof given["tenant"] === "string") local.tenant = given["tenant"];
    }
    this.#fanOut.started(span);
    if (this.#scopes !== undefined) this.#scopes.enter(ids, parent ?? undefined, factsOf(span));
    return span as unknown as Span<N>;
  }

  recordSpan<N extends SpanName>(span: JoinedSpan<N>): void {
    const { ids, parentSpanId } = span;
    if (ids === undefined) return;
    const row = getSpanKindRow(span.name);
    const parent = parentSpanId === undefined
      ? undefined
      : { traceId: ids.traceId, spanId: parentSpanId, traceFlags: ids.traceFlags };
    const given = span.attributes as Readonly<Record<string, AttributeValue | undefined>>;
    const record = new SpanRecord(this, row, ids, parent, span.startMs, given);
    for (const event of span.events ?? []) record.addEvent(event.name, event.attributes, event.atMs);
    if (span.failure !== undefined) record.fail(span.failure);
    record.end(span.endMs);
  }

  allotIds(parent: SpanIds | undefined, described?: DescribedSpan): SpanIds | undefined {
    if (parent === undefined) return undefined;
    const ids = this.#childIds(parent);
    if (described !== undefined) this.#scopes?.enter(ids, parent, describedFacts(described));
    return ids;
  }

  withSpan<T>(span: Span, fn: () => T): T {
    return span instanceof SpanRecord ? runWithSpan(span, fn) : fn();
  }

  bind<This, Args extends unknown[], Result>(
    fn: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result {
    return bindActive(fn);
  }

  setTenant(ids: SpanIds | undefined, tenant: string): void {
    if (ids?.local !== undefined) ids.local.tenant = tenant;
  }

  activeIds(): SpanIds | undefined {
    return findActiveSpan()?.ids;
  }

  extract(headers: HeaderReader): RemoteContext {
    return extractRemote(headers, this.#propagators);
  }

  inject(headers: HeaderWriter, ids: SpanIds | undefined): void {
    if (ids !== undefined) injectContext(headers, ids, this.#propagators);
  }

  toRecord(ids: SpanIds | undefined): Readonly<Record<string, string>> {
    const record: Record<string, string> = {};
    if (ids !== undefined) injectContext({ set: (name, value) => void (record[name] = value) }, ids);
    return record;
  }

  fromRecord(record: Readonly<Record<string, string>>): RemoteContext {
    return extractRemote({ get: (name) => record[name] ?? null });
  }

  setResponseHeaders(headers: HeaderWriter, ids: SpanIds | undefined): void {
    if (ids !== undefined) writeResponseHeaders(headers, ids);
  }

  #findParent(options: SpanOptions | undefined): SpanIds | null {
    if (options?.parent !== undefined) return options.parent;
    if (options?.remote !== undefined) return options.remote.parent;
    return findActiveSpan()?.ids ?? null;
  }

  /** A parent that was put together by hand belongs to no part of a trace yet: one begins with its child. */
  #childIds(parent: SpanIds): SpanIds {
    const { traceId, traceFlags } = parent;
    const local = parent.local ?? new LocalTrace(traceId, traceFlags);
    return makeChildIds(this.#ids, parent, traceFlags, local);
  }

  /** Ids of a span without a parent in this process; here the sampler decides. */
  #enter(
    row: SpanKindRow,
    attributes: Readonly<Record<string, AttributeValue | undefined>>,
    parent: SpanIds | null,
    baggage: string | undefined,
  ): SpanIds {
    const traceId = parent?.traceId ?? this.#ids.generateTraceId();
    const context = parent === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, parent as SpanContext);
    const { decision } = this.#sampler.shouldSample(
      context,
      traceId,
      row.name,
      row.kind,
      attributes as Attributes,
      [],
    );
    const flags = decision === SamplingDecision.RECORD_AND_SAMPLED ? SAMPLED : 0;
    const local = new LocalTrace(traceId, flags);
    return parent === null
      ? makeRootIds(this.#ids, traceId, flags, baggage, local)
      : makeChildIds(this.#ids, parent, flags, local);
  }
}

function factsOf(span: SpanRecord): SpanFacts {
  return {
    get name(): string {
      return span.name;
    },
    target: plainTarget(span.row.scope.name),
    attribute: (name) => span.findAttribute(name),
  };
}

function describedFacts({ name, attributes }: DescribedSpan): SpanFacts {
  const row = getSpanKindRow(name);
  const known = attributes as Readonly<Record<string, AttributeValue | undefined>>;
  return {
    name: row.name,
    target: plainTarget(row.scope.name),
    attribute: (wanted) => Object.hasOwn(known, wanted) ? known[wanted] : undefined,
  };
}

/** The tracer when tracing is off. */
export const NULL_TRACER: Tracer = Object.freeze({
  enabled: false,
  startSpan: <N extends SpanName>(): Span<N> => NULL_SPAN as unknown as Span<N>,
  recordSpan: (): void => {},
  allotIds: (): undefined => undefined,
  withSpan: <T>(_span: Span, fn: () => T): T => fn(),
  bind: <Bound>(fn: Bound): Bound => fn,
  setTenant: (): void => {},
  activeIds: (): undefined => undefined,
  extract: (): RemoteContext => NO_REMOTE,
  inject: (): void => {},
  toRecord: (): Readonly<Record<string, string>> => ({}),
  fromRecord: (): RemoteContext => NO_REMOTE,
  setResponseHeaders: (): void => {},
});
