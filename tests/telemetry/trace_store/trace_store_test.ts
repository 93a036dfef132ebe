import assert from "node:assert/strict";
import type { TraceQuery } from "../../../telemetry/mod.ts";
import { Traced } from "./traced.ts";

async function idsOf(traced: Traced, query: Partial<TraceQuery> = {}): Promise<string[]> {
  const { traces } = await traced.store.list({ limit: 100, ...query });
  return traces.map((trace) => trace.traceId);
}

Deno.test("TraceStore.find() gives spans by start and lines by time, with what a list shows", () => {
  const traced = new Traced();
  const id = traced.call({ status: 504, tookMs: 25 });
  const trace = traced.store.find(id, "1");
  assert.deepEqual(trace?.spans.map(({ name }) => name), ["http.request", "http.invoke_function"]);
  assert.deepEqual(trace?.lines.map(({ message }) => message), ["request.received", "request.completed"]);
  assert.deepEqual({ ...trace, spans: undefined, lines: undefined }, {
    traceId: id,
    tenant: "1",
    tenants: ["1"],
    rootName: "http.request",
    route: "/functions/:id/invoke",
    method: "POST",
    httpStatus: 504,
    functionId: "f-1",
    functionName: "add",
    verdict: "timeout",
    startMs: 1_700_000_000_000,
    durationMs: 25,
    spanCount: 2,
    lineCount: 2,
    droppedCount: 0,
    isComplete: true,
    isTruncated: false,
    spans: undefined,
    lines: undefined,
  });
});

Deno.test("TraceStore.find() shows a tenant its own spans and lines, also where others use the same trace id", () => {
  const traced = new Traced();
  const traceId = "a".repeat(32);
  for (const tenant of ["1", "2", "1"]) traced.call({ traceId, tenant });
  assert.equal(traced.store.find(traceId, "1")?.spans.length, 4);
  assert.equal(traced.store.find(traceId, "2")?.spans.length, 2);
  assert.deepEqual(traced.store.find(traceId, "2")?.tenants, ["2"]);
  assert.equal(traced.store.find(traceId, "3"), undefined);
  assert.equal(traced.store.find(traceId, undefined)?.spans.length, 6);
  // While they run as well.
  const running = traced.request({ traceId: "b".repeat(32), tenant: "1" });
  assert.equal(traced.store.find("b".repeat(32), "2"), undefined);
  assert.equal(traced.store.find("b".repeat(32), "1")?.isComplete, false);
  running.end();
});

Deno.test("TraceStore.find() shows a running trace as far as it is, open spans included", () => {
  const traced = new Traced();
  const root = traced.request();
  const id = root.ids?.traceId ?? "";
  traced.line("request.received", root.ids);
  const running = traced.store.find(id, "1");
  assert.deepEqual([running?.isComplete, running?.spans[0]?.durationMs, running?.lines.length], [
    false,
    undefined,
    1,
  ]);
  root.end();
  assert.deepEqual([traced.store.find(id, "1")?.isComplete, traced.store.find(id, "1")?.spans.length], [
    true,
    1,
  ]);
});

Deno.test("TraceStore: a trace is complete when the job that its request promised has ended", () => {
  const traced = new Traced();
  const root = traced.request({ route: "/functions/:id/invoke-async" });
  const accept = traced.tracer.startSpan("http.invoke_function_async", { function_id: "f", tenant: "1" }, {
    parent: root.ids,
  });
  accept.end();
  root.end();
  const id = root.ids?.traceId ?? "";
  assert.equal(traced.store.find(id, "1")?.isComplete, false);
  traced.nowMs += 120_000;
  const job = traced.tracer.startSpan("async_invoke.job", { job_id: "j", function_id: "f", tenant: "1" }, {
    parent: accept.ids,
  });
  traced.line("job.started", job.ids);
  assert.equal(traced.store.find(id, "1")?.isComplete, false);
  job.end();
  const trace = traced.store.find(id, "1");
  assert.deepEqual([trace?.isComplete, trace?.spanCount, trace?.lineCount], [true, 3, 1]);
  assert.equal(trace?.rootName, "http.request");
  assert.deepEqual([traced.store.collector.heldCount, traced.store.collector.live.size], [0, 0]);
});

