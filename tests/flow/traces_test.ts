/**
 * The trace of every kind of call, decoded from what a collector received: the shape of its tree against golden
 * files, its times, and its ids in log lines and headers.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { assertGolden } from "../support/golden.ts";
import { func, I32, moduleOf, name, section, u, vec } from "../support/module_bytes.ts";
import {
  buildSpanTree,
  countSpans,
  normalizeSpanTree,
  type SpanNode,
  walkSpans,
} from "../support/span_tree.ts";
import { assertNested, linesOf } from "./call_trace.ts";
import { assertTraceId } from "./problem.ts";
import { awaitSlotUsed } from "./stream_client.ts";

let collector: Collector;
let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  collector = new Collector();
  gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--calls-per-cell-max", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  for (const guest of ["add", "exit_code", "log_lines", "sleep", "spin", "trap_unreachable"]) {
    await gateway.deploy(guest);
  }
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

/** The tree that a response's trace makes, whole and nested. */
async function treeOf(response: Response): Promise<SpanNode> {
  const traceId = assertTraceId(response);
  await response.body?.cancel();
  const tree = buildSpanTree(await awaitTrace(collector, traceId));
  for (const span of walkSpans(tree)) {
    assert.equal(span.attributes["target"], span.scope);
    assert.equal(span.resource["service.name"], "tensor-wasm");
    assert.ok(!Object.values(span.attributes).includes(undefined));
  }
  assertNested(tree);
  return tree;
}

async function assertGoldenTrace(file: string, response: Response): Promise<void> {
  await assertGolden(`spans/${file}.txt`, normalizeSpanTree(await treeOf(response)));
}

// Golden trees.

Deno.test("the trace of a call", async () => {
  // The first call of a module in its cell; the next one is not cold.
  await assertGoldenTrace("invoke", await gateway.invoke("add", { export: "add", args: [1, 2] }));
  await assertGoldenTrace("invoke_warm", await gateway.invoke("add", { export: "add", args: [1, 2] }));
});

Deno.test("the trace of a call that traps", async () => {
  await assertGoldenTrace("trap", await gateway.invoke("trap_unreachable", { export: "run" }));
});

Deno.test("the trace of a call that exits with 3", async () => {
  await assertGoldenTrace("exit", await gateway.invoke("exit_code"));
});

Deno.test("the trace of a call whose start function traps", async () => {
  const start = moduleOf(
    section(1, vec(func())),
    section(3, vec([0], [0])),
    section(7, vec([...name("run"), 0, 0])),
    section(8, [1]),
    section(10, vec([2, 0, 0x0b], [3, 0, 0x00, 0x0b])),
  );
  await gateway.deploy("trap_start", start);
  await assertGoldenTrace("trap_start", await gateway.invoke("trap_start", { export: "run" }));
});

Deno.test("the trace of a reactor, and the events that it adds to its span", async () => {
  const [log, text] = ["tensor_wasm:log/host@0.1.0", "half way"];
  const event = [0x41, 0, 0x41, ...u(text.length), 0x10, 0, 0x1a];
  await gateway.deploy(
    "reactor",
    moduleOf(
      section(1, vec(func([I32, I32], [I32]), func())),
      section(2, vec([...name(log), ...name("span-event"), 0, 0])),
      section(3, vec([1], [1])),
      section(5, vec([0, 1])),
      section(7, vec([...name("memory"), 2, 0], [...name("_initialize"), 0, 1], [...name("run"), 0, 2])),
      section(10, vec([2, 0, 0x0b], [event.length * 2 + 2, 0, ...event, ...event, 0x0b])),
      section(11, vec([0, 0x41, 0, 0x0b, ...name(text)])),
    ),
  );
  await assertGoldenTrace("reactor", await gateway.invoke("reactor", { export: "run" }));
});

Deno.test("the trace of a call that is stopped at its deadline", async () => {
  const headers = { "x-tensorwasm-deadline-ms": "200" };
  await assertGoldenTrace("deadline", await gateway.invoke("spin", { export: "run" }, headers));
});

