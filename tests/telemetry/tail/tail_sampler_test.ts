import assert from "node:assert/strict";
import fc from "fast-check";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { PooledIdGenerator } from "../../../telemetry/trace/ids.ts";
import { SpanFanOut } from "../../../telemetry/trace/local_trace.ts";
import type { SpanIds } from "../../../telemetry/mod.ts";
import { makeSampler, type SamplerType } from "../../../telemetry/trace/sampling.ts";
import type { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { type TailConfig, type TailDecision, TailSampler } from "../../../telemetry/tail/tail_sampler.ts";
import { RecordingTracer } from "../../../telemetry/trace/tracer.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const WIDE: TailConfig = {
  isEnabled: true,
  spansMax: 10_000,
  bytesMax: 100_000_000,
  ageMsMax: 60_000,
  slowPercent: 1,
};
const CALL = { function_id: "f", tenant: "1" };

/** A tracer with a tail sampler before what would be the exporter. */
class Tailed {
  nowMs = 1000;
  readonly exported: SpanRecord[] = [];
  readonly decisions: TailDecision[] = [];
  readonly tail: TailSampler;
  readonly tracer: RecordingTracer;

  constructor(config: Partial<TailConfig> = {}, type: SamplerType = "parentbased_always_off") {
    this.tail = new TailSampler(
      { ...WIDE, ...config },
      (span) => this.exported.push(span),
      () => this.nowMs,
      (decision) => this.decisions.push(decision),
    );
    this.tracer = new RecordingTracer({
      resource: resourceFromAttributes({}),
      sampler: makeSampler({ type, ratio: 0 }),
      ids: new PooledIdGenerator(),
      nowMs: () => this.nowMs,
      fanOut: new SpanFanOut([this.tail]),
    });
  }

  /** A request with a call in it; its ids. */
  call(status: number, tookMs = 1, attributes: Record<string, string> = {}): SpanIds | undefined {
    const root = this.tracer.startSpan("http.request", {
      method: "POST",
      uri: "/",
      version: "HTTP/1.1",
      traceparent: "unknown",
      "http.route": "/functions/:id/invoke",
    }, { parent: null });
    const inner = this.tracer.startSpan("tensor_wasm_exec::executor::call_export_with_args", {
      instance: "i",
      export: "run",
      args_len: 0,
      ...attributes,
    }, { parent: root.ids });
    this.nowMs += tookMs;
    if (status >= 400) inner.fail(attributes["reason"] ?? "failed");
    inner.end();
    root.setAttribute("http.response.status_code", status);
    if (status >= 500) root.fail(`HTTP ${status}`);
    root.end();
    return root.ids;
  }

  /** A request that accepts a job. */
  accept(): SpanIds | undefined {
    const root = this.tracer.startSpan("http.invoke_function_async", CALL, { parent: null });
    root.end();
    return root.ids;
  }

  /** The job of a request. */
  run(ids: SpanIds | undefined, failure?: string): void {
    const job = this.tracer.startSpan("async_invoke.job", { ...CALL, job_id: "j" }, { parent: ids });
    if (failure !== undefined) job.fail(failure);
    job.end();
  }
}

Deno.test("TailSampler keeps errors, timeouts and kills whatever the sampler says, and nothing else", () => {
  const tailed = new Tailed();
  const table: [status: number, attributes: Record<string, string>, decision: TailDecision][] = [
    [200, {}, "dropped"],
    [500, {}, "error"],
    [504, { reason: "deadline_elapsed" }, "timeout"],
    [502, { outcome: "lost", reason: "cell_sigkill" }, "kill"],
    [404, {}, "dropped"],
  ];
  for (const [status, attributes] of table) tailed.call(status, 1, attributes);
  assert.deepEqual(tailed.decisions, table.map(([, , decision]) => decision));
  assert.equal(tailed.exported.length, 6);
  assert.deepEqual([tailed.tail.spanCount, tailed.tail.byteCount], [0, 0]);
});

