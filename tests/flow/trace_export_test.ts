/**
 * Where traces go, and what becomes of them when nobody takes them: requests never feel it, losses are counted, and
 * keys stay secret.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector, type CollectorMode } from "../support/collector.ts";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { buildSpanTree, countSpans } from "../support/span_tree.ts";
import { runProgram, until } from "../system/program.ts";
import { assertProblem, assertTraceId } from "./problem.ts";

const CALL_SPANS_COUNT = 6;
const SOON = { OTEL_BSP_SCHEDULE_DELAY: "20" };
/** Short, so that what cannot be delivered is given up soon. A pause before another attempt ends it, not an attempt. */
const IMPATIENT = { ...SOON, OTEL_EXPORTER_OTLP_TIMEOUT: "870" };

async function start(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await TestGateway.start({ env, flags: ["--cells-min", "1", "--cells-max", "1"] });
  await gateway.deploy("add");
  return gateway;
}

/** Makes a call that succeeds; returns its trace id. */
async function add(gateway: TestGateway): Promise<string> {
  const response = await gateway.invoke("add", { export: "add", args: [20, 22] });
  assert.deepEqual((await response.json()).result, [42]);
  return assertTraceId(response);
}

async function metric(gateway: TestGateway, series: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? "0");
}

async function assertEndsWell(gateway: TestGateway): Promise<void> {
  gateway.signal("SIGTERM");
  assert.equal((await gateway.status).code, 0);
  assert.equal(await gateway.stderr, "");
}

async function assertDropsAreCounted(gateway: TestGateway, reason: RegExp): Promise<void> {
  for (let call = 0; call < 10; call++) await add(gateway);
  await until("spans are dropped", async () => await metric(gateway, "tensor_wasm_spans_dropped_total") > 0);
  const line = await gateway.line((line) => line.message === "telemetry.spans_dropped");
  assert.match(String(line["reason"]), reason);
  assert.ok(Number(line["count"]) > 0);
  assert.equal(await metric(gateway, "tensor_wasm_spans_exported_total"), 0);
  await assertEndsWell(gateway);
  // At most once a minute, and once for what is left at the end.
  assert.ok(gateway.lines.filter((line) => line.message === "telemetry.spans_dropped").length <= 2);
}

Deno.test("a collector that is not there is felt by no request, and drops are counted", async () => {
  const collector = new Collector();
  const { endpoint } = collector;
  await collector[Symbol.asyncDispose]();
  await using gateway = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...IMPATIENT });
  await assertDropsAreCounted(gateway, /not reachable/);
});

/** One that refuses and one that does not answer; every status is tests/telemetry/export/otlp_sender_test.ts's. */
const FAILURES: readonly (readonly [
  what: string,
  mode: CollectorMode,
  env: Record<string, string>,
  reason: RegExp,
])[] = [
  [
    "answers 429 with a long Retry-After",
    { type: "refuse", status: 429, retryAfter: "3600" },
    SOON,
    /answered 429/,
  ],
  ["never answers", { type: "hang" }, IMPATIENT, /did not answer in time/],
];
for (const [what, mode, env, reason] of FAILURES) {
  Deno.test(`a collector that ${what} is felt by no request, and drops are counted`, async () => {
    await using collector = new Collector();
    collector.mode = mode;
    await using gateway = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env });
    await assertDropsAreCounted(gateway, reason);
  });
}

Deno.test("a collector that is busy for a moment gets every span after all", async () => {
  await using collector = new Collector();
  collector.mode = { type: "refuse_first", count: 2, status: 503 };
  await using gateway = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  const traceId = await add(gateway);
  assert.equal(countSpans(buildSpanTree(await awaitTrace(collector, traceId))), CALL_SPANS_COUNT);
  await assertEndsWell(gateway);
  assert.deepEqual(gateway.lines.filter((line) => line.message === "telemetry.spans_dropped"), []);
});

Deno.test("what was exported is what the collector took, and metrics say so", async () => {
  await using collector = new Collector();
  await using gateway = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  for (let call = 0; call < 20; call++) await add(gateway);
  // A deploy has two spans; each scrape makes one more, which is not there yet when it is read.
  await until(
    "everything is exported",
    async () => await metric(gateway, "tensor_wasm_spans_exported_total") >= 20 * CALL_SPANS_COUNT + 2,
  );
  await assertEndsWell(gateway);
  const names = collector.spans.map((span) => span.name);
  assert.equal(names.filter((name) => name === "invoke.run").length, 20);
  assert.equal(new Set(collector.spans.map((span) => span.spanId)).size, names.length);
});