Deno.test("TraceStore: a request whose key was known promises nothing; a job that was put off keeps the promise", () => {
  const traced = new Traced();
  const replay = traced.request({ route: "/functions/:id/invoke-async" });
  const attributes = { function_id: "f", tenant: "1" };
  traced.tracer.startSpan("http.invoke_function_async", { ...attributes, replayed: true }, {
    parent: replay.ids,
  }).end();
  replay.end();
  assert.equal(traced.store.find(replay.ids?.traceId ?? "", "1")?.isComplete, true);

  const root = traced.request({ route: "/functions/:id/invoke-async" });
  traced.tracer.startSpan("http.invoke_function_async", attributes, { parent: root.ids }).end();
  root.end();
  const id = root.ids?.traceId ?? "";
  for (const requeued of ["no_room", "drain", undefined]) {
    assert.equal(traced.store.find(id, "1")?.isComplete, false);
    const job = traced.tracer.startSpan("async_invoke.job", { ...attributes, job_id: "j" }, {
      parent: root.ids,
    });
    if (requeued !== undefined) job.setAttribute("requeued", requeued).fail("interrupted");
    job.end();
  }
  assert.equal(traced.store.find(id, "1")?.isComplete, true);
});

Deno.test("TraceStore: a trace is shown by its request, also where its job began before the request ended", () => {
  const traced = new Traced();
  const root = traced.request({ route: "/functions/:id/invoke-async" });
  const job = traced.tracer.startSpan("async_invoke.job", { job_id: "j", function_id: "f", tenant: "1" }, {
    parent: root.ids,
  });
  root.setAttribute("http.response.status_code", 202);
  root.end();
  traced.nowMs += 50;
  const running = traced.store.find(root.ids?.traceId ?? "", "1");
  assert.deepEqual([running?.durationMs, running?.rootName], [50, "http.request"]);
  job.end();
  const { rootName, route, httpStatus, durationMs } = traced.store.find(root.ids?.traceId ?? "", "1") ?? {};
  assert.deepEqual([rootName, route, httpStatus, durationMs], [
    "http.request",
    "/functions/:id/invoke-async",
    202,
    50,
  ]);
});

Deno.test("TraceStore.sweep() puts away a request whose job goes on, once, and the job joins it", () => {
  const traced = new Traced();
  const root = traced.request({ route: "/functions/:id/invoke-async" });
  const id = root.ids?.traceId ?? "";
  const attributes = { function_id: "f", tenant: "1" };
  const accept = traced.tracer.startSpan("http.invoke_function_async", attributes, { parent: root.ids });
  const job = traced.tracer.startSpan("async_invoke.job", { ...attributes, job_id: "j" }, {
    parent: accept.ids,
  });
  traced.line("request.completed", root.ids);
  accept.end();
  root.end();
  traced.store.sweep();
  assert.equal(traced.store.ring.numbersOf(id).length, 0);
  for (let second = 0; second < 3; second++) {
    traced.nowMs += 1000;
    traced.line("guest.stdout", job.ids);
    traced.store.sweep();
    assert.equal(traced.store.ring.numbersOf(id).length, 1);
  }
  const running = traced.store.find(id, "1");
  assert.deepEqual([running?.isComplete, running?.spanCount, running?.lineCount], [false, 3, 4]);
  job.end();
  const trace = traced.store.find(id, "1");
  assert.deepEqual([trace?.isComplete, trace?.spanCount, trace?.lineCount, trace?.rootName], [
    true,
    3,
    4,
    "http.request",
  ]);
});

