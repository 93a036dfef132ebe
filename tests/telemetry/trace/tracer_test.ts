import assert from "node:assert/strict";
import { context, propagation, trace } from "@opentelemetry/api";
import type { JoinedSpan, Span, SpanIds } from "../../../telemetry/mod.ts";
import { NULL_SPAN, NULL_TRACER } from "../../../telemetry/mod.ts";
import { buildSpanTree, normalizeSpanTree } from "../../support/span_tree.ts";
import { assertGolden } from "../../support/golden.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CALL = { function_id: "f", tenant: "t" };

function idsOf(span: Span): SpanIds {
  assert.ok(span.ids !== undefined);
  return span.ids;
}

Deno.test("tracer.startSpan() is a child of the active span", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using outer = tracer.startSpan("http.invoke_function", CALL);
  using inner = tracer.withSpan(outer, () => tracer.startSpan("wasi_cuda.sync", { instance: 1 }));
  assert.equal(idsOf(inner).traceId, idsOf(outer).traceId);
  assert.notEqual(idsOf(inner).spanId, idsOf(outer).spanId);
});

Deno.test("tracer.startSpan() makes a fresh root for parent null, also under an active span", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using outer = tracer.startSpan("http.invoke_function", CALL);
  using other = tracer.withSpan(outer, () => tracer.startSpan("cli ", { command: "x" }, { parent: null }));
  assert.notEqual(idsOf(other).traceId, idsOf(outer).traceId);
});

Deno.test("tracer.startSpan() joins a remote parent, with its state and baggage", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const remote = tracer.extract(new Headers({ traceparent: TRACEPARENT, tracestate: "v=1", baggage: "a=1" }));
  const attributes = { method: "GET", uri: "/", version: "1", traceparent: remote.traceparent };
  const span = tracer.startSpan("http.request", attributes, { remote });
  const child = tracer.startSpan("wasi_cuda.sync", { instance: 1 }, { parent: idsOf(span) });
  child.end();
  span.end();
  const outgoing = new Headers();
  tracer.inject(outgoing, child.ids);
  assert.equal(outgoing.get("traceparent"), `00-0af7651916cd43dd8448eb211c80319c-${idsOf(child).spanId}-01`);
  assert.equal(outgoing.get("tracestate"), "v=1");
  assert.equal(outgoing.get("baggage"), "a=1");
  const decoded = (await test.spans()).find(({ name }) => name === "http.request");
  assert.equal(decoded?.parentSpanId, "b7ad6b7169203331");
  assert.equal(decoded?.traceState, "v=1");
  assert.equal(decoded?.attributes["traceparent"], TRACEPARENT);
  // Bits 8 and 9: remoteness of the parent is known, and it is remote.
  assert.equal(decoded?.flags, 0x301);
});

Deno.test("tracer.toRecord() and fromRecord() keep all of a context, whatever propagators are wanted", async () => {
  for (const isWanted of [true, false]) {
    const propagators = { traceContext: isWanted, baggage: isWanted };
    await using test = new TestTelemetry({ config: { propagators } });
    const { tracer } = test.telemetry;
    const kept = { traceparent: TRACEPARENT, tracestate: "v=1", baggage: "a=1" };
    const { parent, baggage, traceparent } = tracer.fromRecord(kept);
    assert.deepEqual([traceparent, baggage, parent?.traceState?.serialize()], [TRACEPARENT, "a=1", "v=1"]);
    assert.deepEqual(tracer.toRecord(parent ?? undefined), kept);
    assert.deepEqual(tracer.toRecord(undefined), {});
  }
});

Deno.test("tracer.startSpan() carries baggage of a caller without a trace", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const remote = tracer.extract(new Headers({ baggage: "a=1" }));
  using span = tracer.startSpan("cli ", { command: "x" }, { remote });
  assert.equal(idsOf(span).baggage, "a=1");
});

Deno.test("tracer.recordSpan() joins spans that ran elsewhere to the tree", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const run = tracer.startSpan("invoke.run", { tenant: "t", function_id: "f", wasm_bytes_len: 9 }, {
    startMs: 1,
  });
  const spawn = tracer.allotIds(run.ids);
  const record = <N extends JoinedSpan["name"]>(span: Omit<JoinedSpan<N>, "ids" | "parentSpanId">): void =>
    tracer.recordSpan({ ...span, ids: tracer.allotIds(spawn), parentSpanId: spawn?.spanId } as JoinedSpan<N>);
  record({
    name: "tensor_wasm_exec::executor::call_export_with_args",
    startMs: 3,
    endMs: 5,
    attributes: { instance: 7, export: "main", args_len: 2, outcome: "trapped" },
    events: [{ name: "step", atMs: 4, attributes: { n: 1 } }],
    failure: "an unreachable instruction was executed",
  });
  record({
    name: "tensor_wasm_exec::executor::terminate",
    startMs: 5,
    endMs: 6,
    attributes: { instance: 7 },
  });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::spawn_instance",
    ids: spawn,
    parentSpanId: run.ids?.spanId,
    startMs: 2,
    endMs: 6,
    attributes: { tenant: "t", instance_id: 7, wasm_bytes: 9 },
  });
  run.end(7);
  await assertGolden("telemetry/joined_spans.txt", normalizeSpanTree(buildSpanTree(await test.spans())));
});

