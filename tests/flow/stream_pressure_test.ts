/**
 * Streams whose clients are slow, stall or leave, and streams whose cell dies: what is held of them, who feels it, and
 * the trace that each leaves. One cell, so that everything shares it.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { parseEvents } from "../support/event_stream.ts";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { assertGolden } from "../support/golden.ts";
import { buildSpanTree, normalizeSpanTree, walkSpans } from "../support/span_tree.ts";
import { assertNested, linesOf } from "./call_trace.ts";
import { assertProblem } from "./problem.ts";
import type { RawConnection } from "./raw_http.ts";
import {
  awaitMetric,
  awaitSlotUsed,
  awaitStuck,
  EVENTS,
  eventsOf,
  metricsOf,
  openSlowly,
  openStream,
} from "./stream_client.ts";
import type { StreamRequest } from "./stream_client.ts";

const CHUNK_BYTES = 65_536;
const WINDOW_BYTES = 262_144;
const DRAIN_MS = 2_000;

let collector: Collector;
let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  collector = new Collector();
  gateway = await TestGateway.start({
    flags: [
      ...["--cells-min", "1", "--cells-max", "1"],
      ...["--stream-window-bytes", String(WINDOW_BYTES), "--stream-drain-ms", String(DRAIN_MS)],
      ...["--stream-bytes-max", String(2 ** 40)],
    ],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  for (const guest of ["add", "spin", "stream"]) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

let traceCount = 0;

/** A request with a trace id of its own, and the id. */
function traced(request: StreamRequest): [StreamRequest, string] {
  const traceId = (++traceCount).toString(16).padStart(32, "a");
  return [
    { ...request, headers: { ...request.headers, traceparent: `00-${traceId}-00f067aa0ba902b7-01` } },
    traceId,
  ];
}

/** Waits until the guest of a stream can write no more, because what it wrote is not read. */
async function awaitFull(): Promise<void> {
  await awaitMetric(
    gateway,
    "tensor_wasm_stream_held_bytes",
    (held) => held > WINDOW_BYTES - 2 * CHUNK_BYTES,
  );
  // What is held is a whole window for moments, too, while its system still takes more.
  await awaitStuck(gateway);
  // Nothing more comes: not between one look and many later ones.
  const emitted = "tensor_wasm_streaming_chunks_emitted_total";
  const [before] = await metricsOf(gateway, emitted);
  for (let look = 0; look < 10; look++) {
    assert.equal((await gateway.invoke("add", { export: "add", args: [1, 2] })).status, 200);
    const [now, held] = await metricsOf(gateway, emitted, "tensor_wasm_stream_held_bytes");
    assert.equal(now, before, "a guest whose client does not read writes nothing more");
    assert.ok((held ?? Infinity) <= WINDOW_BYTES, `held ${held}`);
  }
}

async function awaitIdle(): Promise<void> {
  await awaitMetric(gateway, "tensor_wasm_active_instances", (value) => value === 0);
  await awaitMetric(gateway, "tensor_wasm_streams_active", (value) => value === 0);
  assert.deepEqual(await metricsOf(gateway, "tensor_wasm_stream_held_bytes"), [0]);
}

/** The golden tree of a trace; every span of it ended within its parent. */
async function assertGoldenTrace(file: string, traceId: string): Promise<void> {
  const tree = buildSpanTree(await awaitTrace(collector, traceId));
  // Its caller is not ours.
  assertNested(tree);
  await assertGolden(`spans/${file}.txt`, maskCounts(normalizeSpanTree(tree)));
  const ids = new Set([...walkSpans(tree)].map(({ spanId }) => spanId));
  for (const line of await linesOf(gateway, traceId)) {
    assert.ok(ids.has(String(line["span_id"])), line.message);
  }
}

/** How much has left until a stream is broken off depends on the machine. */
function maskCounts(tree: string): string {
  return tree.replace(/chunks=\d{2,}/g, "chunks=<chunks>").replace(/bytes=\d{6,}/g, "bytes=<bytes>");
}

const killed = new Set<unknown>();

/** Kills the cell that calls run in. */
async function killCell(): Promise<void> {
  const { pid } = await gateway.line((line) =>
    line.message === "cell.started" && line["pool"] === "calls" && !killed.has(line["pid"])
  ) as { readonly pid?: number };
  killed.add(pid);
  Deno.kill(pid ?? assert.fail("a cell has a pid"), "SIGKILL");
}

