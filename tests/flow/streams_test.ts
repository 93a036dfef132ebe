/**
 * Streamed calls over HTTP: byte for byte in both framings, how they end, and what they are refused for.
 */
import assert from "node:assert/strict";
import { bytesOf } from "../support/event_stream.ts";
import { TestGateway } from "../support/gateway.ts";
import { linesOf } from "./call_trace.ts";
import { assertProblem, assertTraceId } from "./problem.ts";
import { RawConnection } from "./raw_http.ts";
import {
  awaitMetric,
  BASE64_EVENTS,
  EVENTS,
  eventsOf,
  metricsOf,
  openSlowly,
  openStream,
} from "./stream_client.ts";

const CHUNK_BYTES_MAX = 65_536;

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: ["--stream-bytes-max", "3000000", "--stream-chunks-max", "3000", "--streams-max", "4"],
  });
  for (const guest of ["echo", "stream", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(() => gateway[Symbol.asyncDispose]());

function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** Text with characters of every length and all kinds of line ends, so that pieces cut through them. */
const TEXT = new TextEncoder().encode("line\n\n äöü € 😀 : data\r\nend\r".repeat(200));

// Byte for byte.

for (const [what, input] of [["random bytes", randomBytes(300_001)], ["text", TEXT]] as const) {
  for (const piece of [7, 4096, CHUNK_BYTES_MAX]) {
    if (input.length / piece > 3000) continue;
    Deno.test(`octets: ${what} come back as they were, emitted ${piece} at a time`, async () => {
      const response = await openStream(gateway, { export: "echo", args: [piece], input });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
      assert.deepEqual(await response.bytes(), input);
    });

    for (const headers of [EVENTS, BASE64_EVENTS]) {
      Deno.test(`${headers.accept}: ${what} come back as they were, emitted ${piece} at a time`, async () => {
        const events = await eventsOf(
          await openStream(gateway, { export: "echo", args: [piece], input, headers }),
        );
        assert.deepEqual(bytesOf(events), input);
        if (headers === BASE64_EVENTS) {
          assert.equal(events.length, Math.ceil(input.length / piece) + 1);
          assert.ok(events.slice(0, -1).every(({ type }) => type === "chunk_b64"));
        }
      });
    }
  }
}

Deno.test("what a WASI program writes on stdout is streamed as well, in pieces no larger than a chunk", async () => {
  const input = randomBytes(1_000_000);
  const octets = await openStream(gateway, { guest: "echo", export: "_start", input });
  assert.deepEqual(await octets.bytes(), input);
  const events = await eventsOf(
    await openStream(gateway, { guest: "echo", export: "_start", input, headers: BASE64_EVENTS }),
  );
  assert.deepEqual(bytesOf(events), input);
  for (const { type, data } of events) {
    if (type === "chunk_b64") assert.ok(Uint8Array.fromBase64(data).length <= CHUNK_BYTES_MAX);
  }
});

// Heads and ends.

Deno.test("the head has the trace, forbids to keep or pack the body, and the guest's media type", async () => {
  const response = await openStream(gateway, { export: "typed" });
  assertTraceId(response);
  assert.equal(response.headers.get("content-type"), "text/plain");
  assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
  assert.equal(response.headers.get("content-encoding"), null);
  assert.equal(response.headers.get("content-security-policy"), "sandbox");
  assert.equal(await response.text(), "before\n");
});

Deno.test("set-content-type after the first chunk is refused: the head has left", async () => {
  const [chunk, done] = await eventsOf(await openStream(gateway, { export: "typed", headers: EVENTS }));
  assert.deepEqual(chunk, { type: "chunk", data: "before\n" });
  assert.deepEqual(JSON.parse(done?.data ?? "").result, [-2]);
});

Deno.test("the end of events has result, chunks, bytes, usage and trace", async () => {
  const response = await openStream(gateway, { export: "count", args: [5, 100], headers: EVENTS });
  const traceId = assertTraceId(response);
  const end = (await eventsOf(response)).at(-1);
  assert.equal(end?.type, "done");
  const { usage, ...rest } = JSON.parse(end.data);
  assert.deepEqual(rest, { status: "ok", result: [0], chunks: 5, bytes: 500, trace_id: traceId });
  assert.ok(usage.fuel > 0 && usage.memory_bytes > 0);
});

Deno.test("a call that writes nothing has its answer whole, in both framings", async () => {
  const octets = await openStream(gateway, { export: "count", args: [0, 1] });
  assert.equal(octets.headers.get("content-length"), "0");
  assert.match(octets.headers.get("x-tensorwasm-fuel") ?? "", /^[0-9]+$/);
  assert.equal((await octets.bytes()).length, 0);
  const events = await eventsOf(
    await openStream(gateway, { export: "count", args: [0, 1], headers: EVENTS }),
  );
  assert.deepEqual(events.map(({ type }) => type), ["done"]);
});

for (const headers of [{}, EVENTS]) {
  const framing = headers === EVENTS ? "events" : "octets";

  Deno.test(`${framing}: what fails before the first byte is an ordinary error`, async () => {
    const trapped = await openStream(gateway, { guest: "trap_unreachable", export: "run", headers });
    await assertProblem(trapped, { status: 500, kind: "wasmtime" });
    const unknown = await openStream(gateway, { guest: "nobody", export: "run", headers });
    await assertProblem(unknown, { status: 404, kind: "not_found" });
    const missing = await openStream(gateway, { export: "nothing", headers });
    await assertProblem(missing, { status: 400, kind: "missing_export" });
    const badArgs = await openStream(gateway, { export: "echo", args: [], headers });
    await assertProblem(badArgs, { status: 400, kind: "invalid_args" });
  });
}

Deno.test("octets of a guest that traps after its first byte break off: the last chunk of HTTP is missing", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/stream/invoke-stream?export=trap", ["content-length: 0"]);
  const text = await connection.readAll();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /\r\n\r\n7\r\nbefore\n\r\n$/);
  assert.doesNotMatch(text, /0\r\n\r\n$/);
  const response = await openStream(gateway, { export: "trap" });
  await assert.rejects(response.bytes());
});

