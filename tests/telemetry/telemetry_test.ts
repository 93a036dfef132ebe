import assert from "node:assert/strict";
import { type SendResult, startTelemetry, TelemetryStartError } from "../../telemetry/mod.ts";
import { Collector } from "../support/collector.ts";
import { aTelemetryConfig, TestTelemetry, type TestTelemetryOptions } from "../support/telemetry.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;

function otlpTo(url: string, more: TestTelemetryOptions["tracing"] = {}): TestTelemetryOptions {
  const otlp = { url, headers: {}, timeoutMs: 10_000, compression: "none" } as const;
  return { tracing: { exporter: "otlp", otlp, ...more }, sender: null };
}

function endSpans(test: TestTelemetry, count: number): void {
  for (let index = 0; index < count; index++) test.telemetry.tracer.startSpan("cli ", { command: "x" }).end();
}

Deno.test("startTelemetry() can be started again after it was disposed", NO_LEAKS, async () => {
  for (let round = 0; round < 3; round++) {
    await using test = new TestTelemetry();
    test.telemetry.log("t").info("event");
    assert.equal(test.lines.length, 1);
  }
});

Deno.test(
  "startTelemetry() refuses a second one, with tracing on and off, and the first goes on",
  NO_LEAKS,
  async () => {
    await using test = new TestTelemetry();
    for (const enabled of [true, false]) {
      const config = aTelemetryConfig({ tracing: { enabled } });
      assert.throws(() => startTelemetry(config, { write: () => {} }), TelemetryStartError);
    }
    using span = test.telemetry.tracer.startSpan("cli ", { command: "x" });
    test.telemetry.tracer.withSpan(span, () => test.telemetry.log("t").info("event"));
    assert.equal(test.lines[0]?.["trace_id"], span.ids?.traceId);
  },
);

Deno.test("startTelemetry() logs what the configuration could not follow", async () => {
  await using test = new TestTelemetry({
    config: { warnings: ["OTEL_X is set and not supported, ignored"] },
  });
  assert.equal(test.lines[0]?.["message"], "telemetry.config_ignored");
  assert.equal(test.lines[0]?.["warning"], "OTEL_X is set and not supported, ignored");
});

Deno.test("startTelemetry() tells its build", async () => {
  await using test = new TestTelemetry({
    config: { serviceVersion: "1.2.3", serviceRevision: "a".repeat(40) },
  });
  const { version: { deno, v8 }, build: { target } } = Deno;
  const build = `version="1.2.3",git_sha="${"a".repeat(40)}"`;
  const labels = `{${build},deno_version="${deno}",v8_version="${v8}",target="${target}"}`;
  assert.equal(await test.metric("tensor_wasm_build_info", labels), 1);
});

Deno.test(
  "telemetry: the resource has the version that whoever runs it gives, else that of the build",
  NO_LEAKS,
  async () => {
    for (const [resource, version] of [[{ "service.version": "image-7" }, "image-7"], [{}, "9"]] as const) {
      await using collector = new Collector();
      await using test = new TestTelemetry({
        ...otlpTo(collector.url),
        config: { serviceVersion: "9", resource },
      });
      endSpans(test, 1);
      assert.equal(await test.telemetry.flush(5000), true);
      assert.equal(collector.spans[0]?.resource["service.version"], version);
    }
  },
);

Deno.test("telemetry: spans arrive at a collector with resource and counts", NO_LEAKS, async () => {
  await using collector = new Collector();
  const options = otlpTo(collector.url);
  await using test = new TestTelemetry({
    ...options,
    config: { serviceName: "svc", serviceVersion: "9", resource: { "deployment.environment": "test" } },
  });
  endSpans(test, 3000);
  assert.equal(await test.telemetry.flush(60_000), true);
  assert.equal(collector.spans.length, 3000);
  // Both are on the wire at once, so that the smaller may arrive first.
  const sizes = collector.requests.map(({ spans }) => spans.length).sort((a, b) => a - b);
  assert.deepEqual(sizes, [952, 2048]);
  assert.equal(await test.metric("tensor_wasm_spans_exported_total"), 3000);
  assert.equal(await test.metric("tensor_wasm_spans_dropped_total"), 0);
  const resource = collector.spans[0]?.resource ?? {};
  assert.equal(resource["service.name"], "svc");
  assert.equal(resource["service.version"], "9");
  assert.equal(resource["deployment.environment"], "test");
  assert.equal(resource["process.runtime.name"], "deno");
});

