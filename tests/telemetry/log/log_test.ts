import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { TestTelemetry } from "../../support/telemetry.ts";

Deno.test("log writes the ids of the active span over an await", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const log = test.telemetry.log("tower-http");
  using span = tracer.startSpan("cli ", { command: "x" });
  await tracer.withSpan(span, async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    log.info("request.received");
  });
  const [line] = test.lines;
  assert.equal(line?.["trace_id"], span.ids?.traceId);
  assert.equal(line?.["span_id"], span.ids?.spanId);
  assert.equal(line?.["trace_flags"], "01");
  assert.equal(line?.["target"], "tower-http");
  assert.equal(line?.["service"], "tensor-wasm");
});

Deno.test("log prefers ids that are given over those of the active span", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  using active = tracer.startSpan("cli ", { command: "x" });
  using other = tracer.startSpan("cli ", { command: "y" });
  tracer.withSpan(active, () => test.telemetry.log("t").info("event", {}, other.ids));
  assert.equal(test.lines[0]?.["span_id"], other.ids?.spanId);
});

Deno.test("log writes each level under its name", async () => {
  await using test = new TestTelemetry({ log: { filter: "trace" } });
  const log = test.telemetry.log("t");
  log.trace("a");
  log.debug("a");
  log.info("a");
  log.warn("a");
  log.error("a");
  assert.deepEqual(test.lines.map((line) => line["level"]), ["trace", "debug", "info", "warn", "error"]);
});

Deno.test("log asks the filter by target: a child may say more than its parent", async () => {
  await using test = new TestTelemetry({ log: { filter: "warn,tensor_wasm_exec::pool=debug" } });
  test.telemetry.log("tensor_wasm_exec").info("no");
  test.telemetry.log("tensor_wasm_exec::pool").debug("yes");
  assert.deepEqual(test.lines.map((line) => line["message"]), ["yes"]);
  assert.equal(test.telemetry.log("tensor_wasm_exec").enabled("info"), false);
  assert.equal(test.telemetry.log("tensor_wasm_exec::pool").enabled("debug"), true);
});

Deno.test("log follows spans: the active one, those around it, and those that ids are given of", async () => {
  await using test = new TestTelemetry({ log: { filter: "warn,[cli x{exit_code=7}]=debug" } });
  const { tracer } = test.telemetry;
  const log = test.telemetry.log("t");
  using outer = tracer.startSpan("cli ", { command: "x" });
  await tracer.withSpan(outer, async () => {
    log.debug("before");
    outer.setAttribute("exit_code", 7);
    await Promise.resolve();
    log.debug("in it");
    using inner = tracer.startSpan("cli ", { command: "y" });
    tracer.withSpan(inner, () => log.debug("within it"));
    assert.equal(log.enabled("debug"), true);
    assert.equal(log.enabled("trace"), false);
  });
  log.debug("after");
  log.debug("by its ids", {}, outer.ids);
  log.debug("by its child's ids", {}, tracer.allotIds(outer.ids, { name: "invoke.run", attributes: {} }));
  const messages = test.lines.map((line) => line["message"]);
  assert.deepEqual(messages, ["in it", "within it", "by its ids", "by its child's ids"]);
});

Deno.test("log follows spans that run elsewhere by what was said of them", async () => {
  const filter = "warn,[tensor_wasm_exec::executor::spawn_instance{tenant=acme}]=info";
  await using test = new TestTelemetry({ log: { filter } });
  const { tracer } = test.telemetry;
  using run = tracer.startSpan("cli ", { command: "x" });
  const name = "tensor_wasm_exec::executor::spawn_instance";
  const log = test.telemetry.log("guest");
  log.info("yes", {}, tracer.allotIds(run.ids, { name, attributes: { tenant: "acme" } }));
  log.info("no", {}, tracer.allotIds(run.ids, { name, attributes: { tenant: "other" } }));
  assert.deepEqual(test.lines.map((line) => line["message"]), ["yes"]);
});

Deno.test("log off writes nothing", async () => {
  await using test = new TestTelemetry({ log: { filter: "off" } });
  test.telemetry.log("t").error("event");
  assert.equal(test.output, "");
});