Deno.test("TraceStore.sweep() puts away lines that came after the last span", () => {
  const traced = new Traced();
  const id = traced.call();
  const root = traced.request();
  root.end();
  traced.line("late", root.ids);
  assert.equal(traced.store.collector.heldCount, 1);
  assert.equal(traced.store.find(root.ids?.traceId ?? "", "1")?.lineCount, 1, "seen before it is put away");
  traced.store.sweep();
  assert.equal(traced.store.collector.heldCount, 0);
  assert.equal(traced.store.find(root.ids?.traceId ?? "", "1")?.lineCount, 1);
  assert.equal(traced.store.find(id, "1")?.isComplete, true);
});

Deno.test("TraceStore bounds the spans and lines of one part, and says that something is missing", () => {
  const traced = new Traced({ spansPerTraceMax: 20, linesPerTraceMax: 10 });
  const root = traced.request();
  for (let count = 0; count < 1000; count++) {
    traced.tracer.startSpan("invoke.run", { tenant: "1", function_id: "f", wasm_bytes_len: 1 }, {
      parent: root.ids,
    }).end();
    traced.line("guest.stdout", root.ids, { line: "x".repeat(500) });
  }
  root.end();
  const trace = traced.store.find(root.ids?.traceId ?? "", "1");
  assert.deepEqual([trace?.spans.length, trace?.lines.length, trace?.isTruncated], [21, 10, true]);
  assert.equal(trace?.spans[0]?.name, "http.request", "the root is kept in any case");
});

Deno.test("TraceStore: what a part holds while it runs is bounded", () => {
  const traced = new Traced({ spansPerTraceMax: 100_000, linesPerTraceMax: 100_000 });
  const root = traced.request();
  for (let count = 0; count < 5000; count++) traced.line("guest.stdout", root.ids, { line: "x".repeat(100) });
  assert.ok(traced.store.collector.heldCount <= 256, `holds ${traced.store.collector.heldCount}`);
  root.end();
  assert.equal(traced.store.find(root.ids?.traceId ?? "", "1")?.lineCount, 5000);
});

Deno.test("TraceStore: one trace id that is used over and over does not push out others", () => {
  const traced = new Traced({ bytesMax: 400_000, bytesPerTraceMax: 50_000 });
  const quiet = traced.call({ tenant: "2" });
  for (let count = 0; count < 5000; count++) traced.call({ traceId: "d".repeat(32), tenant: "1" });
  assert.equal(traced.store.find(quiet, "2")?.spans.length, 2);
  assert.ok((traced.dropped.get("trace_full") ?? 0) > 4000);
});

Deno.test("TraceStore: probes are left out unless they fail", () => {
  const traced = new Traced();
  for (const fails of [false, true]) {
    const span = traced.tracer.startSpan("http.request", {
      method: "GET",
      uri: "/readyz",
      version: "HTTP/1.1",
      traceparent: "unknown",
    }, { parent: null, isStored: false });
    if (fails) span.fail("HTTP 503");
    span.end();
    const found = traced.store.find(span.ids?.traceId ?? "", undefined);
    assert.equal(found !== undefined, fails);
  }
});

Deno.test("TraceStore.list() is newest first, page after page, each trace once", async () => {
  const traced = new Traced();
  const ids = Array.from({ length: 25 }, () => traced.call());
  const seen: string[] = [];
  let before: number | undefined;
  for (let pages = 0; pages < 10; pages++) {
    const page = await traced.store.list({ limit: 10, before });
    seen.push(...page.traces.map((trace) => trace.traceId));
    // New ones between the pages do not shift them.
    traced.call();
    if (page.next === undefined) break;
    before = page.next;
  }
  assert.deepEqual(seen, ids.toReversed());
});

Deno.test("TraceStore.list() shows a trace of several pieces once, where its newest is", async () => {
  const traced = new Traced();
  const traceId = "e".repeat(32);
  traced.call({ traceId });
  const others = [traced.call(), traced.call()];
  traced.call({ traceId });
  assert.deepEqual(await idsOf(traced), [traceId, ...others.toReversed()]);
  const first = await traced.store.list({ limit: 1 });
  assert.deepEqual([first.traces[0]?.traceId, first.traces[0]?.spanCount], [traceId, 4]);
  assert.deepEqual(await idsOf(traced, { before: first.next }), others.toReversed());
});