Deno.test("telemetry.flush() gives up on a hanging collector after its timeout", NO_LEAKS, async () => {
  await using collector = new Collector();
  collector.mode = { type: "hang" };
  await using test = new TestTelemetry({ ...otlpTo(collector.url), closeTimeoutMs: 0 });
  endSpans(test, 10);
  assert.equal(await test.telemetry.flush(30), false);
});

Deno.test("telemetry: disposing counts what a hanging collector did not take", NO_LEAKS, async () => {
  await using collector = new Collector();
  collector.mode = { type: "hang" };
  const batch = { queueCountMax: 100, batchCountMax: 10, delayMs: 1000 };
  const test = new TestTelemetry({ ...otlpTo(collector.url, { batch }), closeTimeoutMs: 20 });
  // Four batches are on the wire and three wait.
  endSpans(test, 70);
  await test[Symbol.asyncDispose]();
  assert.equal(await test.metric("tensor_wasm_spans_dropped_total"), 70);
  assert.equal(await test.metric("tensor_wasm_spans_exported_total"), 0);
  const told = test.lines.filter((line) => line["message"] === "telemetry.spans_dropped");
  assert.equal(told.reduce((sum, line) => sum + Number(line["count"]), 0), 70);
});

Deno.test("telemetry: disposing waits for a slow collector", NO_LEAKS, async () => {
  await using collector = new Collector();
  collector.mode = { type: "delay", delayMs: 30 };
  const test = new TestTelemetry(otlpTo(collector.url));
  endSpans(test, 10);
  await test[Symbol.asyncDispose]();
  assert.equal(await test.metric("tensor_wasm_spans_exported_total"), 10);
});

Deno.test(
  "telemetry: a collector that is down costs spans, one log line, and no time",
  NO_LEAKS,
  async () => {
    const collector = new Collector();
    const { url } = collector;
    await collector[Symbol.asyncDispose]();
    const otlp = { url, headers: {}, timeoutMs: 500, compression: "none" } as const;
    const batch = { queueCountMax: 100, batchCountMax: 10, delayMs: 1000 };
    await using test = new TestTelemetry({ tracing: { exporter: "otlp", otlp, batch }, sender: null });
    endSpans(test, 50);
    assert.equal(await test.telemetry.flush(60_000), true);
    assert.equal(await test.metric("tensor_wasm_spans_dropped_total"), 50);
    const told = test.lines.filter((line) => line["message"] === "telemetry.spans_dropped");
    assert.equal(told.length, 1);
    assert.equal(told[0]?.["reason"], "the collector is not reachable");
  },
);

Deno.test("telemetry: start-up does not need the collector", NO_LEAKS, async () => {
  await using test = new TestTelemetry(otlpTo("http://127.0.0.1:1/v1/traces"));
  assert.equal(test.telemetry.tracer.enabled, true);
});

Deno.test("telemetry: the exporter stdout prints one JSON span a line between the log lines", async () => {
  await using test = new TestTelemetry({ tracing: { exporter: "stdout" }, sender: null });
  const { tracer } = test.telemetry;
  using root = tracer.startSpan("http.invoke_function", { function_id: "f\n", tenant: "t" });
  const child = tracer.startSpan("wasi_cuda.sync", { instance: 1 }, { parent: root.ids ?? null });
  child.fail("no").end();
  root.end();
  test.telemetry.log("t").info("event");
  await test.telemetry.flush(1000);
  const [line, first, second] = test.lines.toSorted((a, b) =>
    String(a["span"] ?? "").length - String(b["span"] ?? "").length
  );
  assert.equal(line?.["message"], "event");
  assert.equal(first?.["span"], "wasi_cuda.sync");
  assert.equal(first?.["status"], "error");
  assert.equal(first?.["parent_span_id"], root.ids?.spanId);
  assert.deepEqual(second?.["attributes"], { target: "tensor-wasm-api", function_id: "f\n", tenant: "t" });
});

