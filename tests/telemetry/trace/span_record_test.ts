import assert from "node:assert/strict";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { SpanIds } from "../../../telemetry/mod.ts";
import { SPAN_EVENTS_MAX, SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { resourceFromAttributes } from "@opentelemetry/resources";

const IDS: SpanIds = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };

interface Made {
  readonly span: SpanRecord;
  readonly finished: SpanRecord[];
}

/** A span that started at 1000 ms under a clock that stands at 1500 ms. */
function aSpan(
  attributes: Record<string, string | number | undefined> = {},
  ids: SpanIds = IDS,
  name: Parameters<typeof getSpanKindRow>[0] = "invoke.run",
): Made {
  const finished: SpanRecord[] = [];
  const owner = {
    resource: resourceFromAttributes({}),
    nowMs: () => 1500,
    finish: (span: SpanRecord) => void finished.push(span),
  };
  return { span: new SpanRecord(owner, getSpanKindRow(name), ids, undefined, 1000, attributes), finished };
}

Deno.test("SpanRecord.end() hands the span over once", () => {
  const { span, finished } = aSpan();
  span.end(1200);
  span.end(1300);
  assert.deepEqual(finished, [span]);
  assert.equal(span.endMs, 1200);
});

Deno.test("SpanRecord.end() takes the clock's time without an argument", () => {
  const { span } = aSpan();
  span.end();
  assert.equal(span.endMs, 1500);
});

Deno.test("SpanRecord.end() never lies before the start", () => {
  const { span } = aSpan();
  span.end(999);
  assert.equal(span.endMs, 1000);
});

Deno.test("SpanRecord.end() hands over what is not sampled as well: others than the exporter want it", () => {
  const { span, finished } = aSpan({}, { ...IDS, traceFlags: 0 });
  span.end();
  assert.deepEqual(finished, [span]);
});

Deno.test("SpanRecord: nothing changes after the end", () => {
  const { span } = aSpan({ tenant: "a" });
  span.end();
  span.setAttribute("tenant", "b").setAttributes({ cold: true }).addEvent("late").fail("late").updateName(
    "late",
  );
  assert.equal(span.attributes["tenant"], "a");
  assert.equal(span.attributes["cold"], undefined);
  assert.deepEqual(span.events, []);
  assert.equal(span.status.code, SpanStatusCode.UNSET);
  assert.equal(span.name, "invoke.run");
});

Deno.test("SpanRecord.setAttribute() wins over earlier values and does not touch the caller's object", () => {
  const given = { tenant: "a", function_id: "f", wasm_bytes_len: 1, cold: "no" };
  const { span } = aSpan(given);
  span.setAttribute("tenant", "b").setAttribute("cold", "yes").setAttribute("queue_ms", 2).setAttribute(
    "queue_ms",
    3,
  );
  span.setAttribute("function_id", undefined);
  assert.deepEqual(span.attributes, {
    target: "tensor-wasm-api",
    tenant: "b",
    function_id: "f",
    wasm_bytes_len: 1,
    cold: "yes",
    queue_ms: 3,
  });
  assert.equal(given.tenant, "a");
});

Deno.test("SpanRecord: target is the scope whatever a caller sets", () => {
  const { span } = aSpan({ target: "else" });
  span.setAttribute("target", "other");
  assert.equal(span.attributes["target"], "tensor-wasm-api");
});

Deno.test("SpanRecord.addEvent() keeps 128 events and counts the rest", () => {
  const { span } = aSpan();
  for (let index = 0; index < SPAN_EVENTS_MAX + 2; index++) span.addEvent(`event ${index}`, { index }, 1100);
  assert.equal(span.events.length, 128);
  assert.equal(span.events.at(-1)?.name, "event 127");
  assert.equal(span.droppedEventsCount, 2);
});

Deno.test("SpanRecord.addEvent() takes the time in the place of the attributes, as the API allows", () => {
  const { span } = aSpan();
  span.addEvent("a", 1200).addEvent("b", { x: 1 }, [1, 3e8]).addEvent("c");
  assert.deepEqual(span.timedEvents.map(({ name, atMs }) => [name, atMs]), [["a", 1200], ["b", 1300], [
    "c",
    1500,
  ]]);
});

Deno.test("SpanRecord: dispose ends the span", () => {
  const { span, finished } = aSpan();
  {
    using disposed = span;
    assert.equal(disposed.isRecording(), true);
  }
  assert.equal(finished.length, 1);
  assert.equal(span.isRecording(), false);
});

Deno.test("SpanRecord has the SDK's view of times, kind, status and scope", () => {
  const { span } = aSpan({}, IDS, "http.request");
  span.fail("broken").end(2250.5);
  assert.deepEqual(span.startTime, [1, 0]);
  assert.deepEqual(span.endTime, [2, 250_500_000]);
  assert.deepEqual(span.duration, [1, 250_500_000]);
  assert.equal(span.kind, SpanKind.SERVER);
  assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: "broken" });
  assert.deepEqual(span.instrumentationScope, { name: "tower-http" });
  assert.equal(span.ended, true);
});

Deno.test("SpanRecord.startTime carries nanoseconds that round up to a second", () => {
  const { span } = aSpan();
  span.end(1999.9999999);
  assert.deepEqual(span.endTime, [2, 0]);
});

Deno.test("SpanRecord: the name of a CLI span ends in its command", () => {
  const { span } = aSpan({ command: "run" }, IDS, "cli ");
  assert.equal(span.name, "cli run");
});

Deno.test("SpanRecord answers to the API: setStatus, recordException, spanContext", () => {
  const { span } = aSpan();
  span.setStatus({ code: SpanStatusCode.OK });
  assert.equal(span.failure, undefined);
  span.setStatus({ code: SpanStatusCode.ERROR, message: "x" });
  span.recordException(new Error("boom"));
  assert.equal(span.failure, "x");
  assert.equal(span.events[0]?.attributes?.["exception.message"], "boom");
  assert.equal(span.spanContext().spanId, IDS.spanId);
});
