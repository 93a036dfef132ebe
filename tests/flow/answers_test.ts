/**
 * Large answers: they come as they are, clients that do not read them fill no memory, and their requests last until
 * they have left.
 */
import assert from "node:assert/strict";
import { PIECE_BYTES_MAX } from "../../runtime/gateway/answers.ts";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { linesOf } from "./call_trace.ts";
import { submitJob } from "./job_calls.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";
import { RawConnection } from "./raw_http.ts";
import { metricsOf } from "./stream_client.ts";

/** More than the sockets on the way take. */
const LARGE_BYTES = 16 * 1024 * 1024;
const HELD = "tensor_wasm_answers_held_bytes";

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: ["--answers-bytes-max", String(LARGE_BYTES + 1), "--stream-drain-ms", "600000"],
  });
  await gateway.deploy("echo");
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

let traceCount = 0;

function newTraceId(): string {
  return (++traceCount).toString(16).padStart(32, "c");
}

/** A client whose call is answered with what it sent, and which does not read that. */
async function openUnread(traceId = newTraceId(), from = gateway): Promise<RawConnection> {
  const connection = await RawConnection.open(from.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    `content-length: ${LARGE_BYTES}`,
    `traceparent: 00-${traceId}-00f067aa0ba902b7-01`,
  ]);
  await connection.send(new Uint8Array(LARGE_BYTES));
  return connection;
}

async function heldBytes(from = gateway): Promise<number> {
  const [held = NaN] = await metricsOf(from, HELD);
  return held;
}