Deno.test("TraceStore.list() filters by tenant, function, status and duration", async () => {
  const traced = new Traced();
  const fine = traced.call({ tenant: "1", tookMs: 5 });
  const missing = traced.call({ tenant: "1", status: 404, functionId: "f-2", functionName: "gone" });
  const trapped = traced.call({ tenant: "2", status: 500, tookMs: 100 });
  const late = traced.call({ tenant: "2", status: 504, tookMs: 2000 });
  assert.deepEqual(await idsOf(traced, { tenant: "1" }), [missing, fine]);
  assert.deepEqual(await idsOf(traced, { tenant: "3" }), []);
  assert.deepEqual(await idsOf(traced, { function: "gone" }), [missing]);
  assert.deepEqual(await idsOf(traced, { function: "f-1" }), [late, trapped, fine]);
  assert.deepEqual(await idsOf(traced, { status: "ok" }), [missing, fine], "4xx is the caller's mistake");
  assert.deepEqual(await idsOf(traced, { status: "error" }), [late, trapped]);
  assert.deepEqual(await idsOf(traced, { status: "timeout" }), [late]);
  assert.deepEqual(await idsOf(traced, { status: { status: 404 } }), [missing]);
  assert.deepEqual(await idsOf(traced, { status: { hundreds: 5 } }), [late, trapped]);
  assert.deepEqual(await idsOf(traced, { minMs: 100 }), [late, trapped]);
  assert.deepEqual(await idsOf(traced, { minMs: 100, tenant: "2", status: { status: 500 } }), [trapped]);
  const running = traced.request();
  assert.deepEqual(await idsOf(traced, { status: "running" }), [running.ids?.traceId]);
  assert.equal((await idsOf(traced))[0], running.ids?.traceId);
  running.end();
  assert.deepEqual(await idsOf(traced, { status: "running" }), []);
});

Deno.test("TraceStore.find() answers for each of many traces that ran at the same time", () => {
  const traced = new Traced();
  const roots = Array.from({ length: 2000 }, (_, index) => traced.request({ tenant: String(index % 7) }));
  const invokes = roots.map((root) =>
    traced.tracer.startSpan("http.invoke_function", { function_id: "f", tenant: "1" }, { parent: root.ids })
  );
  for (const root of roots) traced.line("request.received", root.ids);
  for (const span of [...invokes, ...roots]) span.end();
  for (const [index, root] of roots.entries()) {
    const trace = traced.store.find(root.ids?.traceId ?? "", String(index % 7));
    assert.deepEqual([trace?.spans.length, trace?.lines.length, trace?.isComplete], [2, 1, true]);
  }
});

Deno.test("TraceStore: of a tenant with too many traces those that failed stay longer, and not for ever", () => {
  const traced = new Traced({ bytesMax: 100_000 });
  const failed = traced.call({ tenant: "1", status: 504 });
  const fine = traced.call({ tenant: "1" });
  const others = Array.from({ length: 20 }, (_, count) => traced.call({ tenant: String(count + 2) }));
  for (let count = 0; count < 1_000; count++) traced.call({ tenant: "1" });
  assert.equal(traced.store.find(failed, "1")?.verdict, "timeout");
  assert.equal(traced.store.find(fine, "1"), undefined);
  for (let count = 0; count < 1_000; count++) traced.call({ tenant: "1", status: 504 });
  const ok = traced.call({ tenant: "1" });
  for (let count = 0; count < 20; count++) traced.call({ tenant: "1", status: 504 });
  assert.equal(traced.store.find(failed, "1"), undefined, "newer failures take its place");
  assert.notEqual(traced.store.find(ok, "1"), undefined, "and not that of every other trace");
  for (const [index, id] of others.entries()) {
    assert.notEqual(
      traced.store.find(id, String(index + 2)),
      undefined,
      "no failure outweighs another tenant",
    );
  }
});
