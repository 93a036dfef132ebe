/**
 * SpanRecord: a span, live or joined from another process's record.
 *
 * Owns the record behind the Span interface; it has the shape of the SDK's ReadableSpan and the API's Span at
 * a fraction of the SDK's cost (docs/decisions/0004-light-span-records.md). It does not decide on sampling or
 * ids (tracer.ts does) and exports nothing. Invariant: a span ends once and never changes afterwards; required
 * attributes are always present, as `"unknown"` where nobody set them.
 */
import type {
  Attributes,
  AttributeValue as ApiAttributeValue,
  Exception,
  HrTime,
  Link,
  Span as ApiSpan,
  SpanContext,
  SpanKind,
  SpanStatus,
  TimeInput,
} from "@opentelemetry/api";
import { SpanStatusCode } from "@opentelemetry/api";
import { type InstrumentationScope, timeInputToHrTime } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base";
import type { SpanIds } from "./ids.ts";
import { type AttributeValue, UNKNOWN } from "../names.ts";
import type { Span, SpanEvent } from "./span.ts";
import type { SpanKindRow } from "./span_kind.ts";

/** Most events of one span, the SDK's default; later ones are counted and left out. */
export const SPAN_EVENTS_MAX = 128;

/** What a record needs of the tracer that made it. */
export interface SpanOwner {
  readonly resource: Resource;
  nowMs(): number;
  /** Called once for each span, sampled or not, at its end. */
  finish(span: SpanRecord): void;
}

const NO_LINKS: Link[] = [];
const UNSET: SpanStatus = Object.freeze({ code: SpanStatusCode.UNSET });

/** A recorded span. */
export class SpanRecord implements Span, ReadableSpan, ApiSpan {
  readonly row: SpanKindRow;
  readonly ids: SpanIds;
  readonly parentIds: SpanIds | undefined;
  readonly startMs: number;
  readonly #owner: SpanOwner;
  /** The caller's object, never changed: copying it would cost more than everything else here. */
  readonly #initial: Readonly<Record<string, AttributeValue | undefined>>;
  #later: Map<string, AttributeValue> | undefined;
  #events: SpanEvent[] | undefined;
  #eventsDropped = 0;
  #name: string | undefined;
  #failure: string | undefined;
  #endMs = -1;

  constructor(
    owner: SpanOwner,
    row: SpanKindRow,
    ids: SpanIds,
    parentIds: SpanIds | undefined,
    startMs: number,
    attributes: Readonly<Record<string, AttributeValue | undefined>>,
  ) {
    this.#owner = owner;
    this.row = row;
    this.ids = ids;
    this.parentIds = parentIds;
    this.startMs = startMs;
    this.#initial = attributes;
  }

  setAttribute(name: string, value: ApiAttributeValue | undefined): this {
    if (this.#endMs < 0 && value !== undefined) {
      this.#later ??= new Map();
      this.#later.set(name, value as AttributeValue);
    }
    return this;
  }

  setAttributes(attributes: Readonly<Record<string, ApiAttributeValue | undefined>>): this {
    for (const name of Object.keys(attributes)) this.setAttribute(name, attributes[name]);
    return this;
  }

