import assert from "node:assert/strict";
import { DEFAULT_TELEMETRY_CONFIG, type TelemetryConfig } from "../../../telemetry/mod.ts";
import { Collector } from "../../support/collector.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;

type Batch = TelemetryConfig["logExport"]["batch"];

function logsTo(
  collector: Collector,
  batch: Partial<Batch> = {},
  timeoutMs = 60_000,
): Partial<TelemetryConfig> {
  const { logExport } = DEFAULT_TELEMETRY_CONFIG;
  const url = `${collector.endpoint}/v1/logs`;
  return {
    logExport: {
      ...logExport,
      exporter: "otlp",
      otlp: { ...logExport.otlp, url, timeoutMs },
      batch: { ...logExport.batch, ...batch },
    },
  };
}

Deno.test(
  "exports: log events reach the collector redacted, with the ids of their span",
  NO_LEAKS,
  async () => {
    await using collector = new Collector();
    await using test = new TestTelemetry({ config: logsTo(collector) });
    const { tracer } = test.telemetry;
    using span = tracer.startSpan("cli ", { command: "x" });
    tracer.withSpan(
      span,
      () => test.telemetry.log("t").warn("event", { n: 1, deep: { password: "hush", ok: true } }),
    );
    test.telemetry.log("t").info("alone");
    assert.equal(await test.telemetry.flush(60_000), true);
    const [first, second] = collector.logs;
    assert.deepEqual([first?.body, first?.severityNumber, first?.attributes], ["event", 13, {
      n: 1,
      deep: { ok: true },
    }]);
    assert.deepEqual([first?.traceId, first?.spanId], [span.ids?.traceId, span.ids?.spanId]);
    assert.deepEqual([second?.body, second?.traceId], ["alone", ""]);
    assert.equal(await test.metric("tensor_wasm_log_records_exported_total"), 2);
  },
);

Deno.test("exports: what the filter keeps out of the log is not exported either", NO_LEAKS, async () => {
  await using collector = new Collector();
  await using test = new TestTelemetry({ config: logsTo(collector), log: { filter: "warn" } });
  test.telemetry.log("t").info("quiet");
  test.telemetry.log("t").warn("loud");
  await test.telemetry.flush(60_000);
  assert.deepEqual(collector.logs.map(({ body }) => body), ["loud"]);
});

Deno.test("exports: the line that tells of lost records does not lead to another, and counts are exact", async () => {
  let nowMs = 0;
  await using collector = new Collector();
  collector.mode = { type: "refuse", status: 400 };
  const batch = { batchCountMax: 1, queueCountMax: 10, delayMs: 0 };
  const test = new TestTelemetry({ config: logsTo(collector, batch), nowMs: () => nowMs });
  const told = (): number[] =>
    test.lines.filter(({ message }) => message === "telemetry.logs_dropped").map((line) =>
      Number(line["count"])
    );
  const dropped = async (): Promise<number> =>
    await test.metric("tensor_wasm_log_records_dropped_total") ?? NaN;
  test.telemetry.log("t").info("event");
  await test.telemetry.flush(60_000);
  // The line itself is a record, refused like the others, for as long as the loss lasts.
  await test.telemetry.flush(60_000);
  assert.deepEqual([told(), await dropped()], [[1], 2]);
  for (let index = 0; index < 5; index++) {
    test.telemetry.log("t").info("event");
    await test.telemetry.flush(60_000);
  }
  assert.deepEqual([told(), await dropped()], [[1], 7]);
  nowMs = 60_000;
  test.telemetry.log("t").info("event");
  await test.telemetry.flush(60_000);
  await test.telemetry.flush(60_000);
  assert.deepEqual(told(), [1, 7]);
  await test[Symbol.asyncDispose]();
  // The one line of the two that was lost and not told of yet.
  assert.deepEqual(told(), [1, 7, 1]);
  assert.equal(await dropped(), 9);
});

Deno.test(
  "exports: a full queue of records drops and counts, and lines are written all the same",
  NO_LEAKS,
  async () => {
    await using collector = new Collector();
    collector.mode = { type: "hang" };
    const batch = { batchCountMax: 10, queueCountMax: 20, delayMs: 60_000 };
    const test = new TestTelemetry({ config: logsTo(collector, batch), closeTimeoutMs: 20 });
    for (let index = 0; index < 100; index++) test.telemetry.log("t").info("event");
    // Four batches are on the wire and two wait; the line that tells of the loss is lost as well.
    assert.equal(await test.metric("tensor_wasm_log_records_dropped_total"), 41);
    await test[Symbol.asyncDispose]();
    assert.equal(test.lines.filter(({ message }) => message === "event").length, 100);
    assert.equal(await test.metric("tensor_wasm_log_records_exported_total"), 0);
  },
);

Deno.test("exports: metrics are sent at the end, whatever the interval", NO_LEAKS, async () => {
  await using collector = new Collector();
  const { metricExport } = DEFAULT_TELEMETRY_CONFIG;
  const otlp = { ...metricExport.otlp, url: `${collector.endpoint}/v1/metrics` };
  const test = new TestTelemetry({ config: { metricExport: { ...metricExport, exporter: "otlp", otlp } } });
  test.telemetry.metrics.counter("tensor_wasm_instance_spawns_total", {}).inc(5);
  await test[Symbol.asyncDispose]();
  const spawns = collector.metrics.find(({ name }) => name === "tensor_wasm_instance_spawns_total");
  assert.equal(spawns?.points[0]?.value, 5);
  assert.equal(spawns?.resource["service.name"], "tensor-wasm");
});

Deno.test("exports: reload() reads the headers file of every signal again", NO_LEAKS, async () => {
  await using collector = new Collector();
  const folder = await Deno.makeTempDir();
  const headersFile = `${folder}/headers`;
  await Deno.writeTextFile(headersFile, "x-team=one");
  const config = logsTo(collector).logExport;
  assert.ok(config !== undefined);
  const test = new TestTelemetry({
    config: { logExport: { ...config, otlp: { ...config.otlp, headersFile } } },
  });
  test.telemetry.log("t").info("event");
  await test.telemetry.flush(60_000);
  await Deno.writeTextFile(headersFile, "x-team=two");
  await test.telemetry.reload();
  test.telemetry.log("t").info("event");
  await test[Symbol.asyncDispose]();
  assert.deepEqual(collector.requests.map(({ headers }) => headers.get("x-team")), ["one", "two"]);
  await Deno.remove(folder, { recursive: true });
});
