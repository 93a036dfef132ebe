/**
 * The end of a gateway that has streams: what is read finishes, what outlasts the drain is told, what nobody reads is
 * broken off; each leaves a whole trace and its last line, and the process ends.
 */
import assert from "node:assert/strict";
import { awaitStuck, openSlowly, openStream } from "../flow/stream_client.ts";
import { Collector } from "../support/collector.ts";
import { parseEvents } from "../support/event_stream.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";

const STREAM_SPANS = [
  "http.invoke_function_stream",
  "http.request",
  "invoke.run",
  "tensor_wasm_exec::executor::call_export_with_args",
  "tensor_wasm_exec::executor::spawn_instance",
  "tensor_wasm_exec::executor::terminate",
];

interface Ended {
  readonly collector: Collector;
  readonly gateway: TestGateway;
}

/** Starts a gateway, has `use` begin streams and send SIGTERM, and waits for the end. */
async function drained(
  flags: readonly string[],
  use: (gateway: TestGateway) => Promise<void>,
): Promise<Ended> {
  const collector = new Collector();
  const gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--stream-bytes-max", String(2 ** 40), ...flags],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  await gateway.deploy("stream");
  await use(gateway);
  assert.equal((await gateway.status).code, 0);
  assert.equal(await gateway.stderr, "");
  return { collector, gateway };
}

async function assertEnding({ collector, gateway }: Ended, traceId: string, ending: string): Promise<void> {
  await gateway[Symbol.asyncDispose]();
  const tree = buildSpanTree(collector.trace(traceId));
  assert.deepEqual([...walkSpans(tree)].map(({ name }) => name).sort(), STREAM_SPANS);
  const last = gateway.lines.findLast((line) => line.trace_id === traceId);
  assert.deepEqual([last?.message, last?.["ending"]], ["request.completed", ending]);
  await collector[Symbol.asyncDispose]();
}

function traced(traceId: string): Record<string, string> {
  return { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, accept: "text/event-stream" };
}

Deno.test("a stream that is being read outlasts the drain's beginning and finishes", async () => {
  const traceId = "b".repeat(32);
  const ended = await drained([], async (gateway) => {
    const request = { export: "count", args: [100, 65_536], headers: traced(traceId) };
    const response = await openStream(gateway, request);
    gateway.signal("SIGTERM");
    await gateway.line((line) => line.message === "drain.started");
    assert.equal(parseEvents(await response.text()).at(-1)?.type, "done");
  });
  await assertEnding(ended, traceId, "finished");
});

Deno.test("a stream that outlasts the drain is stopped, and its client is told", async () => {
  const traceId = "c".repeat(32);
  const ended = await drained(["--drain-timeout-ms", "300"], async (gateway) => {
    const response = await openStream(gateway, { export: "spin", headers: traced(traceId) });
    gateway.signal("SIGTERM");
    const events = parseEvents(await response.text());
    assert.deepEqual(events.map(({ type }) => type), ["chunk", "error"]);
    assert.equal(JSON.parse(events[1]?.data ?? "").error.kind, "capacity_exhausted");
  });
  await assertEnding(ended, traceId, "failed");
});

Deno.test("a stream that nobody reads is broken off, and does not keep the gateway", async () => {
  const traceId = "d".repeat(32);
  const ended = await drained(["--drain-timeout-ms", "300"], async (gateway) => {
    using _ = await openSlowly(gateway, { export: "forever", args: [65_536], headers: traced(traceId) });
    await awaitStuck(gateway);
    gateway.signal("SIGTERM");
    await gateway.status;
  });
  const failed = ended.gateway.lines.find((line) =>
    line.message === "request.failed" && line.trace_id === traceId
  );
  assert.deepEqual([failed?.["kind"], failed?.["status"], failed?.["stage"]], [
    "capacity_exhausted",
    503,
    "run",
  ]);
  await assertEnding(ended, traceId, "gateway_closed");
});
