/**
 * span_cost: what a span, a log line and a metric cost, ours beside the SDK's, and the export of them all.
 *
 * Prints nanoseconds per operation, the best of five rounds. Run: `deno run -A tests/bench/span_cost.ts`. The
 * numbers of docs/decisions/0004-light-span-records.md come from here.
 */
import process from "node:process";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { BasicTracerProvider, BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { SpanEncoder } from "../../telemetry/export/otlp_spans.ts";
import {
  DEFAULT_TELEMETRY_CONFIG,
  startTelemetry,
  type Telemetry,
  type TelemetryConfig,
} from "../../telemetry/mod.ts";
import type { SpanRecord } from "../../telemetry/trace/span_record.ts";

const ROUNDS = 5;
const FUNCTION_ID = "0d9f8f34-7c1e-4b7a-9a52-0123456789ab";
const utf8 = new TextEncoder();

function print(name: string, nanos: number): void {
  Deno.stdout.writeSync(utf8.encode(`${name.padEnd(58)}${nanos.toFixed(0).padStart(7)} ns\n`));
}

function measure(name: string, count: number, operation: (index: number) => void, per = 1): void {
  for (let index = 0; index < count / 2; index++) operation(index);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, timeOnce(count, operation));
  print(name, best / count / per * 1e6);
}

/** As measure, for what fills a queue: it is emptied between the rounds, outside of the time. */
async function measureQueued(
  name: string,
  operation: (index: number) => void,
  empty: () => Promise<unknown>,
): Promise<void> {
  const count = 50_000;
  let best = Infinity;
  for (let round = -2; round < ROUNDS; round++) {
    const took = timeOnce(count, operation);
    if (round >= 0) best = Math.min(best, took);
    await empty();
  }
  print(name, best / count * 1e6);
}

function timeOnce(count: number, operation: (index: number) => void): number {
  const startMs = performance.now();
  for (let index = 0; index < count; index++) operation(index);
  return performance.now() - startMs;
}

function configOf(tracing: Partial<TelemetryConfig["tracing"]>): TelemetryConfig {
  const base = DEFAULT_TELEMETRY_CONFIG;
  return { ...base, tracing: { ...base.tracing, ...tracing } };
}

/** The SDK: a span with the attributes of `invoke.run`, made, ended and batched; then serialized. */
async function benchSdk(): Promise<void> {
  const kept: ReadableSpan[] = [];
  const exporter = {
    export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
      if (kept.length < 512) kept.push(...spans);
      done({ code: 0 });
    },
    shutdown: (): Promise<void> => Promise.resolve(),
  };
  const processor = new BatchSpanProcessor(exporter, { maxQueueSize: 65_536 });
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer("tensor-wasm-api");
  const parent = trace.setSpan(ROOT_CONTEXT, tracer.startSpan("http.invoke_function"));
  const make = (index: number): void => {
    const attributes = {
      target: "tensor-wasm-api",
      tenant: "default",
      function_id: FUNCTION_ID,
      wasm_bytes_len: index,
    };
    tracer.startSpan("invoke.run", { attributes }, parent).end();
  };
  await measureQueued("SDK: span made and ended", make, () => provider.forceFlush());
  const batch = kept.slice(0, 512);
  measure("SDK: span serialized", 200, () => ProtobufTraceSerializer.serializeRequest(batch), batch.length);
  await provider.shutdown();
}

/** Ours, the same span. */
async function benchOurs(): Promise<void> {
  const kept: SpanRecord[] = [];
  const sender = {
    send(spans: readonly SpanRecord[]): Promise<{ acceptedCount: number }> {
      if (kept.length < 512) kept.push(...spans);
      return Promise.resolve({ acceptedCount: spans.length });
    },
    close(): void {},
  };
  const telemetry = startTelemetry(configOf({}), { write: () => {}, sender });
  const { tracer } = telemetry;
  const parent = tracer.startSpan("http.invoke_function", { function_id: FUNCTION_ID, tenant: "default" });
  const make = (index: number): void => {
    const attributes = { tenant: "default", function_id: FUNCTION_ID, wasm_bytes_len: index };
    tracer.startSpan("invoke.run", attributes, { parent: parent.ids }).end();
  };
  const join = (index: number): void => {
    const ids = tracer.allotIds(parent.ids);
    const attributes = { tenant: "default", function_id: FUNCTION_ID, wasm_bytes_len: index };
    tracer.recordSpan({
      name: "invoke.run",
      ids,
      parentSpanId: parent.ids?.spanId,
      startMs: 1,
      endMs: 2,
      attributes,
    });
  };
  await measureQueued("ours: span made and ended", make, () => telemetry.flush(10_000));
  await measureQueued("ours: joined span recorded", join, () => telemetry.flush(10_000));
  const batch = kept.slice(0, 512);
  const resource = batch[0]?.resource;
  if (resource === undefined) throw new Error("No span was kept");
  const encoder = new SpanEncoder(resource);
  measure("ours: span serialized", 1000, () => {
    for (const span of batch) encoder.add(span);
    encoder.take();
  }, batch.length);
  measure(
    "ours: span serialized by the SDK",
    200,
    () => ProtobufTraceSerializer.serializeRequest(batch),
    batch.length,
  );
  let ran = 0;
  measure("ours: withSpan", 200_000, () => tracer.withSpan(parent, () => ran++));
  measure("API: context.with(trace.setSpan)", 200_000, () => {
    context.with(trace.setSpan(context.active(), parent as SpanRecord), () => ran++);
  });
  benchLog(telemetry);
  await telemetry[Symbol.asyncDispose]();
}

