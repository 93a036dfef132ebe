import assert from "node:assert/strict";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import fc from "fast-check";
import { SpanEncoder } from "../../../telemetry/export/otlp_spans.ts";
import { TEXT_LENGTH_MAX } from "../../../telemetry/export/otlp_writer.ts";
import { type AttributeValue, type SpanName, SPANS } from "../../../telemetry/mod.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { parseTracestate } from "../../../telemetry/trace/tracestate.ts";
import { type DecodedSpan, type DecodedValue, decodeTraceRequest } from "../../support/collector.ts";
import { encodeSpans } from "../../support/span_recorder.ts";

const resource = resourceFromAttributes({ "service.name": "svc", pid: 7, tags: ["a", "b"] });
const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };

function aSpan(
  name: SpanName,
  attributes: Record<string, AttributeValue>,
  ids = IDS,
  startMs = 1000,
): SpanRecord {
  const owner = { resource, nowMs: () => 0, finish: (): void => {} };
  return new SpanRecord(owner, getSpanKindRow(name), ids, undefined, startMs, attributes);
}

function roundTrip(...spans: SpanRecord[]): DecodedSpan[] {
  return decodeTraceRequest(encodeSpans(resource, spans));
}

function valueOf(value: AttributeValue): DecodedValue {
  const span = aSpan("wasi_cuda.sync", { instance: value });
  span.end(1001);
  return roundTrip(span)[0]?.attributes["instance"];
}

const hexId = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const attributeValue: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.maxSafeInteger(),
  // Whole numbers beyond 2^53 travel as doubles here and as integers in the SDK.
  fc.double({ noNaN: true }).filter((value) =>
    !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value))
  ),
  fc.boolean(),
  fc.array(fc.string({ maxLength: 10 }), { maxLength: 5 }),
  fc.array(fc.integer(), { maxLength: 5 }),
);
const attributes = fc.dictionary(fc.string({ unit: "binary", maxLength: 20 }), attributeValue, {
  maxKeys: 8,
});
const spanInput = fc.record({
  name: fc.constantFrom(...Object.keys(SPANS) as SpanName[]),
  traceId: hexId(32),
  spanId: hexId(16),
  // Quarters of a millisecond are exact in a double at this magnitude.
  startMs: fc.integer({ min: 0, max: 8e12 }).map((quarters) => quarters / 4),
  tookMs: fc.integer({ min: 0, max: 1e9 }).map((quarters) => quarters / 4),
  attributes,
  later: attributes,
  events: fc.array(fc.record({ name: fc.string(), atMs: fc.nat(), attributes }), { maxLength: 4 }),
  failure: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
});

/** Lone surrogates cannot be UTF-8. */
function wellFormed<T>(value: T): T {
  return typeof value === "string" ? value.toWellFormed() as T : value;
}

function nanos(ms: number): bigint {
  return BigInt(ms * 4) * 250_000n;
}

