/**
 * 48 streams at a time, which finish, trap, run into their deadline, lose their client, or their cell: 48 whole traces,
 * every line under a span of its own, and nothing left of any of them in the gateway.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { bytesOf, parseEvents } from "../support/event_stream.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { assertNested, CALL_SPANS, linesOf } from "./call_trace.ts";
import { awaitMetric, EVENTS, metricsOf, openSlowly, openStream } from "./stream_client.ts";

const STREAMS_COUNT = 48;
const CHUNK_BYTES = 8_192;
const STREAM_SPANS = CALL_SPANS.map((name) =>
  name === "http.invoke_function" ? "http.invoke_function_stream" : name
);

/** What becomes of a stream; by turns. */
const KINDS = ["finished", "failed", "late", "client_gone", "killed", "finished"] as const;
type Kind = (typeof KINDS)[number];

async function run(gateway: TestGateway, kind: Kind, traceId: string, killed: Promise<void>): Promise<void> {
  const headers = { ...EVENTS, traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
  if (kind === "client_gone") {
    using connection = await openSlowly(gateway, { export: "forever", args: [CHUNK_BYTES], headers });
    await connection.readSome();
    return;
  }
  const late = { ...headers, "x-tensorwasm-deadline-ms": "5000" };
  const request = {
    finished: { export: "count", args: [20, CHUNK_BYTES], headers },
    failed: { export: "trap", headers },
    late: { export: "spin", headers: late },
    // It waits for its client, which reads on only once its cell is dead.
    killed: { export: "forever", args: [CHUNK_BYTES], headers },
  }[kind];
  const response = await openStream(gateway, request);
  assert.equal(response.status, 200);
  if (kind === "killed") await killed;
  const events = parseEvents(await response.text());
  const end = events.at(-1);
  assert.equal(end?.type, kind === "finished" ? "done" : "error");
  if (kind === "finished") assert.equal(bytesOf(events).length, 20 * CHUNK_BYTES);
}

/** Kills the cells that calls run in. */
function killCells(gateway: TestGateway): void {
  for (const line of gateway.lines) {
    if (line.message === "cell.started" && line["pool"] === "calls") {
      Deno.kill(Number(line["pid"]), "SIGKILL");
    }
  }
}

Deno.test("48 streams at a time, however they end, leave 48 whole traces and nothing else", async (t) => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "2", "--cells-max", "2", "--deadline-ms", "120000"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  await gateway.deploy("stream");
  const streams = Array.from({ length: STREAMS_COUNT }, (_, index) => ({
    kind: KINDS[index % KINDS.length] ?? "finished",
    traceId: (index + 1).toString(16).padStart(32, "e"),
  }));
  const killed = Promise.withResolvers<void>();
  const running = streams.map(({ kind, traceId }) => ({
    kind,
    ended: run(gateway, kind, traceId, killed.promise),
  }));
  const endedOf = (isKilled: boolean): Promise<void>[] =>
    running.filter(({ kind }) => (kind === "killed") === isKilled).map(({ ended }) => ended);
  await Promise.all(endedOf(false));
  killCells(gateway);
  killed.resolve();
  await Promise.all(endedOf(true));

  await t.step("each span fires exactly once in each stream, in one tree, on every way out", async () => {
    for (const { kind, traceId } of streams) {
      const tree = buildSpanTree(await awaitTrace(collector, traceId));
      assertNested(tree);
      assert.deepEqual([...walkSpans(tree)].map(({ name }) => name).sort(), [...STREAM_SPANS].sort(), kind);
    }
  });

  await t.step("every line is under a span of its stream, and the last says how it ended", async () => {
    for (const { kind, traceId } of streams) {
      const ids = new Set(collector.trace(traceId).map(({ spanId }) => spanId));
      const lines = await linesOf(gateway, traceId);
      for (const line of lines) assert.ok(ids.has(String(line["span_id"])), line.message);
      const ending = kind === "late" || kind === "killed" ? "failed" : kind;
      assert.equal(lines.at(-1)?.["ending"], ending);
    }
  });

  await t.step("nothing is left: no stream, no instance, no byte", async () => {
    await awaitMetric(gateway, "tensor_wasm_streams_active", (count) => count === 0);
    await awaitMetric(gateway, "tensor_wasm_active_instances", (count) => count === 0);
    assert.deepEqual(await metricsOf(gateway, "tensor_wasm_stream_held_bytes"), [0]);
  });
});