Deno.test("events of a guest that traps after its first byte end with the error and its envelope", async () => {
  const response = await openStream(gateway, { export: "trap", headers: EVENTS });
  const traceId = assertTraceId(response);
  const [chunk, end] = await eventsOf(response);
  assert.deepEqual(chunk, { type: "chunk", data: "before\n" });
  assert.equal(end?.type, "error");
  const failure = JSON.parse(end.data);
  assert.deepEqual(failure.error, { kind: "wasmtime", message: failure.message, trace_id: traceId });
  assert.deepEqual([failure.status, failure.reason], [500, "wasm_error"]);
  assert.deepEqual([failure.chunks, failure.bytes], [1, 7]);
  assert.ok(failure.usage.cpu_us >= 0);
});

Deno.test("the deadline ends a stream like any call", async () => {
  // Far more than it takes to its first chunk, before which the answer would be an ordinary error.
  const headers = { ...EVENTS, "x-tensorwasm-deadline-ms": "1500" };
  const events = await eventsOf(await openStream(gateway, { export: "spin", headers }));
  const failure = JSON.parse(events.at(-1)?.data ?? "");
  assert.deepEqual([failure.status, failure.reason, failure.error.kind], [
    504,
    "deadline_elapsed",
    "invoke_timeout",
  ]);
});

Deno.test("what a guest has written is there while it goes on", async () => {
  const connection = await openSlowly(gateway, { export: "spin", headers: EVENTS });
  let text = "";
  while (!text.includes("data: before\n")) {
    text += new TextDecoder().decode(await connection.readSome() ?? assert.fail("the stream ended"));
  }
  assert.deepEqual(await metricsOf(gateway, "tensor_wasm_streams_active"), [1]);
  connection[Symbol.dispose]();
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 0);
});

// Log lines and metrics.