Deno.test("SpanEncoder: what is decoded is what was recorded", () => {
  fc.assert(
    fc.property(fc.array(spanInput, { minLength: 1, maxLength: 12 }), (inputs) => {
      const spans = inputs.map((input) => {
        const ids = { traceId: input.traceId, spanId: input.spanId, traceFlags: 1 };
        const span = aSpan(input.name, input.attributes, ids, input.startMs);
        for (const event of input.events) span.addEvent(event.name, event.attributes, event.atMs);
        span.setAttributes(input.later);
        if (input.failure !== undefined) span.fail(input.failure);
        span.end(input.startMs + input.tookMs);
        return span;
      });
      const decoded = roundTrip(...spans);
      assert.equal(decoded.length, inputs.length);
      // Spans are grouped by scope, in order within each.
      const order = [...new Set(inputs.map(({ name }) => SPANS[name].scope))];
      const sorted = inputs.toSorted((a, b) =>
        order.indexOf(SPANS[a.name].scope) - order.indexOf(SPANS[b.name].scope)
      );
      for (const [index, input] of sorted.entries()) {
        const got = decoded[index];
        assert.ok(got !== undefined);
        assert.equal(got.traceId, input.traceId);
        assert.equal(got.spanId, input.spanId);
        assert.equal(got.scope, SPANS[input.name].scope);
        assert.equal(got.startNanos, nanos(input.startMs));
        assert.equal(got.endNanos, nanos(input.startMs + input.tookMs));
        assert.equal(got.status.code, input.failure === undefined ? 0 : 2);
        assert.equal(got.status.message, wellFormed(input.failure ?? ""));
        const expected: Record<string, AttributeValue> = {
          ...input.attributes,
          ...input.later,
          target: SPANS[input.name].scope,
        };
        for (const name of SPANS[input.name].required) expected[name] ??= "unknown";
        for (const [name, value] of Object.entries(expected)) {
          const plain = Array.isArray(value) ? value.map(wellFormed) : wellFormed(value);
          assert.deepEqual(got.attributes[wellFormed(name)], plain);
        }
        assert.deepEqual(
          got.events.map(({ name }) => name),
          input.events.map(({ name }) => wellFormed(name)),
        );
        assert.deepEqual(got.events.map((event) => event.nanos), input.events.map(({ atMs }) => nanos(atMs)));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("SpanEncoder and the SDK's serializer say the same", () => {
  fc.assert(fc.property(fc.array(spanInput, { minLength: 1, maxLength: 5 }), (inputs) => {
    const spans = inputs.map((input) => {
      const ids = { traceId: input.traceId, spanId: input.spanId, traceFlags: 1 };
      const span = aSpan(input.name, input.attributes, ids, input.startMs);
      for (const event of input.events) span.addEvent(event.name, event.attributes, event.atMs);
      if (input.failure !== undefined) span.fail(input.failure);
      span.end(input.startMs + input.tookMs);
      return span;
    });
    const theirs = ProtobufTraceSerializer.serializeRequest(spans);
    assert.ok(theirs !== undefined);
    assert.deepEqual(roundTrip(...spans), decodeTraceRequest(theirs));
  }));
});

Deno.test("SpanEncoder carries the resource once for all scopes", () => {
  const spans = roundTrip(aSpan("wasi_cuda.sync", {}), aSpan("http.request", {}));
  assert.deepEqual(spans.map((span) => span.resource), [
    { "service.name": "svc", pid: 7, tags: ["a", "b"] },
    { "service.name": "svc", pid: 7, tags: ["a", "b"] },
  ]);
});

for (
  const value of [
    0,
    1,
    -1,
    127,
    128,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    -(2 ** 32),
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    0.5,
    1e300,
  ]
) {
  Deno.test(`SpanEncoder carries the number ${value}`, () => assert.equal(valueOf(value), value));
}

Deno.test("SpanEncoder carries infinities and NaN as doubles", () => {
  assert.deepEqual([Infinity, -Infinity, NaN].map(valueOf), [Infinity, -Infinity, NaN]);
});

for (const length of [0, 1, 63, 64, 127, 128, 129, TEXT_LENGTH_MAX]) {
  Deno.test(`SpanEncoder carries texts of ${length} characters, ASCII and not`, () => {
    assert.equal(valueOf("x".repeat(length)), "x".repeat(length));
    assert.equal(valueOf("ü".repeat(length)), "ü".repeat(length));
    assert.equal(valueOf("\u{1f600}".repeat(length / 2)), "\u{1f600}".repeat(length / 2));
  });
}

Deno.test("SpanEncoder cuts a text that is too long", () => {
  assert.equal(valueOf("x".repeat(TEXT_LENGTH_MAX + 1)), "x".repeat(TEXT_LENGTH_MAX));
});

Deno.test("SpanEncoder carries trace state and says whether the parent is remote", () => {
  const traceState = parseTracestate("v=1");
  const owner = { resource, nowMs: () => 0, finish: (): void => {} };
  const parent = { ...IDS, isRemote: true };
  const span = new SpanRecord(owner, getSpanKindRow("cli "), { ...IDS, traceState }, parent, 0, {
    command: "x",
  });
  span.end(1);
  const [decoded] = roundTrip(span);
  assert.equal(decoded?.traceState, "v=1");
  assert.equal(decoded?.parentSpanId, IDS.spanId);
  assert.equal(decoded?.flags, 0x301);
  assert.equal(decoded?.name, "cli x");
});

Deno.test("SpanEncoder counts events that were left out", () => {
  const span = aSpan("wasi_cuda.sync", { instance: 1 });
  for (let index = 0; index < 130; index++) span.addEvent("e", {}, 1);
  assert.equal(roundTrip(span)[0]?.droppedEventsCount, 2);
});

Deno.test("SpanEncoder of a present-day instant is exact to the nanosecond that a double has", () => {
  const startMs = 1_795_236_772_972.25;
  const span = aSpan("wasi_cuda.sync", {}, IDS, startMs);
  span.end(startMs);
  assert.equal(roundTrip(span)[0]?.startNanos, 1_795_236_772_972_250_000n);
});

Deno.test("SpanEncoder carries a value that types rule out as text, and the rest of the batch", () => {
  const odd = { instance: null, extra: 5n, list: [null] } as unknown as Record<string, AttributeValue>;
  const [first, second] = roundTrip(aSpan("wasi_cuda.sync", odd), aSpan("wasi_cuda.sync", { instance: 2 }));
  assert.deepEqual(first?.attributes, {
    target: "tensor-wasm-wasi-gpu",
    instance: "unknown",
    extra: "5",
    list: ["null"],
  });
  assert.equal(second?.attributes["instance"], 2);
});

Deno.test("SpanEncoder keeps to limits, required attributes first, and counts what is left out", () => {
  const span = aSpan("wasi_cuda.sync", { b: "xyz", c: 1, d: 2, instance: 7 });
  for (let index = 0; index < 3; index++) span.addEvent("event", { x: "xyz", y: 1 }, 1);
  span.end(1001);
  const limits = { attributeCountMax: 3, textLengthMax: 2, eventCountMax: 1, eventAttributeCountMax: 1 };
  const encoder = new SpanEncoder(resource, limits);
  encoder.add(span);
  const [got] = decodeTraceRequest(encoder.take());
  assert.deepEqual(got?.attributes, { target: "te", instance: 7, b: "xy" });
  assert.equal(got?.droppedAttributesCount, 2);
  assert.deepEqual([got?.events.map(({ attributes }) => attributes), got?.droppedEventsCount], [
    [{ x: "xy" }],
    2,
  ]);
  assert.equal(got?.events[0]?.droppedAttributesCount, 1);
  // Names are not attributes.
  assert.deepEqual([got?.name, got?.scope], ["wasi_cuda.sync", "tensor-wasm-wasi-gpu"]);
  // And what names the process is exempt.
  assert.deepEqual(got?.resource, { "service.name": "svc", pid: 7, tags: ["a", "b"] });
});

Deno.test("SpanEncoder takes limits of nothing", () => {
  const limits = { attributeCountMax: 0, textLengthMax: 0, eventCountMax: 0, eventAttributeCountMax: 0 };
  const encoder = new SpanEncoder(resource, limits);
  const span = aSpan("wasi_cuda.sync", { instance: 1 });
  span.addEvent("event", { x: 1 }, 1);
  encoder.add(span);
  const [got] = decodeTraceRequest(encoder.take());
  assert.deepEqual([got?.attributes, got?.droppedAttributesCount], [{}, 2]);
  assert.deepEqual([got?.events, got?.droppedEventsCount], [[], 1]);
});
