/**
 * The log lines of requests of every kind, good and bad: each line has its trace id, the first says that the
 * request came and the last how it ended, and a failure names its kind and the stage at which it happened.
 */
import assert from "node:assert/strict";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { until } from "../system/program.ts";
import { endedJob, postJob } from "./job_calls.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";
import { RawConnection } from "./raw_http.ts";

const BODY_BYTES_MAX = 100_000;
/** Lines of the process, which belong to no request. All others have to have a trace id. */
const PROCESS_EVENTS = new Set([
  ...["cell.started", "cell.ended", "cell.retired", "telemetry.config_ignored"],
  ...["gpu.found", "gpu.fallback", "gpu.unusable"],
]);

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: ["--body-bytes-max", String(BODY_BYTES_MAX), "--cells-min", "1", "--cells-max", "2"],
    env: { TENSOR_WASM_LOG: "debug" },
  });
  for (const guest of ["add", "echo", "log_lines", "spin", "stream", "trap_unreachable"]) {
    await gateway.deploy(guest);
  }
});
Deno.test.afterAll(() => gateway[Symbol.asyncDispose]());

/** A request, by what is to come of it. */
interface Case {
  readonly what: string;
  readonly send: () => Promise<Response>;
  readonly status: number;
  /** Kind, stage and level of its `request.failed`; absent if it succeeds. */
  readonly failed?: readonly [kind: string, stage: string, level: string];
}

const JSON_TYPE = { "content-type": "application/json" };

function post(path: string, body: BodyInit, headers: Record<string, string> = JSON_TYPE): Promise<Response> {
  return fetch(`${gateway.url}${path}`, { method: "POST", headers, body });
}

const CASES: readonly Case[] = [
  { what: "a call", send: () => gateway.invoke("add", { export: "add", args: [1, 2] }), status: 200 },
  { what: "a call that logs", send: () => gateway.invoke("log_lines", { argv: ["3"] }), status: 200 },
  { what: "a list", send: () => fetch(`${gateway.url}/functions`), status: 200 },
  { what: "the device", send: () => fetch(`${gateway.url}/device`), status: 200 },
  {
    what: "no such route",
    send: () => fetch(`${gateway.url}/a/b/c?token=hush`),
    status: 404,
    failed: ["not_found", "route", "warn"],
  },
  {
    what: "no such route among those of functions",
    send: () => fetch(`${gateway.url}/functions/add/none`),
    status: 404,
    failed: ["not_found", "route", "warn"],
  },
  {
    what: "a method that a route has not",
    send: () => fetch(`${gateway.url}/functions`, { method: "PUT" }),
    status: 405,
    failed: ["method_not_allowed", "route", "warn"],
  },
  {
    what: "no such function",
    send: () => gateway.invoke("nobody"),
    status: 404,
    failed: ["not_found", "function", "warn"],
  },
  {
    what: "a malformed tenant",
    send: () => gateway.invoke("add", {}, { "x-tensorwasm-tenant": "me" }),
    status: 400,
    failed: ["missing_tenant", "tenant", "warn"],
  },
  {
    what: "a malformed deadline",
    send: () => gateway.invoke("add", {}, { "x-tensorwasm-deadline-ms": "soon" }),
    status: 400,
    failed: ["bad_request", "request", "warn"],
  },
  {
    what: "a malformed idempotent header",
    send: () => gateway.invoke("add", {}, { "x-tensorwasm-idempotent": "maybe" }),
    status: 400,
    failed: ["bad_request", "request", "warn"],
  },
  {
    what: "a malformed query",
    send: () => fetch(`${gateway.url}/functions?limit=many`),
    status: 400,
    failed: ["bad_request", "request", "warn"],
  },
  {
    what: "a malformed trace id",
    send: () => fetch(`${gateway.url}/traces/x`),
    status: 400,
    failed: ["bad_request", "request", "warn"],
  },
  {
    what: "a function that is not one",
    send: () => fetch(`${gateway.url}/functions/nobody`),
    status: 404,
    failed: ["not_found", "function", "warn"],
  },
  {
    what: "a body that is not JSON",
    send: () => post("/functions/add/invoke", "{"),
    status: 400,
    failed: ["invalid_json", "arguments", "warn"],
  },
  {
    what: "a body that is too large",
    send: () => post("/functions/add/invoke", "x".repeat(BODY_BYTES_MAX + 1)),
    status: 413,
    failed: ["body_too_large", "body", "warn"],
  },
  {
    what: "arguments that do not fit",
    send: () => gateway.invoke("add", { export: "add", args: ["a", 2] }),
    status: 400,
    failed: ["invalid_args", "arguments", "warn"],
  },
  {
    what: "a deploy of nobody knows what",
    send: () => post("/functions?name=bad", "bad", { "content-type": "text/css" }),
    status: 400,
    failed: ["bad_request", "request", "warn"],
  },
  {
    what: "a module that is too large",
    send: () =>
      post("/functions?name=bad", "x".repeat(BODY_BYTES_MAX + 1), { "content-type": "application/wasm" }),
    status: 413,
    failed: ["body_too_large", "body", "warn"],
  },
  {
    what: "a module that is none",
    send: () => post("/functions?name=bad", "bad", { "content-type": "application/wasm" }),
    status: 400,
    failed: ["invalid_wasm", "module", "warn"],
  },
  {
    what: "a guest that traps",
    send: () => gateway.invoke("trap_unreachable", { export: "run" }),
    status: 500,
    failed: ["wasmtime", "run", "error"],
  },
  {
    what: "a guest that takes too long",
    send: () => gateway.invoke("spin", { export: "run" }, { "x-tensorwasm-deadline-ms": "500" }),
    status: 504,
    failed: ["invoke_timeout", "run", "error"],
  },
  {
    what: "a stream",
    send: () =>
      post("/functions/stream/invoke-stream", JSON.stringify({ export: "echo", args: [2], input: "abcd" })),
    status: 200,
  },
  {
    what: "a job that is not one",
    send: () => fetch(`${gateway.url}/jobs/nobody`),
    status: 404,
    failed: ["not_found", "request", "warn"],
  },
];