Deno.test("with tracing off there are no ids anywhere, and everything else works", async () => {
  await using collector = new Collector();
  await using gateway = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    TENSOR_WASM_TRACING: "off",
  });
  const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, headers);
  assert.deepEqual((await response.json()).result, [3]);
  assert.deepEqual([response.headers.has("x-trace-id"), response.headers.has("traceresponse")], [
    false,
    false,
  ]);
  const failed = await gateway.invoke("nobody");
  const { error } = await failed.json();
  assert.deepEqual([failed.status, Object.keys(error)], [404, ["kind", "message"]]);
  await gateway.line((line) => line.message === "request.completed" && line["status"] === 404);
  assert.equal(await metric(gateway, 'tensor_wasm_log_lines_total{has_trace="true"}'), 0);
  await assertEndsWell(gateway);
  for (const field of ["trace_id", "span_id", "trace_flags"]) {
    assert.deepEqual(gateway.lines.filter((line) => field in line), []);
  }
  assert.deepEqual(collector.requests.filter(({ path }) => path === "/v1/traces"), []);
  assert.deepEqual(collector.logs.filter(({ traceId }) => traceId !== ""), []);
});

Deno.test("without an exporter there are ids in headers, bodies and log lines", async () => {
  await using gateway = await start({});
  const traceId = await add(gateway);
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
  await assertProblem(await gateway.invoke("nobody"), { status: 404, kind: "not_found" });
  assert.equal(await metric(gateway, "tensor_wasm_spans_dropped_total"), 0);
  await assertEndsWell(gateway);
});

Deno.test("the exporter stdout prints each span as one JSON line", async () => {
  await using gateway = await start({ TENSOR_WASM_TRACE_EXPORTER: "stdout", OTEL_BSP_SCHEDULE_DELAY: "20" });
  const traceId = await add(gateway);
  const isRoot = (line: LogLine): boolean => line.trace_id === traceId && line["span"] === "http.request";
  const root = await gateway.line(isRoot);
  const spans = gateway.lines.filter((line) => line.trace_id === traceId && "span" in line);
  assert.equal(spans.length, CALL_SPANS_COUNT);
  assert.equal(root["parent_span_id"], undefined);
  const ids = new Set(spans.map((line) => line["span_id"]));
  for (const line of spans) assert.ok(line === root || ids.has(line["parent_span_id"]));
  assert.deepEqual(gateway.strayLines, []);
});

const KEY = "hcaik_01abcdefghijklmnopqrstuvwxyz";

/** What Honeycomb's endpoint wants of each signal: path, protobuf, the team's key, and a dataset for metrics. */
function assertHoneycombShape(collector: Collector): void {
  const signals = ["traces", "logs", "metrics"];
  for (const signal of signals) {
    const request = collector.requests.find(({ path }) => path === `/v1/${signal}`);
    assert.ok(request !== undefined, `no request for ${signal}`);
    const headers = ["content-type", "x-honeycomb-team", "x-honeycomb-dataset"].map((name) =>
      request.headers.get(name)
    );
    assert.deepEqual(headers, ["application/x-protobuf", KEY, signal === "metrics" ? "gateway" : "tests"]);
    const [record] = [...request.spans, ...request.logs, ...request.metrics];
    assert.equal(record?.resource["service.name"], "checkout");
    assert.equal(record?.resource["deployment.environment.name"], "test");
  }
  assert.deepEqual(new Set(collector.requests.map(({ path }) => path.slice(4))), new Set(signals));
}