Deno.test("the trace of a call that waits for a cell until its deadline", async () => {
  const client = new AbortController();
  const spinner = fetch(`${gateway.url}/functions/spin/invoke?export=run`, {
    method: "POST",
    signal: client.signal,
  });
  await awaitSlotUsed(gateway);
  const headers = { "x-tensorwasm-deadline-ms": "150" };
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, headers);
  assert.equal(response.status, 504);
  client.abort();
  await assert.rejects(spinner);
  await assertGoldenTrace("queued_out", response);
});

Deno.test("the trace of a call whose cell is killed from outside", async () => {
  await assertServes();
  const traceId = "5".repeat(32);
  const call = gateway.invoke("sleep", { argv: ["20000"] }, {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  });
  // What has a slot has been sent to its cell.
  await awaitSlotUsed(gateway);
  const started = gateway.lines.findLast((line) =>
    line.message === "cell.started" && line["pool"] === "calls"
  );
  const pid = Number(started?.["pid"]);
  Deno.kill(pid, "SIGKILL");
  const response = await call;
  assert.equal(response.status, 502);
  const { error } = await response.clone().json();
  assert.deepEqual([error.kind, error.message], [
    "cell_lost",
    "The process that ran the call died: cell_sigkill",
  ]);
  await assertGoldenTrace("cell_killed", response);
  const ended = await gateway.line((line) => line.message === "cell.ended" && line["pid"] === pid);
  assert.equal(ended["reason"], "cell_sigkill");
  await assertServes();
});

async function assertServes(): Promise<void> {
  const response = await gateway.invoke("add", { export: "add", args: [20, 22] });
  assert.deepEqual((await response.json()).result, [42]);
}

Deno.test("the trace of a deploy, and of one that fails", async () => {
  const deploy = async (body: Uint8Array<ArrayBuffer>): Promise<Response> =>
    await fetch(`${gateway.url}/functions?name=deployed`, {
      method: "POST",
      headers: { "content-type": "application/wasm" },
      body,
    });
  await assertGoldenTrace("deploy", await deploy(moduleOf()));
  await assertGoldenTrace("deploy_failed", await deploy(new Uint8Array(100)));
});

Deno.test("the trace of a path that is no route", async () => {
  await assertGoldenTrace("no_route", await fetch(`${gateway.url}/admin?token=secret`));
});

Deno.test("a method that nobody knows is named as it came, and _OTHER for OpenTelemetry", async () => {
  const { span } = await treeOf(await fetch(`${gateway.url}/nowhere`, { method: "BREW" }));
  assert.deepEqual([span.attributes["method"], span.attributes["http.request.method"]], ["BREW", "_OTHER"]);
});

Deno.test("the version of a request of HTTP/2 says so", async () => {
  using client = Deno.createHttpClient({ http1: false, http2: true });
  const { span } = await treeOf(await fetch(`${gateway.url}/nowhere`, { client }));
  assert.equal(span.attributes["version"], "HTTP/2");
});

// Propagation.

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

