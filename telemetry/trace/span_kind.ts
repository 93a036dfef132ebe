/**
 * Span kinds: the rows of the vocabulary in the form that the span class and the exporters use.
 *
 * Owns the compiled rows and the instrumentation scopes. Invariant: one object per scope for the life of the
 * process, because exporters group spans by its identity.
 */
import { SpanKind } from "@opentelemetry/api";
import type { InstrumentationScope } from "@opentelemetry/core";
import { type SpanKindName, type SpanName, SPANS } from "../names.ts";

const KINDS: Readonly<Record<SpanKindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  consumer: SpanKind.CONSUMER,
};

/** A row of SPANS, compiled. */
export interface SpanKindRow {
  readonly name: string;
  readonly scope: InstrumentationScope;
  readonly kind: SpanKind;
  readonly required: readonly string[];
  /** The attribute whose value completes the name, for prefixes. */
  readonly nameSuffix: string | undefined;
}

const scopes = new Map<string, InstrumentationScope>();
const rows = new Map<string, SpanKindRow>(
  Object.keys(SPANS).map((name) => [name, compile(name as SpanName)]),
);

function compile(name: SpanName): SpanKindRow {
  const { scope: scopeName, kind, required } = SPANS[name];
  const scope = scopes.get(scopeName) ?? { name: scopeName };
  scopes.set(scopeName, scope);
  const nameSuffix = name.endsWith(" ") ? required[0] : undefined;
  return { name, scope, kind: KINDS[kind], required, nameSuffix };
}

/** The compiled row of a span name. */
export function getSpanKindRow(name: SpanName): SpanKindRow {
  const row = rows.get(name);
  if (row === undefined) throw new TypeError(`No span is called ${JSON.stringify(name)}`);
  return row;
}