/** Ways to hand over the key. */
const KEY_SOURCES = ["variable", "file"] as const;
for (const source of KEY_SOURCES) {
  for (
    const [what, mode] of [["takes", { type: "accept" }], ["refuses", {
      type: "refuse",
      status: 401,
    }]] as const
  ) {
    Deno.test(`Honeycomb's wire shape, the key from a ${source}: it is in no output when it ${what} what comes`, async () => {
      await using collector = new Collector();
      collector.mode = mode;
      const folder = await Deno.makeTempDir();
      await using cleanup = new AsyncDisposableStack();
      cleanup.defer(() => Deno.remove(folder, { recursive: true }));
      await Deno.writeTextFile(`${folder}/headers`, `x-honeycomb-team=${KEY}\n`);
      const key = source === "file" ? "" : `x-honeycomb-team=${KEY},`;
      await using gateway = await start({
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: `${key}x-honeycomb-dataset=tests`,
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: "x-honeycomb-dataset=gateway",
        ...(source === "file" ? { TENSOR_WASM_OTLP_HEADERS_FILE: `${folder}/headers` } : {}),
        OTEL_SERVICE_NAME: "checkout",
        OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
        OTEL_BSP_SCHEDULE_DELAY: "20",
        OTEL_BLRP_SCHEDULE_DELAY: "20",
        OTEL_METRIC_EXPORT_INTERVAL: "50",
        TENSOR_WASM_LOG: "trace",
      });
      await add(gateway);
      const paths = new Set(["/v1/traces", "/v1/logs", "/v1/metrics"]);
      await until(
        "all signals arrive",
        () => paths.isSubsetOf(new Set(collector.requests.map(({ path }) => path))),
      );
      assertHoneycombShape(collector);
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
      await assertEndsWell(gateway);
      const output = JSON.stringify(gateway.lines) + gateway.strayLines.join("\n") + metrics;
      assert.ok(!output.includes(KEY));
      assert.ok(gateway.lines.every((line) => line["service"] === "checkout"));
      const sent = JSON.stringify(collector.requests.flatMap(({ spans, logs }) => [spans, logs]), bigints);
      assert.ok(!sent.includes(KEY));
    });
  }
}

function bigints(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

Deno.test("every log line that was written is a record at the collector, with its ids and fields", async () => {
  await using collector = new Collector();
  await using gateway = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
  const traceId = await add(gateway);
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
  await assertEndsWell(gateway);
  const ofTrace = collector.logs.filter((log) => log.traceId === traceId);
  const lines = gateway.lines.filter((line) => line.trace_id === traceId);
  assert.deepEqual(
    ofTrace.map(({ body }) => body).toSorted(),
    lines.map(({ message }) => message).toSorted(),
  );
  const completed = ofTrace.find(({ body }) => body === "request.completed");
  const line = lines.find(({ message }) => message === "request.completed");
  assert.deepEqual([completed?.scope, completed?.severityText, completed?.spanId], [
    line?.["target"],
    line?.["level"],
    line?.["span_id"],
  ]);
  for (const [name, value] of Object.entries(completed?.attributes ?? {})) {
    assert.deepEqual(value, line?.[name]);
  }
  assert.equal(completed?.attributes["status"], 200);
});

Deno.test("what a metric says at the collector is what GET /metrics says", async () => {
  await using collector = new Collector();
  await using gateway = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_TRACES_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
  });
  for (let call = 0; call < 5; call++) await add(gateway);
  const spawns = await metric(gateway, "tensor_wasm_instance_spawns_total");
  assert.ok(spawns >= 5);
  // The last export is at the end.
  await assertEndsWell(gateway);
  const [exported] = collector.metrics.filter(({ name }) => name === "tensor_wasm_instance_spawns_total");
  assert.deepEqual([exported?.type, exported?.points[0]?.value], ["sum", spawns]);
  assert.deepEqual(new Set(collector.requests.map(({ path }) => path)), new Set(["/v1/metrics"]));
});

Deno.test("a bad header variable is refused without being repeated", async () => {
  const run = await runProgram(["serve"], { OTEL_EXPORTER_OTLP_HEADERS: `x-honeycomb-team ${KEY}` });
  assert.deepEqual([run.code, run.stdout], [2, ""]);
  assert.match(run.stderr, /OTEL_EXPORTER_OTLP_HEADERS/);
  assert.ok(!run.stderr.includes(KEY));
});

Deno.test("our own endpoint variable wins, and takes a host and port", async () => {
  await using collector = new Collector();
  await using other = new Collector();
  await using gateway = await start({
    TENSOR_WASM_OTLP_ENDPOINT: new URL(collector.endpoint).host,
    OTEL_EXPORTER_OTLP_ENDPOINT: other.endpoint,
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  await awaitTrace(collector, await add(gateway));
  assert.equal(collector.requests[0]?.headers.get("content-encoding"), "gzip");
  assert.deepEqual(other.requests, []);
});

Deno.test("the ratio sampler keeps about as many traces as it says, each of them whole", async () => {
  await using collector = new Collector();
  await using gateway = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
  });
  const traceIds = [];
  for (let call = 0; call < 200; call++) traceIds.push(await add(gateway));
  await assertEndsWell(gateway);
  const kept = traceIds.filter((traceId) => collector.trace(traceId).length > 0);
  // 50 are expected; outside of these bounds is less likely than one in a million.
  assert.ok(kept.length > 20 && kept.length < 85, `kept ${kept.length} of 200`);
  for (const traceId of kept) {
    assert.equal(countSpans(buildSpanTree(collector.trace(traceId))), CALL_SPANS_COUNT);
  }
});