async function awaitHeld(isAsExpected: (bytes: number) => boolean, from = gateway): Promise<void> {
  for (let looks = 0; !isAsExpected(await heldBytes(from)); looks++) {
    assert.ok(looks < 1000, `${await heldBytes(from)} bytes are held`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Calls in flight, and how many were counted with a status, also in the histogram of durations. */
async function callsOf(status: number): Promise<[inFlight: number, total: number, timed: number]> {
  const metrics = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const calls = { route: "/functions/:id/invoke", method: "POST" };
  const labels = { ...calls, status: String(status) };
  return [
    valueOf(metrics, "tensor_wasm_http_requests_in_flight", calls),
    valueOf(metrics, "tensor_wasm_http_requests_total", labels),
    valueOf(metrics, "tensor_wasm_http_request_duration_seconds_count", labels),
  ];
}

/** The messages of a trace but the guest's, and of those at its end what they say of the answer. */
function shown(lines: readonly LogLine[]): unknown[] {
  return lines.filter((line) => line["target"] !== "guest").map(({ message, ...fields }) => {
    const { kind, status, stage, ending, reason } = fields;
    return [message, ...[reason, kind, stage, ending, status].filter((value) => value !== undefined)];
  });
}

Deno.test("a large answer comes as it is, with its length, from a call and from a job", async () => {
  const input = new Uint8Array(LARGE_BYTES).map((_, index) => index % 251);
  const called = await fetch(`${gateway.url}/functions/echo/invoke`, { method: "POST", body: input });
  assert.equal(called.headers.get("content-length"), String(LARGE_BYTES));
  assert.deepEqual(await called.bytes(), input);
  const id = await submitJob(gateway, "echo", input);
  await (await fetch(`${gateway.url}/jobs/${id}?wait=60s`)).body?.cancel();
  const output = await fetch(`${gateway.url}/jobs/${id}/output`);
  assert.equal(output.headers.get("content-length"), String(LARGE_BYTES));
  assert.deepEqual(await output.bytes(), input);
  assert.equal(await heldBytes(), 0);
});

Deno.test("a request lasts until its large answer has left, and is over once", async () => {
  const traceId = newTraceId();
  const [, totalBefore, timedBefore] = await callsOf(200);
  using client = await openUnread(traceId);
  await awaitHeld((bytes) => bytes === LARGE_BYTES);
  assert.deepEqual(await callsOf(200), [1, totalBefore, timedBefore]);
  assert.deepEqual(shown(gateway.lines.filter((line) => line.trace_id === traceId)), [["request.received"]]);
  await client.readAll(LARGE_BYTES);
  await awaitHeld((bytes) => bytes === 0);
  const lines = await linesOf(gateway, traceId);
  assert.deepEqual(shown(lines), [["request.received"], ["request.completed", "finished", 200]]);
  const [first, last] = [lines[0], lines.at(-1)];
  assert.deepEqual([last?.["bytes"], last?.["chunks"]], [LARGE_BYTES, LARGE_BYTES / PIECE_BYTES_MAX]);
  assert.equal(last?.["span_id"], first?.["span_id"]);
  assert.deepEqual(await callsOf(200), [0, totalBefore + 1, timedBefore + 1]);
});

Deno.test("whoever leaves a large answer has a line that says so, before the last", async () => {
  const traceId = newTraceId();
  const [, totalBefore, timedBefore] = await callsOf(499);
  {
    using _ = await openUnread(traceId);
    await awaitHeld((bytes) => bytes === LARGE_BYTES);
  }
  assert.deepEqual(shown(await linesOf(gateway, traceId)), [
    ["request.received"],
    ["request.failed", "client_gone", "answer", 499],
    ["request.completed", "client_gone", 200],
  ]);
  assert.deepEqual(await callsOf(499), [0, totalBefore + 1, timedBefore + 1]);
});

Deno.test("HEAD of a large output is no departure, and a small answer has no ending", async () => {
  const id = await submitJob(gateway, "echo", new Uint8Array(2 * PIECE_BYTES_MAX));
  await (await fetch(`${gateway.url}/jobs/${id}?wait=60s`)).body?.cancel();
  const head = await fetch(`${gateway.url}/jobs/${id}/output`, { method: "HEAD" });
  const small = await gateway.invoke("echo", { input: "small" });
  await small.body?.cancel();
  for (const { headers } of [head, small]) {
    const lines = await linesOf(gateway, headers.get("x-trace-id") ?? "");
    assert.deepEqual(shown(lines), [["request.received"], ["request.completed", 200]]);
  }
  await awaitHeld((bytes) => bytes === 0);
});

Deno.test("an answer that the end of the gateway cuts off says so in its last lines", async () => {
  await using ending = await TestGateway.start({ flags: ["--drain-timeout-ms", "1"] });
  await ending.deploy("echo");
  const traceId = newTraceId();
  using _ = await openUnread(traceId, ending);
  await awaitHeld((bytes) => bytes === LARGE_BYTES, ending);
  ending.signal("SIGTERM");
  await ending.status;
  assert.deepEqual(shown(await linesOf(ending, traceId)), [
    ["request.received"],
    ["request.failed", "capacity_exhausted", "answer", 503],
    ["request.completed", "gateway_closed", 200],
  ]);
});

Deno.test("clients that do not read give way to others, and whoever leaves holds nothing", async () => {
  using first = await openUnread();
  await awaitHeld((bytes) => bytes === LARGE_BYTES);
  {
    using second = await openUnread();
    const line = await gateway.line(({ message }) => message === "answer.broken_off");
    assert.equal(line["reason"], "slow");
    assert.deepEqual(shown(await linesOf(gateway, line.trace_id ?? "")), [
      ["request.received"],
      ["answer.broken_off", "slow"],
      ["request.failed", "client_slow", "answer", 499],
      ["request.completed", "client_slow", 200],
    ]);
    await awaitHeld((bytes) => bytes === LARGE_BYTES);
    // One of the two was cut off in its middle; the other one can still be read.
    const read = await Promise.all(
      [first, second].map(async (client) => (await client.readAll(LARGE_BYTES)).length),
    );
    assert.deepEqual(read.map((bytes) => bytes >= LARGE_BYTES).sort(), [false, true]);
  }
  await awaitHeld((bytes) => bytes === 0);
});
