/**
 * Active span: which span is current, across awaits.
 *
 * Owns the context object that carries a span and the registration of OpenTelemetry's context manager and
 * propagators. It does not make spans. Invariant: a registration is complete or it throws, because a context
 * manager that is not ours loses every id without a sign of it.
 */
import {
  type Baggage,
  type Context,
  context,
  createContextKey,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { ALL_PROPAGATORS, type Propagators } from "./propagation.ts";
import { SpanRecord } from "./span_record.ts";

/** The API's own keys: its context keys are global symbols, so the same text gives the same key. */
const SPAN_KEY = createContextKey("OpenTelemetry Context Key SPAN");
const BAGGAGE_KEY = createContextKey("OpenTelemetry Baggage Key");

/** A context with one more value than its parent. */
class DerivedContext implements Context {
  readonly #parent: Context;
  readonly #key: symbol;
  readonly #value: unknown;

  constructor(parent: Context, key: symbol, value: unknown) {
    this.#parent = parent;
    this.#key = key;
    this.#value = value;
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : this.#parent.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new DerivedContext(this, key, value);
  }

  deleteValue(key: symbol): Context {
    return new DerivedContext(this, key, undefined);
  }
}

/** A context whose span is `span`; the API's own copies a Map for each, which costs three times as much. */
class SpanContextFrame implements Context {
  readonly span: SpanRecord;
  readonly #parent: Context;

  constructor(span: SpanRecord, parent: Context) {
    this.span = span;
    // A frame hides all that another frame holds, so frames never chain, however deep calls nest.
    this.#parent = parent instanceof SpanContextFrame ? parent.#parent : parent;
  }

  getValue(key: symbol): unknown {
    if (key === SPAN_KEY) return this.span;
    const outer = this.#parent.getValue(key);
    return key === BAGGAGE_KEY && outer === undefined ? this.#readBaggage() : outer;
  }

  setValue(key: symbol, value: unknown): Context {
    return new DerivedContext(this, key, value);
  }

  deleteValue(key: symbol): Context {
    return new DerivedContext(this, key, undefined);
  }

  #readBaggage(): Baggage | undefined {
    const { baggage } = this.span.ids;
    if (baggage === undefined) return undefined;
    const read = new W3CBaggagePropagator().extract(ROOT_CONTEXT, { baggage }, defaultTextMapGetter);
    return propagation.getBaggage(read);
  }
}

/** Runs `fn` with `span` active, in everything it awaits as well. */
export function runWithSpan<T>(span: SpanRecord, fn: () => T): T {
  return context.with(new SpanContextFrame(span, context.active()), fn);
}

/**
 * `fn` as one that runs with what is active now, whoever calls it and from where. For callbacks that this Deno
 * calls in another context: those of a body stream under back-pressure, of abort signals, sockets and workers.
 */
export function bindActive<This, Args extends unknown[], Result>(
  fn: (this: This, ...args: Args) => Result,
): (this: This, ...args: Args) => Result {
  const active = context.active();
  return function (...args): Result {
    return context.with(active, () => fn.apply(this, args));
  };
}

/** The active span, if it is one of ours. */
export function findActiveSpan(): SpanRecord | undefined {
  const active = context.active();
  if (active instanceof SpanContextFrame) return active.span;
  const span = trace.getSpan(active);
  return span instanceof SpanRecord ? span : undefined;
}

/** Thrown by startTelemetry when another tracing system holds the process. */
export class TelemetryStartError extends Error {
  override readonly name = "TelemetryStartError";
}

/**
 * Registers the AsyncLocalStorage context manager and the wanted W3C propagators with the OpenTelemetry API.
 *
 * @returns a function that takes both back
 * @throws TelemetryStartError when something else is registered, or when registration has no effect
 */
export function registerGlobals(wanted: Propagators = ALL_PROPAGATORS): () => void {
  const manager = new AsyncLocalStorageContextManager().enable();
  const propagator = new CompositePropagator({
    propagators: [
      ...(wanted.traceContext ? [new W3CTraceContextPropagator()] : []),
      ...(wanted.baggage ? [new W3CBaggagePropagator()] : []),
    ],
  });
  if (!context.setGlobalContextManager(manager)) {
    manager.disable();
    throw new TelemetryStartError(
      "Cannot register the context manager: another one is active; unset OTEL_DENO, and start telemetry once",
    );
  }
  const unregister = (): void => {
    context.disable();
    propagation.disable();
  };
  if (!propagation.setGlobalPropagator(propagator)) {
    context.disable();
    throw new TelemetryStartError("Cannot register the propagators: others are active");
  }
  const probe = ROOT_CONTEXT.setValue(
    SPAN_KEY,
    trace.wrapSpanContext({ traceId: "", spanId: "", traceFlags: 0 }),
  );
  if (!context.with(probe, () => context.active() === probe && trace.getActiveSpan() !== undefined)) {
    unregister();
    throw new TelemetryStartError("Cannot activate spans: two versions of @opentelemetry/api may be loaded");
  }
  return unregister;
}
