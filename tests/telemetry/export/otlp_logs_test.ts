import assert from "node:assert/strict";
import { ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import fc from "fast-check";
import { LogEncoder, type RecordLimits } from "../../../telemetry/export/otlp_logs.ts";
import { LOG_LEVELS, type LoggedEvent, type PlainFields, type PlainValue } from "../../../telemetry/mod.ts";
import { type DecodedLog, type DecodedValue, decodeLogsRequest } from "../../support/otlp_decode.ts";

const resource = resourceFromAttributes({ "service.name": "svc" });
const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const LIMITS: RecordLimits = { attributeCountMax: 128, textLengthMax: 1000 };

function roundTrip(events: readonly LoggedEvent[], limits = LIMITS): DecodedLog[] {
  const encoder = new LogEncoder(resource, limits);
  for (const event of events) encoder.add(event);
  return decodeLogsRequest(encoder.take());
}

function anEvent(fields: PlainFields = {}, more: Partial<LoggedEvent> = {}): LoggedEvent {
  return { atMs: 1000, level: "info", target: "t", message: "m", ids: IDS, fields, ...more };
}

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const { plain } = fc.letrec<{ plain: PlainValue }>((tie) => ({
  plain: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    text,
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
    fc.boolean(),
    fc.array(tie("plain"), { maxLength: 3 }),
    fc.dictionary(text, tie("plain"), { maxKeys: 3 }),
  ),
}));
const event = fc.record({
  atMs: fc.integer({ min: 0, max: 8e12 }).map((quarters) => quarters / 4),
  level: fc.constantFrom(...LOG_LEVELS),
  target: fc.constantFrom("tower-http", "guest", "a.b"),
  message: text,
  ids: fc.option(fc.constant(IDS), { nil: undefined }),
  fields: fc.dictionary(text, plain, { maxKeys: 8 }),
});

Deno.test("LogEncoder: what is decoded is what was logged", () => {
  fc.assert(fc.property(fc.array(event, { minLength: 1, maxLength: 10 }), (events) => {
    const order = [...new Set(events.map(({ target }) => target))];
    const sorted = events.toSorted((a, b) => order.indexOf(a.target) - order.indexOf(b.target));
    const decoded = roundTrip(events);
    assert.equal(decoded.length, events.length);
    for (const [index, { atMs, level, target, message, ids, fields }] of sorted.entries()) {
      const got = decoded[index];
      assert.ok(got !== undefined);
      assert.equal(got.nanos, BigInt(atMs * 4) * 250_000n);
      assert.equal(got.observedNanos, got.nanos);
      assert.deepEqual([got.severityText, got.severityNumber], [level, 1 + 4 * LOG_LEVELS.indexOf(level)]);
      assert.deepEqual([got.scope, got.body, got.eventName], [target, message, message]);
      assert.deepEqual([got.traceId, got.spanId], ids === undefined ? ["", ""] : [ids.traceId, ids.spanId]);
      assert.equal(got.flags, ids?.traceFlags ?? 0);
      assert.deepEqual(got.attributes, toDecoded(fields));
      assert.deepEqual(got.resource, { "service.name": "svc" });
    }
  }));
});

/** An event as the SDK's serializer takes it. */
function toSdkRecord({ atMs, level, target, message, ids, fields }: LoggedEvent): object {
  const time = [Math.floor(atMs / 1000), Math.round((atMs % 1000) * 1e6)];
  return {
    hrTime: time,
    hrTimeObserved: time,
    spanContext: ids,
    severityText: level,
    severityNumber: 1 + 4 * LOG_LEVELS.indexOf(level),
    body: message,
    eventName: message,
    attributes: fields,
    droppedAttributesCount: 0,
    resource,
    instrumentationScope: { name: target },
  };
}

Deno.test("LogEncoder and the SDK's serializer say the same", () => {
  fc.assert(fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), (events) => {
    // Its type asks for classes of the SDK; it reads plain members.
    const records = events.map(toSdkRecord) as unknown as Parameters<
      typeof ProtobufLogsSerializer.serializeRequest
    >[0];
    const theirs = ProtobufLogsSerializer.serializeRequest(records);
    assert.ok(theirs !== undefined);
    // Theirs has scopes in an order of its own.
    const byScope = (logs: DecodedLog[]): DecodedLog[] =>
      logs.toSorted((a, b) => a.scope < b.scope ? -1 : a.scope > b.scope ? 1 : 0);
    assert.deepEqual(byScope(roundTrip(events)), byScope(decodeLogsRequest(theirs)));
  }));
});

/** Objects as the decoder makes them. */
function toDecoded(value: PlainValue): DecodedValue {
  if (Array.isArray(value)) return value.map(toDecoded);
  if (typeof value !== "object" || value === null) return value as DecodedValue;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toDecoded(member)]));
}

Deno.test("LogEncoder carries null as its word, for OTLP's absent value would lose the field", () => {
  assert.deepEqual(roundTrip([anEvent({ a: null, b: [null] })])[0]?.attributes, { a: "null", b: ["null"] });
});

Deno.test("LogEncoder cuts texts at the limit and counts attributes beyond theirs", () => {
  const [got] = roundTrip([anEvent({ a: "xyz", b: ["xyz"], c: 1, d: 2 }, { message: "whole" })], {
    attributeCountMax: 2,
    textLengthMax: 2,
  });
  assert.deepEqual(got?.attributes, { a: "xy", b: ["xy"] });
  assert.equal(got?.droppedAttributesCount, 2);
  assert.equal(got?.body, "whole");
  assert.deepEqual(got?.resource, { "service.name": "svc" }, "whose limit this is not");
});

Deno.test("LogEncoder loses an event that cannot be encoded and no other", () => {
  const encoder = new LogEncoder(resource);
  encoder.add(anEvent({ n: 1 }));
  const hostile = new Proxy({}, {
    ownKeys: () => {
      throw new Error("no");
    },
  });
  assert.throws(() => encoder.add(anEvent({ before: 1, hostile: hostile as PlainFields })));
  encoder.add(anEvent({ n: 2 }));
  assert.deepEqual(decodeLogsRequest(encoder.take()).map(({ attributes }) => attributes), [{ n: 1 }, {
    n: 2,
  }]);
});

Deno.test("LogEncoder begins anew after a batch, with many scopes and with few", () => {
  const encoder = new LogEncoder(resource);
  for (let index = 0; index < 200; index++) encoder.add(anEvent({}, { target: `t${index}` }));
  assert.equal(decodeLogsRequest(encoder.take()).length, 200);
  assert.equal(encoder.bytes, 0);
  encoder.add(anEvent({}, { target: "t7" }));
  assert.deepEqual(decodeLogsRequest(encoder.take()).map(({ scope }) => scope), ["t7"]);
});