Deno.test("log does not fill braces in a message", async () => {
  await using test = new TestTelemetry();
  test.telemetry.log("t").info("a {token} {{b}}", { token: "hush" });
  assert.equal(test.lines[0]?.["message"], "a {token} {{b}}");
  assert.equal(test.output.includes("hush"), false);
});

Deno.test("log writes what others log through LogTape, redacted and filtered", async () => {
  await using test = new TestTelemetry({ log: { filter: "warn,lib=info" } });
  getLogger(["lib", "part"]).info("Hello {name}, {token}", { name: "a", token: "hush" });
  getLogger(["other"]).info("no");
  const [line, ...rest] = test.lines;
  assert.equal(line?.["target"], "lib.part");
  assert.equal(line?.["message"], "Hello {name}, {token}");
  assert.equal(line?.["name"], "a");
  assert.equal(test.output.includes("hush"), false);
  assert.deepEqual(rest, []);
});

Deno.test("log gives the same logger for a target", async () => {
  await using test = new TestTelemetry();
  assert.equal(test.telemetry.log("t"), test.telemetry.log("t"));
});

Deno.test("log takes its time from the clock that it was given", async () => {
  await using test = new TestTelemetry({ nowMs: () => 86_400_000 });
  test.telemetry.log("t").info("event");
  assert.equal(test.lines[0]?.["timestamp"], "1970-01-02T00:00:00.000Z");
});

Deno.test("log in the pretty form has no JSON", async () => {
  await using test = new TestTelemetry({ log: { format: "pretty" }, nowMs: () => 0 });
  test.telemetry.log("t").info("event", { n: 1 });
  assert.equal(test.output, "00:00:00.000 INFO  t event n=1\n");
});

Deno.test("log: 1000 lines of concurrent requests are whole and have their own ids", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const log = test.telemetry.log("t");
  await Promise.all(Array.from({ length: 100 }, async (_, request) => {
    using span = tracer.startSpan("cli ", { command: "x" }, { parent: null });
    await tracer.withSpan(span, async () => {
      for (let step = 0; step < 10; step++) {
        log.info("step", { request, trace: span.ids?.traceId });
        await Promise.resolve();
      }
    });
  }));
  assert.equal(test.lines.length, 1000);
  assert.ok(test.lines.every((line) => line["trace_id"] === line["trace"]));
});

Deno.test("lines of the process carry no ids, whatever is active, and are counted as such", async () => {
  await using test = new TestTelemetry();
  const { tracer } = test.telemetry;
  const log = test.telemetry.processLog("tensor_wasm_exec");
  using span = tracer.startSpan("cli ", { command: "x" });
  await tracer.withSpan(span, async () => {
    log.info("cell.started");
    await new Promise<void>((resolve) => setTimeout(() => (log.warn("cell.ended"), resolve()), 0));
    test.telemetry.log("tensor_wasm_exec").info("call.shed");
  });
  assert.deepEqual(test.lines.map((line) => [line["message"], line["trace_id"]]), [
    ["cell.started", undefined],
    ["cell.ended", undefined],
    ["call.shed", span.ids?.traceId],
  ]);
  assert.equal(await test.metric("tensor_wasm_log_lines_total", '{has_trace="false"}'), 2);
  assert.equal(await test.metric("tensor_wasm_log_lines_total", '{has_trace="true"}'), 1);
});

Deno.test("what the exporter lost is told without the ids of the request that set its timer", async () => {
  await using test = new TestTelemetry({
    sender: {
      send: () => Promise.resolve({ acceptedCount: 0, reason: "the collector is not reachable" }),
      close: () => {},
    },
  });
  const { tracer } = test.telemetry;
  using active = tracer.startSpan("cli ", { command: "x" });
  await tracer.withSpan(active, async () => {
    tracer.startSpan("cli ", { command: "y" }).end();
    await test.telemetry.flush(5000);
  });
  const [line] = test.lines;
  assert.deepEqual([line?.["message"], line?.["trace_id"]], ["telemetry.spans_dropped", undefined]);
});
