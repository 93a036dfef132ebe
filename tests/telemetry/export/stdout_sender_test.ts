import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { SpanLimits } from "../../../telemetry/export/otlp_spans.ts";
import { StdoutSender } from "../../../telemetry/export/stdout_sender.ts";
import type { AttributeValue } from "../../../telemetry/mod.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const PARENT = { ...IDS, spanId: "c".repeat(16) };

function aSpan(attributes: Record<string, AttributeValue>, parent?: typeof PARENT): SpanRecord {
  const owner = { resource: resourceFromAttributes({}), nowMs: (): number => 0, finish: (): void => {} };
  return new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), IDS, parent, 1000, attributes);
}

async function printed(span: SpanRecord, limits?: SpanLimits): Promise<Record<string, unknown>> {
  const lines: string[] = [];
  const result = await new StdoutSender((line) => lines.push(line), limits).send([span]);
  assert.deepEqual([result.acceptedCount, lines.length], [1, 1]);
  assert.doesNotMatch(lines[0] ?? "", /[\n\r\u2028]/);
  return JSON.parse(lines[0] ?? "");
}

Deno.test("StdoutSender prints a span as one line of JSON", async () => {
  const span = aSpan({ instance: "one\ntwo\u2028three" }, PARENT);
  span.addEvent("half way", { x: 1 }, 1001.5).fail("no").end(1002.25);
  assert.deepEqual(await printed(span), {
    span: "wasi_cuda.sync",
    trace_id: IDS.traceId,
    span_id: IDS.spanId,
    parent_span_id: PARENT.spanId,
    scope: "tensor-wasm-wasi-gpu",
    kind: "internal",
    start: "1970-01-01T00:00:01.000Z",
    duration_ms: 2.25,
    status: "error",
    failure: "no",
    attributes: { target: "tensor-wasm-wasi-gpu", instance: "one\ntwo\u2028three" },
    events: [{ name: "half way", time: "1970-01-01T00:00:01.001Z", attributes: { x: 1 } }],
  });
});

Deno.test("StdoutSender keeps to limits, required attributes first, and counts what is left out", async () => {
  const span = aSpan({ b: "xyz", c: ["xyz"], d: 2, instance: 7 });
  for (let index = 0; index < 3; index++) span.addEvent("event", { x: "xyz", y: 1 }, 1001);
  span.end(1002);
  const limits = { attributeCountMax: 4, textLengthMax: 2, eventCountMax: 1, eventAttributeCountMax: 1 };
  const line = await printed(span, limits);
  assert.deepEqual(line["attributes"], { target: "te", instance: 7, b: "xy", c: ["xy"] });
  assert.deepEqual([line["dropped_attributes"], line["dropped_events"]], [1, 2]);
  assert.deepEqual((line["events"] as { attributes: unknown }[]).map(({ attributes }) => attributes), [
    { x: "xy" },
  ]);
});