Deno.test("tracer.recordSpan() without ids records nothing", async () => {
  await using test = new TestTelemetry();
  test.telemetry.tracer.recordSpan({
    name: "wasi_cuda.sync",
    ids: undefined,
    parentSpanId: undefined,
    startMs: 0,
    endMs: 1,
    attributes: { instance: 1 },
  });
  assert.deepEqual(await test.spans(), []);
});

Deno.test("tracer.withSpan() keeps the span over await, timers and concurrent calls", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const calls = Array.from({ length: 200 }, async () => {
    using span = tracer.startSpan("http.invoke_function", CALL, { parent: null });
    await tracer.withSpan(span, async () => {
      for (let step = 0; step < 3; step++) {
        await Promise.resolve();
        await new Promise((resolve) => setTimeout(resolve, 0));
        assert.equal(tracer.activeIds(), span.ids);
      }
    });
    return idsOf(span).traceId;
  });
  assert.equal(new Set(await Promise.all(calls)).size, 200);
  assert.equal(tracer.activeIds(), undefined);
});

Deno.test("tracer.withSpan() hands on what fn returns and throws", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" });
  assert.equal(tracer.withSpan(span, () => 5), 5);
  assert.throws(() => tracer.withSpan(span, () => JSON.parse("{")), SyntaxError);
});

Deno.test("tracer: the OpenTelemetry API sees the active span and its baggage", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const remote = tracer.extract(new Headers({ traceparent: TRACEPARENT, baggage: "a=1" }));
  using span = tracer.startSpan("cli ", { command: "x" }, { remote });
  tracer.withSpan(span, () => {
    assert.equal(trace.getActiveSpan()?.spanContext().spanId, span.ids?.spanId);
    assert.equal(propagation.getActiveBaggage()?.getEntry("a")?.value, "1");
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    assert.equal(carrier["traceparent"], `00-0af7651916cd43dd8448eb211c80319c-${span.ids?.spanId}-01`);
    assert.equal(carrier["baggage"], "a=1");
  });
});

Deno.test("tracer: values of the OpenTelemetry API's own contexts and ours see each other", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" });
  using inner = tracer.startSpan("cli ", { command: "y" });
  const key = Symbol("k");
  context.with(context.active().setValue(key, 1), () => {
    tracer.withSpan(span, () => {
      assert.equal(context.active().getValue(key), 1);
      context.with(context.active().setValue(key, 2), () => {
        assert.equal(tracer.activeIds(), span.ids);
        assert.equal(context.active().getValue(key), 2);
        tracer.withSpan(inner, () => {
          assert.equal(tracer.activeIds(), inner.ids);
          assert.equal(context.active().deleteValue(key).getValue(key), undefined);
        });
      });
    });
  });
});

Deno.test("tracer.setResponseHeaders() names the trace", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" });
  const headers = new Headers();
  tracer.setResponseHeaders(headers, span.ids);
  assert.equal(headers.get("x-trace-id"), idsOf(span).traceId);
  assert.equal(headers.get("traceresponse"), `00-${idsOf(span).traceId}-${idsOf(span).spanId}-01`);
});

Deno.test("tracing off: no ids, no spans, no headers, no lines with ids", async () => {
  await using test = new TestTelemetry({ tracing: { enabled: false } });
  const { tracer } = test.telemetry;
  const remote = tracer.extract(new Headers({ traceparent: TRACEPARENT, baggage: "a=1" }));
  assert.deepEqual(remote, { parent: null, baggage: undefined, traceparent: "unknown" });
  const span = tracer.startSpan("cli ", { command: "x" }, { remote });
  const headers = new Headers();
  await tracer.withSpan(span, async () => {
    await Promise.resolve();
    assert.equal(tracer.activeIds(), undefined);
    test.telemetry.log("t").info("event");
    tracer.inject(headers, span.ids);
    tracer.setResponseHeaders(headers, tracer.allotIds(span.ids));
  });
  span.setAttribute("exit_code", 1).addEvent("e").fail("f").end();
  assert.equal(span.ids, undefined);
  assert.deepEqual([...headers], []);
  assert.equal("trace_id" in (test.lines[0] ?? {}), false);
  assert.deepEqual(await test.spans(), []);
});

Deno.test("NULL_TRACER works without any telemetry started", () => {
  assert.equal(NULL_TRACER.startSpan("cli ", { command: "x" }), NULL_SPAN);
  assert.equal(NULL_TRACER.withSpan(NULL_SPAN, () => 3), 3);
});