Deno.test("a caller's trace is joined, with its tracestate", async () => {
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, {
    traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01`,
    tracestate: "vendor=value,other=1",
    baggage: "user=7",
  });
  assertTraceId(response, CALLER.traceId);
  const tree = await treeOf(response);
  assert.deepEqual([tree.span.traceId, tree.span.parentSpanId], [CALLER.traceId, CALLER.spanId]);
  assert.equal(tree.span.attributes["traceparent"], `00-${CALLER.traceId}-${CALLER.spanId}-01`);
  for (const span of walkSpans(tree)) {
    assert.equal(span.traceState, "vendor=value,other=1");
    assert.equal(span.flags & 1, 1);
  }
  // `traceresponse` names the span that the gateway made of it.
  assert.equal(response.headers.get("traceresponse"), `00-${CALLER.traceId}-${tree.span.spanId}-01`);
});

Deno.test("a caller that does not sample is followed: ids in headers and log lines, and no span", async () => {
  const traceId = "6".repeat(32);
  const response = await gateway.invoke("log_lines", { argv: ["1"] }, {
    traceparent: `00-${traceId}-${CALLER.spanId}-00`,
  });
  await response.body?.cancel();
  assertTraceId(response, traceId);
  const lines = await linesOf(gateway, traceId);
  assert.deepEqual(lines.map((line) => line["trace_flags"]), ["00", "00", "00", "00"]);
  // What comes after it is exported, so it would have been by now.
  await treeOf(await gateway.invoke("add", { export: "add", args: [1, 2] }));
  assert.deepEqual(collector.trace(traceId), []);
});

Deno.test("probes and errors have a trace as well", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/nowhere"]) {
    const tree = await treeOf(await fetch(gateway.url + path));
    assert.deepEqual([tree.span.name, countSpans(tree)], ["http.request", 1], path);
  }
});

Deno.test("every response has a request id: the caller's if it is one, else a new one", async () => {
  const headers = { "x-request-id": "order-7.2:1" };
  const given = await fetch(`${gateway.url}/healthz`, { headers });
  assert.equal(given.headers.get("x-request-id"), "order-7.2:1");
  assert.equal((await treeOf(given)).span.attributes["request_id"], "order-7.2:1");
  const ids = new Set<string | null>();
  for (const bad of [undefined, "", "with space", "x".repeat(129), "<script>"]) {
    const response = await fetch(
      `${gateway.url}/nowhere`,
      bad === undefined ? {} : { headers: { "x-request-id": bad } },
    );
    await response.body?.cancel();
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    ids.add(response.headers.get("x-request-id"));
  }
  assert.equal(ids.size, 5);
});

// Log lines.

Deno.test("the lines of a call: received first, the guest's in between, completed last, all with the ids", async () => {
  const response = await gateway.invoke("log_lines", { argv: ["1"] });
  const tree = await treeOf(response);
  const lines = await linesOf(gateway, tree.span.traceId);
  assert.deepEqual(lines.map((line) => line.message), [
    "request.received",
    "guest.stdout",
    "guest.stderr",
    "request.completed",
  ]);
  const spans = new Map([...walkSpans(tree)].map((span) => [span.spanId, span]));
  const names = lines.map((line) => spans.get(String(line["span_id"]))?.name);
  const instance = "tensor_wasm_exec::executor::spawn_instance";
  assert.deepEqual(names, ["http.request", instance, instance, "http.request"]);
  const [received, stdout, , completed] = lines;
  assert.deepEqual([received?.["method"], received?.["uri"]], ["POST", "/functions/log_lines/invoke"]);
  assert.deepEqual([completed?.["status"], completed?.["route"]], [200, "/functions/:id/invoke"]);
  assert.ok(Number(completed?.["duration_ms"]) > 0);
  const functionId = spans.get(tree.children[0]?.span.spanId ?? "")?.attributes["function_id"];
  assert.deepEqual([stdout?.["tenant"], stdout?.["function_id"]], ["0", functionId]);
  assert.deepEqual([stdout?.["target"], stdout?.["service"], stdout?.["level"]], [
    "guest",
    "tensor-wasm",
    "info",
  ]);
  assert.match(String(stdout?.["timestamp"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

Deno.test("the lines of a failure name its kind and stage", async () => {
  const response = await gateway.invoke("trap_unreachable", { export: "run" });
  await response.body?.cancel();
  const lines = await linesOf(gateway, assertTraceId(response));
  assert.deepEqual(lines.map((line) => line.message), [
    "request.received",
    "request.failed",
    "request.completed",
  ]);
  const [, failed] = lines;
  assert.deepEqual([failed?.["level"], failed?.["kind"], failed?.["stage"]], ["error", "wasmtime", "run"]);
});

Deno.test("probes are not logged", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    await (await fetch(gateway.url + path)).body?.cancel();
  }
  await treeOf(await gateway.invoke("add", { export: "add", args: [1, 2] }));
  assert.deepEqual(gateway.lines.filter((line) => /healthz|readyz|metrics/.test(String(line["uri"]))), []);
});

Deno.test("what callers send is in no log line and in no span", async () => {
  const secret = "hunter2hunter2";
  const response = await fetch(
    `${gateway.url}/functions/exit_code/invoke?argv=0&token=${secret}&env=A%3D${secret}`,
    {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "x-api-key": secret, cookie: secret },
      body: secret,
    },
  );
  assert.equal(response.status, 200);
  const tree = await treeOf(response);
  await linesOf(gateway, tree.span.traceId);
  const printed = JSON.stringify(
    [...walkSpans(tree)],
    (_key, value) => typeof value === "bigint" ? `${value}` : value,
  );
  assert.ok(!printed.includes(secret));
  assert.ok(!gateway.lines.some((line) => JSON.stringify(line).includes(secret)));
});