Deno.test("TailSampler: a call that was run again after a kill is kept though it was answered with 200", () => {
  const tailed = new Tailed();
  const root = tailed.tracer.startSpan("http.invoke_function", CALL, { parent: null });
  for (const outcome of ["lost", "returned"]) {
    const call = tailed.tracer.startSpan("tensor_wasm_exec::executor::call_export_with_args", {
      instance: "i",
      export: "run",
      args_len: 0,
      outcome,
    }, { parent: root.ids });
    if (outcome === "lost") call.fail("cell_sigkill");
    call.end();
  }
  root.end();
  assert.deepEqual([tailed.decisions, tailed.exported.length], [["kill"], 3]);
});

Deno.test("TailSampler keeps the slowest of a route and function", () => {
  const tailed = new Tailed();
  for (let count = 0; count < 200; count++) tailed.call(200, 10);
  tailed.call(200, 100);
  assert.equal(tailed.decisions.at(-1), "slow");
  assert.equal(tailed.decisions.filter((decision) => decision === "dropped").length, 200);
  assert.equal(tailed.exported.length, 2);
  const off = new Tailed({ slowPercent: 0 });
  for (let count = 0; count < 200; count++) off.call(200, 10);
  off.call(200, 100);
  assert.equal(off.decisions.at(-1), "dropped");
});

Deno.test("TailSampler: what was sampled at the entry goes through at once, and is counted once", () => {
  const tailed = new Tailed({}, "always_on");
  const ids = tailed.accept();
  assert.deepEqual([tailed.exported.length, tailed.decisions], [1, ["head"]]);
  tailed.run(ids, "trapped");
  assert.deepEqual([tailed.exported.length, tailed.decisions], [2, ["head"]]);
});

Deno.test("TailSampler: a request that accepted a job waits for it, and both go or stay", () => {
  for (const failure of [undefined, "trapped"]) {
    const tailed = new Tailed();
    const ids = tailed.accept();
    assert.deepEqual([tailed.decisions, tailed.tail.spanCount], [[], 1]);
    tailed.nowMs += 30_000;
    tailed.tail.sweep();
    tailed.run(ids, failure);
    assert.deepEqual(tailed.decisions, [failure === undefined ? "dropped" : "error"]);
    assert.equal(tailed.exported.length, failure === undefined ? 0 : 2);
  }
});

Deno.test("TailSampler: what comes after a decision follows it", () => {
  const tailed = new Tailed();
  for (const [status, exported] of [[200, 0], [500, 3]] as const) {
    const ids = tailed.call(status);
    tailed.tracer.startSpan("wasi_cuda.sync", { instance: "i" }, { parent: ids }).fail("late").end();
    assert.equal(tailed.exported.length, exported);
  }
  assert.deepEqual(tailed.decisions, ["dropped", "error"]);
});

Deno.test("TailSampler: what waits too long is decided as at the entry, and its job with it: no orphan", () => {
  const tailed = new Tailed();
  const ids = tailed.accept();
  tailed.nowMs += 60_001;
  tailed.tail.sweep();
  tailed.run(ids, "trapped");
  assert.deepEqual([tailed.decisions, tailed.exported], [["expired"], []]);
});

Deno.test("TailSampler.close() keeps what has failed so far", () => {
  const tailed = new Tailed();
  const root = tailed.tracer.startSpan("http.invoke_function", CALL, { parent: null });
  tailed.tracer.startSpan("wasi_cuda.sync", { instance: "i" }, { parent: root.ids }).fail("broken").end();
  tailed.accept();
  tailed.tail.close();
  assert.deepEqual(tailed.decisions, ["error", "dropped"]);
  root.end();
  assert.equal(tailed.exported.length, 2);
});