async function readBytes(connection: RawConnection, count: number): Promise<void> {
  for (let read = 0; read < count;) {
    const bytes = await connection.readSome();
    if (bytes === undefined) throw new Error(`The stream ended after ${read} bytes`);
    read += bytes.length;
  }
}

Deno.test("the trace of a stream that is read to its end", async () => {
  const [request, traceId] = traced({ export: "count", args: [3, 10] });
  await (await openStream(gateway, request)).bytes();
  await assertGoldenTrace("stream", traceId);
});

Deno.test("the trace of a stream whose guest traps after its first chunk", async () => {
  const [request, traceId] = traced({ export: "trap", headers: EVENTS });
  await eventsOf(await openStream(gateway, request));
  await assertGoldenTrace("stream_trap", traceId);
});

Deno.test("the trace of a stream that is refused", async () => {
  const [request, traceId] = traced({ export: "nothing" });
  const response = await openStream(gateway, request);
  await response.body?.cancel();
  await assertGoldenTrace("stream_refused", traceId);
});

Deno.test("a client that does not read is felt by its guest and by nobody's memory, and reads on when it wants", async () => {
  const connection = await openSlowly(gateway, { export: "forever", args: [CHUNK_BYTES] });
  await awaitFull();
  const [before = NaN] = await metricsOf(gateway, "tensor_wasm_streaming_bytes_total");
  await readBytes(connection, 20 * 2 ** 20);
  await awaitMetric(gateway, "tensor_wasm_streaming_bytes_total", (bytes) => bytes > before + 10 * 2 ** 20);
  await awaitFull();
  connection[Symbol.dispose]();
  await awaitIdle();
});

Deno.test("many clients that do not read hold a window each; others of the cell are served meanwhile", async () => {
  using connections = new DisposableStack();
  const count = 8;
  for (let index = 0; index < count; index++) {
    connections.use(await openSlowly(gateway, { export: "forever", args: [CHUNK_BYTES] }));
  }
  const held = "tensor_wasm_stream_held_bytes";
  await awaitMetric(gateway, held, (bytes) => bytes > count * (WINDOW_BYTES - 2 * CHUNK_BYTES));
  for (let look = 0; look < 5; look++) {
    const [bytes = Infinity] = await metricsOf(gateway, held);
    assert.ok(bytes <= count * WINDOW_BYTES, `held ${bytes}`);
    const fast = await openStream(gateway, { export: "count", args: [100, CHUNK_BYTES] });
    assert.equal((await fast.bytes()).length, 100 * CHUNK_BYTES);
  }
  connections.dispose();
  await awaitIdle();
});

Deno.test("streams of one cell all get on: none waits for another that never ends", async () => {
  using connections = new DisposableStack();
  const streams: RawConnection[] = [];
  for (let index = 0; index < 6; index++) {
    streams.push(connections.use(await openSlowly(gateway, { export: "forever", args: [1000] })));
  }
  await Promise.all(streams.map((stream) => readBytes(stream, 2 ** 20)));
  connections.dispose();
  await awaitIdle();
});

/** A client that does not take its answer has a line that says so; it is no failure of the gateway. */
function assertDeparture(line: LogLine | undefined, kind: string): void {
  assert.deepEqual([line?.message, line?.["kind"], line?.["status"], line?.["stage"], line?.["level"]], [
    "request.failed",
    kind,
    499,
    "run",
    "info",
  ]);
}

Deno.test("a client that leaves ends its guest, and the trace says so", async () => {
  const [request, traceId] = traced({ export: "forever", args: [CHUNK_BYTES] });
  const connection = await openSlowly(gateway, request);
  await readBytes(connection, 2 ** 20);
  connection[Symbol.dispose]();
  const lines = await linesOf(gateway, traceId);
  const last = lines.at(-1);
  assert.deepEqual([last?.["status"], last?.["ending"]], [200, "client_gone"]);
  assertDeparture(lines.at(-2), "client_gone");
  await awaitIdle();
  await assertGoldenTrace("stream_client_gone", traceId);
});