Deno.test("telemetry: ids are there with the exporter none", async () => {
  await using test = new TestTelemetry({ tracing: { exporter: "none" }, sender: null });
  using span = test.telemetry.tracer.startSpan("cli ", { command: "x" });
  assert.match(span.ids?.traceId ?? "", /^[0-9a-f]{32}$/);
  span.end();
  assert.equal(await test.telemetry.flush(100), true);
});

Deno.test(
  "telemetry: disposing twice is disposing once, and spans that end later are counted",
  NO_LEAKS,
  async () => {
    const test = new TestTelemetry();
    const span = test.telemetry.tracer.startSpan("cli ", { command: "x" });
    await Promise.all([test[Symbol.asyncDispose](), test[Symbol.asyncDispose]()]);
    span.end();
    assert.equal(await test.metric("tensor_wasm_spans_dropped_total"), 1);
  },
);

Deno.test("telemetry: a sender that throws costs spans and nothing else", async () => {
  const sender = {
    send: (): Promise<SendResult> => {
      throw new Error("bug");
    },
    close: (): void => {},
  };
  await using test = new TestTelemetry({ sender });
  endSpans(test, 3);
  assert.equal(await test.telemetry.flush(1000), true);
  assert.equal(await test.metric("tensor_wasm_spans_dropped_total"), 3);
});

Deno.test("telemetry: lines are counted by whether they have a trace", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const log = test.telemetry.log("t");
  using span = tracer.startSpan("cli ", { command: "x" });
  tracer.withSpan(span, () => log.info("in"));
  log.info("explicit", {}, span.ids);
  log.info("out");
  assert.equal(await test.metric("tensor_wasm_log_lines_total", '{has_trace="true"}'), 2);
  assert.equal(await test.metric("tensor_wasm_log_lines_total", '{has_trace="false"}'), 1);
});

/** Runs a program that may use the network and nothing else; `telemetry` is the public module. */
async function runBare(code: string): Promise<string> {
  const root = new URL("../../", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-lock", "--no-prompt", "--allow-net"],
      ...["--config", new URL("deno.json", root).pathname, "-"],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const source = `import * as telemetry from "${new URL("telemetry/mod.ts", root).href}";\n${code}`;
  await new Response(source).body?.pipeTo(child.stdin);
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("telemetry reads no environment: it starts, exports and ends with the network alone", async () => {
  await using collector = new Collector();
  const output = await runBare(`
    const base = telemetry.DEFAULT_TELEMETRY_CONFIG;
    const otlp = { ...base.tracing.otlp, url: ${JSON.stringify(collector.url)} };
    const config = { ...base, tracing: { ...base.tracing, exporter: "otlp", otlp } };
    const running = telemetry.startTelemetry(config, { write: (bytes) => Deno.stdout.writeSync(bytes) });
    running.tracer.startSpan("cli ", { command: "x" }).end();
    running.log("t").info("event");
    await running[Symbol.asyncDispose]();
  `);
  assert.match(output, /^\{"timestamp":[^\n]*"message":"event"[^\n]*\}\n$/);
  assert.deepEqual(collector.spans.map((span) => span.name), ["cli x"]);
});

Deno.test("telemetry: a process that ends by itself leaves no line behind", async () => {
  const output = await runBare(`
    const write = (bytes) => Deno.stdout.writeSync(bytes);
    const running = telemetry.startTelemetry(telemetry.DEFAULT_TELEMETRY_CONFIG, { write });
    for (let count = 0; count < 3; count++) running.log("t").info("event", { count });
  `);
  assert.equal(output.split("\n").length, 4);
});