Deno.test("the last line of a stream says how much it was and how it ended; a failure has its own line", async () => {
  const good = await openStream(gateway, { export: "count", args: [3, 10] });
  await good.bytes();
  const [completed] = (await linesOf(gateway, assertTraceId(good))).slice(-1);
  assert.equal(completed?.message, "request.completed");
  assert.deepEqual(
    [completed["status"], completed["ending"], completed["chunks"], completed["bytes"]],
    [200, "finished", 3, 30],
  );
  const bad = await openStream(gateway, { export: "trap", headers: EVENTS });
  await bad.text();
  const [failed, last] = (await linesOf(gateway, assertTraceId(bad))).slice(-2);
  assert.deepEqual([failed?.message, failed?.["kind"], failed?.["stage"], failed?.["status"]], [
    "request.failed",
    "wasmtime",
    "run",
    500,
  ]);
  assert.deepEqual([last?.["status"], last?.["ending"]], [200, "failed"]);
});

Deno.test("chunks are counted, those that are refused to the guest apart", async () => {
  const names = [
    "tensor_wasm_streaming_chunks_emitted_total",
    "tensor_wasm_streaming_chunks_rejected_total",
    "tensor_wasm_streaming_bytes_total",
  ];
  const before = await metricsOf(gateway, ...names);
  await (await openStream(gateway, { export: "count", args: [4, 25] })).bytes();
  const events = await eventsOf(
    await openStream(gateway, { export: "count", args: [4, CHUNK_BYTES_MAX + 1], headers: EVENTS }),
  );
  assert.deepEqual(JSON.parse(events.at(-1)?.data ?? "").result, [-2]);
  const after = await metricsOf(gateway, ...names);
  assert.deepEqual(after.map((value, index) => value - (before[index] ?? 0)), [4, 1, 100]);
});

Deno.test("clients that leave as soon as they have the first chunk end their guests, and harm nobody", async () => {
  for (let round = 0; round < 60; round++) {
    const connections = [];
    for (let count = 0; count < 4; count++) connections.push(await openSlowly(gateway, { export: "spin" }));
    await Promise.all(connections.map((connection) => connection.readSome()));
    for (const connection of connections) connection[Symbol.dispose]();
    await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 0);
  }
  await awaitMetric(gateway, "tensor_wasm_active_instances", (value) => value === 0);
});

// Limits.

Deno.test("a stream past its bytes or its chunks ends, and says which limit it was", async () => {
  for (
    const [args, message] of [
      [[100, 60_000], "Guest exceeded a limit: stream_bytes is 3000000, got 3060000"],
      [[3001, 1], "Guest exceeded a limit: stream_chunks is 3000, got 3001"],
    ] as const
  ) {
    const events = await eventsOf(await openStream(gateway, { export: "count", args, headers: EVENTS }));
    const failure = JSON.parse(events.at(-1)?.data ?? "");
    assert.deepEqual(failure.error.message, message);
    assert.equal(failure.error.kind, "guest_limit_exceeded");
  }
});

Deno.test("streams past streamsMax are refused, a tenant's own at its part; the places come back", async () => {
  const request = { export: "spin", headers: { "x-tensorwasm-tenant": "1" } };
  for (const tenant of ["1", "2"]) {
    await gateway.deploy("stream", undefined, { "x-tensorwasm-tenant": tenant });
  }
  const connections = [await openSlowly(gateway, request), await openSlowly(gateway, request)];
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 2);
  const third = await openStream(gateway, request);
  assert.equal(third.headers.get("retry-after"), "1");
  await assertProblem(third, {
    status: 429,
    kind: "tenant_capacity_exhausted",
    message: /streamsMax is 2, got 3/,
  });
  const other = { export: "spin", headers: { "x-tensorwasm-tenant": "2" } };
  connections.push(await openSlowly(gateway, other));
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 3);
  await assertProblem(await openStream(gateway, other), { status: 429, kind: "tenant_capacity_exhausted" });
  connections.push(await openSlowly(gateway, { export: "spin" }));
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 4);
  await assertProblem(await openStream(gateway, { export: "spin" }), {
    status: 503,
    kind: "capacity_exhausted",
    message: /streamsMax is 4, got 5/,
  });
  for (const connection of connections) connection[Symbol.dispose]();
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 0);
  await awaitMetric(gateway, "tensor_wasm_active_instances", (value) => value === 0);
});