Deno.test("a client that leaves a guest which waits for it ends that guest, too", async () => {
  const connection = await openSlowly(gateway, { export: "forever", args: [CHUNK_BYTES] });
  await awaitFull();
  connection[Symbol.dispose]();
  await awaitIdle();
});

Deno.test("a client that stalls holds its guest until the deadline, and no longer", async () => {
  const [request, traceId] = traced({
    export: "forever",
    args: [CHUNK_BYTES],
    // Long enough for its system to be full of what it does not read.
    headers: { ...EVENTS, "x-tensorwasm-deadline-ms": "4000" },
  });
  using _ = await openSlowly(gateway, request);
  // It is not read after that either: its last bytes are given up.
  const [failed, last] = (await linesOf(gateway, traceId)).slice(-2);
  assert.equal(last?.["ending"], "client_stalled");
  assertDeparture(failed, "client_stalled");
  await awaitIdle();
  await assertGoldenTrace("stream_client_stalled", traceId);
});

Deno.test("a client that reads to the end of a guest without one is told of the deadline", async () => {
  const headers = { ...EVENTS, "x-tensorwasm-deadline-ms": "500" };
  using connection = await openSlowly(gateway, { export: "forever", args: [CHUNK_BYTES], headers });
  let tail = "";
  while (!tail.endsWith("0\r\n\r\n")) {
    const bytes = await connection.readSome(2 ** 20);
    if (bytes === undefined) break;
    tail = (tail + new TextDecoder("latin1").decode(bytes)).slice(-2000);
  }
  assert.match(tail, /event: error\ndata: \{"status":504,"reason":"deadline_elapsed"/);
  await awaitIdle();
});

Deno.test("a cell that is killed ends its streams with an error, and their traces are whole", async () => {
  const [request, traceId] = traced({ export: "spin", headers: EVENTS });
  const response = await openStream(gateway, request);
  await killCell();
  const events = await eventsOf(response);
  assert.deepEqual(events.map(({ type }) => type), ["chunk", "error"]);
  const { error } = JSON.parse(events[1]?.data ?? "");
  assert.deepEqual([error.kind, error.trace_id], ["cell_lost", traceId]);
  await assertGoldenTrace("stream_cell_killed", traceId);
});

Deno.test("a call that may run twice does not once a client has read of it", async () => {
  const headers = { ...EVENTS, "x-tensorwasm-idempotent": "true" };
  const response = await openStream(gateway, { export: "spin", headers });
  await killCell();
  const events = parseEvents(await response.text());
  assert.deepEqual(events.map(({ type }) => type), ["chunk", "error"]);
  assert.deepEqual(await metricsOf(gateway, "tensor_wasm_call_retries_total"), [0]);
});

Deno.test("a call that may run twice does, if its cell dies before its first chunk", async () => {
  const [request, traceId] = traced({
    guest: "spin",
    export: "run",
    headers: { "x-tensorwasm-idempotent": "true" },
  });
  const response = openStream(gateway, request);
  await awaitSlotUsed(gateway);
  await killCell();
  await awaitMetric(gateway, "tensor_wasm_call_retries_total", (value) => value === 1);
  // It would spin for ever; twice is all that it is run.
  await awaitSlotUsed(gateway);
  await killCell();
  await assertProblem(await response, { status: 502, kind: "cell_lost" });
  assert.deepEqual(await metricsOf(gateway, "tensor_wasm_call_retries_total"), [1]);
  const lines = await linesOf(gateway, traceId);
  assert.deepEqual(lines.at(-1)?.["status"], 502);
});

Deno.test("a client that leaves before the first chunk ends its guest; its line and its trace are there", async () => {
  const [request, traceId] = traced({ guest: "spin", export: "run" });
  const connection = await openSlowly(gateway, request);
  await awaitSlotUsed(gateway);
  // In the cell that took the place of one killed before, which has not had the module.
  // Answered by the same cell, so the guest was begun: it was there first.
  assert.equal((await gateway.invoke("add", { export: "add", args: [1, 2] })).status, 200);
  connection[Symbol.dispose]();
  const lines = await linesOf(gateway, traceId);
  assert.equal(lines.at(-1)?.["status"], 499);
  await awaitIdle();
  await assertGoldenTrace("stream_left_before_head", traceId);
});