  addEvent(name: string, attributes?: Attributes | TimeInput, atMs?: TimeInput): this {
    if (this.#endMs >= 0) return this;
    this.#events ??= [];
    if (this.#events.length === SPAN_EVENTS_MAX) {
      this.#eventsDropped += 1;
      return this;
    }
    // The API allows the time in the place of the attributes.
    const at = isTimeInput(attributes) ? attributes : atMs;
    const own = isTimeInput(attributes)
      ? undefined
      : attributes as Record<string, AttributeValue> | undefined;
    this.#events.push({ name, atMs: at === undefined ? this.#owner.nowMs() : toMs(at), attributes: own });
    return this;
  }

  fail(message: string): this {
    if (this.#endMs < 0) this.#failure = message;
    return this;
  }

  end(endTime?: TimeInput): void {
    if (this.#endMs >= 0) return;
    const endMs = endTime === undefined ? this.#owner.nowMs() : toMs(endTime);
    this.#endMs = endMs > this.startMs ? endMs : this.startMs;
    this.#owner.finish(this);
  }

  [Symbol.dispose](): void {
    this.end();
  }

  get endMs(): number {
    return this.#endMs;
  }

  get timedEvents(): readonly SpanEvent[] {
    return this.#events ?? [];
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** The value of an attribute as it is now. */
  findAttribute(name: string): AttributeValue | undefined {
    if (name === "target") return this.row.scope.name;
    return this.#later?.get(name) ?? (Object.hasOwn(this.#initial, name) ? this.#initial[name] : undefined);
  }

  /** Calls `visit` for each attribute once, `target` first; a required one that is missing is `"unknown"`. */
  visitAttributes(visit: (name: string, value: AttributeValue) => void): void {
    const initial = this.#initial;
    const later = this.#later;
    const { scope, required } = this.row;
    visit("target", scope.name);
    for (const name of required) visit(name, later?.get(name) ?? initial[name] ?? UNKNOWN);
    for (const name of Object.keys(initial)) {
      const value = initial[name];
      if (value === undefined || later?.has(name) || name === "target" || required.includes(name)) continue;
      visit(name, value);
    }
    if (later === undefined) return;
    for (const [name, value] of later) {
      if (name !== "target" && !required.includes(name)) visit(name, value);
    }
  }

  // What follows is the SDK's ReadableSpan, for processors and exporters of others.

  get name(): string {
    if (this.#name !== undefined) return this.#name;
    const { name, nameSuffix } = this.row;
    return nameSuffix === undefined ? name : name + String(this.#initial[nameSuffix] ?? UNKNOWN);
  }

  get kind(): SpanKind {
    return this.row.kind;
  }

  spanContext(): SpanContext {
    return this.ids as SpanContext;
  }

  get parentSpanContext(): SpanContext {
    return this.parentIds as SpanContext;
  }

  get startTime(): HrTime {
    return toHrTime(this.startMs);
  }

  get endTime(): HrTime {
    return toHrTime(Math.max(0, this.#endMs));
  }

  get duration(): HrTime {
    return toHrTime(Math.max(0, this.#endMs - this.startMs));
  }

  get ended(): boolean {
    return this.#endMs >= 0;
  }

  get status(): SpanStatus {
    return this.#failure === undefined ? UNSET : { code: SpanStatusCode.ERROR, message: this.#failure };
  }

  get attributes(): Attributes {
    const all: Attributes = {};
    this.visitAttributes((name, value) => all[name] = value);
    return all;
  }

  get events(): TimedEvent[] {
    return this.timedEvents.map(({ name, atMs, attributes }) => ({
      name,
      time: toHrTime(atMs),
      ...(attributes === undefined ? {} : { attributes }),
    }));
  }

  get links(): Link[] {
    return NO_LINKS;
  }

  get resource(): Resource {
    return this.#owner.resource;
  }

  get instrumentationScope(): InstrumentationScope {
    return this.row.scope;
  }

  get droppedAttributesCount(): number {
    return 0;
  }

  get droppedEventsCount(): number {
    return this.#eventsDropped;
  }

  get droppedLinksCount(): number {
    return 0;
  }

  // And this is the API's Span, for instrumentation of others that finds this span active.

  setStatus(status: SpanStatus): this {
    return status.code === SpanStatusCode.ERROR ? this.fail(status.message ?? "") : this;
  }

  updateName(name: string): this {
    if (this.#endMs < 0) this.#name = name;
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  isRecording(): boolean {
    return this.#endMs < 0;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const message = typeof exception === "string" ? exception : exception.message ?? "";
    this.addEvent("exception", { "exception.message": message }, time);
  }
}

function isTimeInput(value: unknown): value is TimeInput {
  return typeof value === "number" || value instanceof Date || Array.isArray(value);
}

function toMs(time: TimeInput): number {
  if (typeof time === "number") return time;
  const [seconds, nanos] = timeInputToHrTime(time);
  return seconds * 1000 + nanos / 1e6;
}

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  return nanos < 1e9 ? [seconds, nanos] : [seconds + 1, 0];
}