function benchLog(telemetry: Telemetry): void {
  const log = telemetry.log("tower-http");
  const { tracer } = telemetry;
  const span = tracer.startSpan("http.request", {
    method: "POST",
    uri: "/",
    version: "HTTP/1.1",
    traceparent: "unknown",
  });
  tracer.withSpan(span, () => {
    measure("log line, 4 fields, ids from the active span", 100_000, (index) => {
      log.info("request.completed", {
        method: "POST",
        route: "/functions/{id}/invoke",
        status: 200,
        duration_ms: index,
      });
    });
    measure("log line filtered out", 1_000_000, (index) => log.debug("request.completed", { index }));
  });
}

async function benchMetrics(telemetry: Telemetry): Promise<void> {
  const labels = { route: "/functions/{id}/invoke", method: "POST", status: "200" };
  const { metrics } = telemetry;
  const counter = metrics.counter("tensor_wasm_http_requests_total", labels);
  const histogram = metrics.histogram("tensor_wasm_http_request_duration_seconds", labels);
  measure("ours: counter child", 1_000_000, () => counter.inc());
  measure("ours: histogram child", 1_000_000, (index) => histogram.observe((index & 15) / 1000));
  const ids = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
  measure(
    "ours: histogram child, exemplar",
    1_000_000,
    (index) => histogram.observe((index & 15) / 1000, ids, index),
  );
  measure(
    "ours: child by labels",
    1_000_000,
    () => metrics.counter("tensor_wasm_http_requests_total", labels).inc(),
  );
  await telemetry[Symbol.asyncDispose]();
}

/** A receiver in a process of its own that reads and forgets, so that only the sender's work is measured. */
async function startSink(): Promise<{ readonly url: string; readonly child: Deno.ChildProcess }> {
  const code = `Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: (a) => console.log(a.port) },
    async (r) => { await r.arrayBuffer(); return new Response(); });`;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", code], stdout: "piped" }).spawn();
  for await (const chunk of child.stdout) {
    return { url: `http://127.0.0.1:${new TextDecoder().decode(chunk).trim()}/v1/traces`, child };
  }
  throw new Error("The sink did not start");
}

/** Busy time of this thread per span, from the making of it to the collector's answer. */
async function benchExport(url: string): Promise<void> {
  const rounds = 40;
  const spansPerRound = 5120;
  for (const batchCountMax of [512, 2048]) {
    const otlp = { url, headers: {}, timeoutMs: 10_000, compression: "none" } as const;
    const batch = { queueCountMax: 65_536, batchCountMax, delayMs: 1000 };
    const telemetry = startTelemetry(configOf({ exporter: "otlp", otlp, batch }), { write: () => {} });
    const { tracer } = telemetry;
    const parent = tracer.startSpan("http.invoke_function", { function_id: FUNCTION_ID, tenant: "default" });
    const make = (index: number): void => {
      const attributes = { tenant: "default", function_id: FUNCTION_ID, wasm_bytes_len: index };
      tracer.startSpan("invoke.run", attributes, { parent: parent.ids }).end();
    };
    const nanos = await busyNanos(rounds, spansPerRound, make, () => telemetry.flush(10_000));
    print(`ours: span made, ended, exported, batches of ${batchCountMax}`, nanos);
    await telemetry[Symbol.asyncDispose]();
  }
  const exporter = new OTLPTraceExporter({ url });
  const processor = new BatchSpanProcessor(exporter, { maxQueueSize: 65_536, maxExportBatchSize: 512 });
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer("tensor-wasm-api");
  const parent = trace.setSpan(ROOT_CONTEXT, tracer.startSpan("http.invoke_function"));
  const make = (index: number): void => {
    const attributes = {
      target: "tensor-wasm-api",
      tenant: "default",
      function_id: FUNCTION_ID,
      wasm_bytes_len: index,
    };
    tracer.startSpan("invoke.run", { attributes }, parent).end();
  };
  print(
    "SDK: span made, ended, exported, batches of 512",
    await busyNanos(rounds, spansPerRound, make, () => provider.forceFlush()),
  );
  await provider.shutdown();
}

/** CPU time of the process rather than wall time: a round trip is no cost to the thread that waits for it. */
async function busyNanos(
  rounds: number,
  perRound: number,
  make: (index: number) => void,
  flush: () => Promise<unknown>,
): Promise<number> {
  let startMicros = 0;
  for (let round = -5; round < rounds; round++) {
    if (round === 0) startMicros = cpuMicros();
    for (let index = 0; index < perRound; index++) make(index);
    await flush();
  }
  return (cpuMicros() - startMicros) * 1000 / (rounds * perRound);
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

await benchSdk();
await benchOurs();
await benchMetrics(startTelemetry(configOf({}), { write: () => {} }));
const sink = await startSink();
await benchExport(sink.url);
sink.child.kill();
await sink.child.status;
