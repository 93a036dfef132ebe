import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { PooledIdGenerator } from "../../../telemetry/trace/ids.ts";
import { type LocalTrace, SpanFanOut, type SpanSink } from "../../../telemetry/trace/local_trace.ts";
import { makeSampler, type SamplerType } from "../../../telemetry/trace/sampling.ts";
import type { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { RecordingTracer } from "../../../telemetry/trace/tracer.ts";

const CALL = { function_id: "f", tenant: "7" };
const RUN = { ...CALL, wasm_bytes_len: 1 };

/** A sink that writes down what it is told. */
class Diary implements SpanSink {
  readonly entries: string[] = [];
  readonly locals = new Set<LocalTrace>();

  started(span: SpanRecord): void {
    this.entries.push(`+${span.name}`);
  }

  ended(span: SpanRecord, local: LocalTrace): void {
    this.entries.push(`-${span.name}`);
    this.locals.add(local);
  }

  closed(): void {
    this.entries.push("closed");
  }
}

function aTracer(sinks: readonly SpanSink[], type: SamplerType = "always_on"): RecordingTracer {
  return new RecordingTracer({
    resource: resourceFromAttributes({}),
    sampler: makeSampler({ type, ratio: 1 }),
    ids: new PooledIdGenerator(),
    nowMs: () => 1,
    fanOut: new SpanFanOut(sinks),
  });
}

Deno.test("SpanFanOut hands each span to every sink once, and says when nothing is open", () => {
  const sinks = [new Diary(), new Diary()];
  const tracer = aTracer(sinks);
  const root = tracer.startSpan("http.invoke_function", CALL, { parent: null });
  const run = tracer.startSpan("invoke.run", RUN, { parent: root.ids });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::terminate",
    ids: tracer.allotIds(run.ids),
    parentSpanId: run.ids?.spanId,
    startMs: 1,
    endMs: 2,
    attributes: { instance: 1 },
  });
  run.end();
  run.end();
  root.end();
  for (const { entries, locals } of sinks) {
    assert.deepEqual(entries, [
      "+http.invoke_function",
      "+invoke.run",
      "-tensor_wasm_exec::executor::terminate",
      "-invoke.run",
      "-http.invoke_function",
      "closed",
    ]);
    assert.equal(locals.size, 1);
  }
});

Deno.test("SpanFanOut: a span that comes after the root has ended is of the same part of the trace", () => {
  const diary = new Diary();
  const tracer = aTracer([diary]);
  const root = tracer.startSpan("http.invoke_function_async", CALL, { parent: null });
  root.end();
  tracer.startSpan("async_invoke.job", { ...CALL, job_id: "j" }, { parent: root.ids }).end();
  assert.deepEqual(diary.entries.filter((entry) => entry === "closed").length, 2);
  assert.equal(diary.locals.size, 1);
});

Deno.test("SpanFanOut: callers' spans begin parts of their own, also within one trace", () => {
  const diary = new Diary();
  const tracer = aTracer([diary]);
  const parent = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 0, isRemote: true };
  tracer.startSpan("http.invoke_function", CALL, { parent }).end();
  tracer.startSpan("http.invoke_function", CALL, { parent }).end();
  assert.equal(diary.locals.size, 2);
});

Deno.test("SpanFanOut: a span of ids that were put together by hand is handed over like any other", () => {
  const diary = new Diary();
  const tracer = aTracer([diary]);
  const ids = { traceId: "a".repeat(32), spanId: "c".repeat(16), traceFlags: 1 };
  const attributes = { instance: 1 };
  tracer.recordSpan({
    name: "wasi_cuda.sync",
    ids,
    parentSpanId: undefined,
    startMs: 1,
    endMs: 2,
    attributes,
  });
  assert.deepEqual(diary.entries, ["-wasi_cuda.sync", "closed"]);
});

Deno.test("SpanFanOut: the flag of traceparent says what was decided at the entry", () => {
  const tracer = aTracer([], "always_off");
  const headers = new Headers();
  tracer.inject(headers, tracer.startSpan("http.invoke_function", CALL, { parent: null }).ids);
  assert.match(headers.get("traceparent") ?? "", /-00$/);
});