/** The lines of a trace, once the request has ended. */
async function linesOfTrace(traceId: string): Promise<LogLine[]> {
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
  return gateway.lines.filter((line) => line.trace_id === traceId);
}

for (const { what, send, status, failed } of CASES) {
  Deno.test(`the lines of ${what}`, async () => {
    const response = await send();
    // To its end: who breaks a stream off has left it.
    await response.bytes();
    assert.equal(response.status, status);
    const lines = await linesOfTrace(response.headers.get("x-trace-id") ?? "");
    assert.equal(lines[0]?.message, "request.received");
    const last = lines.at(-1);
    assert.deepEqual([last?.message, last?.["status"], last?.["level"]], [
      "request.completed",
      status,
      "info",
    ]);
    assert.equal(typeof last?.["duration_ms"], "number");
    const failures = lines.filter((line) => line.message === "request.failed");
    const shown = failures.map((line) => [line["kind"], line["stage"], line["level"], line["status"]]);
    assert.deepEqual(shown, failed === undefined ? [] : [[...failed, status]]);
    assert.equal(JSON.stringify(lines).includes("hush"), false);
  });
}

for (
  const [what, path] of [
    ["a call", "/functions/echo/invoke"],
    ["a deploy", "/functions?name=bad"],
  ] as const
) {
  Deno.test(`the lines of ${what} whose body breaks off say that it did, and blame nobody here`, async () => {
    const traceId = what === "a call" ? "6".repeat(32) : "7".repeat(32);
    const connection = await RawConnection.open(gateway.url);
    await connection.sendHead(`POST ${path}`, [
      "transfer-encoding: chunked",
      "content-type: application/wasm",
      `traceparent: 00-${traceId}-${"6".repeat(16)}-01`,
    ]);
    await connection.sendChunk(new Uint8Array(3));
    await gateway.line((line) => line.message === "request.received" && line.trace_id === traceId);
    connection[Symbol.dispose]();
    const failed = (await linesOfTrace(traceId)).filter((line) => line.message === "request.failed");
    const shown = failed.map((line) => [line["kind"], line["stage"], line["level"], line["status"]]);
    assert.deepEqual(shown, [["bad_request", "body", "warn", 400]]);
  });
}

Deno.test("the lines of a client that leaves say so", async () => {
  const leave = new AbortController();
  const traceId = "5".repeat(32);
  const call = fetch(`${gateway.url}/functions/spin/invoke`, {
    method: "POST",
    headers: { ...JSON_TYPE, traceparent: `00-${traceId}-${"5".repeat(16)}-01` },
    body: JSON.stringify({ export: "run" }),
    signal: leave.signal,
  });
  await gateway.line((line) => line.message === "request.received" && line.trace_id === traceId);
  leave.abort();
  await assert.rejects(call);
  const lines = await linesOfTrace(traceId);
  assert.deepEqual(lines.map((line) => line.message), [
    "request.received",
    "request.failed",
    "request.completed",
  ]);
  assert.deepEqual([lines[1]?.["kind"], lines[1]?.["level"], lines[2]?.["status"]], [
    "client_gone",
    "info",
    499,
  ]);
});

Deno.test("the lines of a job are in the trace of the request that asked for it", async () => {
  const response = await postJob(gateway, "log_lines", { argv: ["2"] });
  const { job_id: id } = await response.json();
  await endedJob(gateway, id);
  const traceId = response.headers.get("x-trace-id");
  const stdout = await gateway.line((line) => line.message === "guest.stdout" && line.trace_id === traceId);
  assert.equal(stdout["target"], "guest");
});

// The last of this file: it looks at all that was logged before.
Deno.test("no line of a request is without a trace id, and the metric says so", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    await (await fetch(gateway.url + path)).body?.cancel();
  }
  const isOfProcess = (line: LogLine): boolean => line.trace_id === undefined;
  const counted = async (): Promise<number | undefined> => {
    const metrics = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
    return valueOf(metrics, "tensor_wasm_log_lines_total", { has_trace: "false" });
  };
  // A line is counted a little before it can be read.
  await until(
    "metric and lines agree",
    async () => await counted() === gateway.lines.filter(isOfProcess).length,
  );
  const unknown = gateway.lines.filter(isOfProcess).filter((line) => !PROCESS_EVENTS.has(line.message));
  assert.deepEqual(unknown, []);
  assert.deepEqual(gateway.lines.filter((line) => /healthz|readyz|metrics/.test(JSON.stringify(line))), []);
  assert.deepEqual(gateway.strayLines, []);
});