Deno.test("TailSampler that is off follows the entry", () => {
  const tailed = new Tailed({ isEnabled: false });
  tailed.call(500);
  assert.deepEqual([tailed.exported, tailed.decisions, tailed.tail.spanCount], [[], ["dropped"], 0]);
});

interface Step {
  readonly request: number;
  readonly what: "start" | "child" | "fail" | "end";
}

Deno.test("TailSampler: in any order of things its bounds hold, what is kept is whole, and errors are kept", () => {
  const step = fc.record({
    request: fc.nat(30),
    what: fc.constantFrom<Step["what"]>("start", "child", "child", "fail", "end"),
  });
  fc.assert(fc.property(
    fc.array(step, { maxLength: 400 }),
    fc.integer({ min: 3, max: 60 }),
    (steps, spansMax) => {
      const tailed = new Tailed({ spansMax });
      const open = new Map<number, ReturnType<RecordingTracer["startSpan"]>>();
      const ended = new Map<string, { count: number; isError: boolean }>();
      for (const { request, what } of steps) {
        const root = open.get(request);
        if (root === undefined) {
          if (what !== "start") continue;
          const made = tailed.tracer.startSpan("http.invoke_function", CALL, { parent: null });
          open.set(request, made as never);
          ended.set(made.ids?.traceId ?? "", { count: 0, isError: false });
          continue;
        }
        const of = ended.get(root.ids?.traceId ?? "");
        assert.ok(of !== undefined);
        if (what === "end") {
          root.end();
          of.count += 1;
          open.delete(request);
        } else {
          const child = tailed.tracer.startSpan("wasi_cuda.sync", { instance: "i" }, { parent: root.ids });
          if (what === "fail") child.fail("x");
          child.end();
          of.count += 1;
          of.isError ||= what === "fail";
        }
        assert.ok(tailed.tail.spanCount <= spansMax, `holds ${tailed.tail.spanCount} of ${spansMax}`);
      }
      for (const root of open.values()) {
        root.end();
        const of = ended.get(root.ids?.traceId ?? "");
        if (of !== undefined) of.count += 1;
      }
      const exported = new Map<string, Set<string>>();
      for (const { ids } of tailed.exported) {
        const spans = exported.get(ids.traceId) ?? new Set();
        assert.ok(!spans.has(ids.spanId), "once");
        exported.set(ids.traceId, spans.add(ids.spanId));
      }
      const overflowed = tailed.decisions.filter((decision) => decision === "overflow").length;
      let lost = 0;
      for (const [traceId, { count, isError }] of ended) {
        const kept = exported.get(traceId)?.size ?? 0;
        assert.ok(kept === 0 || kept === count, `${kept} of ${count} spans`);
        if (kept > 0) assert.ok(isError);
        if (kept === 0 && isError) lost += 1;
      }
      assert.ok(lost <= overflowed, `${lost} errors lost, ${overflowed} let go`);
      assert.equal(tailed.decisions.length, ended.size, "each decided once");
      assert.equal(tailed.tail.spanCount, 0);
    },
  ));
});

Deno.test("startTelemetry(): at ratio 0 errors arrive, and the metric says why; always_off is followed", async () => {
  for (const type of ["parentbased_traceidratio", "always_off"] as const) {
    await using test = new TestTelemetry({ tracing: { sampler: { type, ratio: 0 } } });
    const { tracer } = test.telemetry;
    tracer.startSpan("cli ", { command: "fine" }, { parent: null }).end();
    tracer.startSpan("cli ", { command: "broken" }, { parent: null }).fail("x").end();
    const isOff = type === "always_off";
    assert.deepEqual((await test.spans()).map(({ name }) => name), isOff ? [] : ["cli broken"]);
    const name = "tensor_wasm_traces_sampled_total";
    assert.equal(await test.metric(name, '{decision="error"}'), isOff ? 0 : 1);
    assert.equal(await test.metric(name, '{decision="dropped"}'), isOff ? 2 : 1);
  }
});
