/**
 * The trace of a job, decoded from what a collector received: one tree with the request that it came by, on every
 * way out; and its log lines, which have the ids of that trace although the request was answered long before.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { assertGolden } from "../support/golden.ts";
import { buildSpanTree, normalizeSpanTree, type SpanNode, walkSpans } from "../support/span_tree.ts";
import { assertNested } from "./call_trace.ts";
import { cancelJob, endedJob, runningJob, submitJob } from "./job_calls.ts";
import { awaitSlotUsed } from "./stream_client.ts";

let collector: Collector;
let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  collector = new Collector();
  gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--jobs-running-max", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  for (const guest of ["add", "log_lines", "sleep", "spin", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

interface TracedJob {
  readonly id: string;
  readonly traceId: string;
}

async function submit(
  guest: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<TracedJob> {
  const traceId = crypto.randomUUID().replaceAll("-", "");
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  return { id: await submitJob(gateway, guest, body, { traceparent, ...headers }), traceId };
}

/** The tree of a job that has ended. Below the job's span everything is nested; the job itself outlives its parent. */
async function treeOf({ traceId }: TracedJob): Promise<SpanNode> {
  const tree = buildSpanTree(await awaitTrace(collector, traceId, 1));
  const [accepted] = tree.children;
  const [job] = accepted?.children ?? [];
  assert.ok(accepted !== undefined && job !== undefined);
  assertNested(job);
  assertNested({ span: tree.span, children: [{ span: accepted.span, children: [] }] });
  assert.ok(job.span.startNanos >= accepted.span.startNanos);
  return tree;
}

async function assertGoldenTrace(name: string, job: TracedJob): Promise<void> {
  await assertGolden(`spans/${name}.txt`, normalizeSpanTree(await treeOf(job)));
}

Deno.test("the trace of a job", async () => {
  const job = await submit("add", { export: "add", args: [1, 2] });
  await endedJob(gateway, job.id);
  await assertGoldenTrace("job", job);
});

Deno.test("the trace of a job that traps", async () => {
  const job = await submit("trap_unreachable", { export: "run" });
  await endedJob(gateway, job.id);
  await assertGoldenTrace("job_trap", job);
});

Deno.test("the trace of a job that is stopped at its deadline", async () => {
  const job = await submit("spin", { export: "run" }, { "x-tensorwasm-deadline-ms": "150" });
  await endedJob(gateway, job.id);
  await assertGoldenTrace("job_deadline", job);
});

Deno.test("the trace of a job that is cancelled while it runs, and of one that waits then", async () => {
  const running = await submit("spin", { export: "run" });
  await runningJob(gateway, running.id);
  const waiting = await submit("add", { export: "add", args: [1, 2] });
  await cancelJob(gateway, waiting.id);
  await assertGoldenTrace("job_cancelled_waiting", waiting);
  await cancelJob(gateway, running.id);
  await endedJob(gateway, running.id);
  await assertGoldenTrace("job_cancelled", running);
});

Deno.test("the trace of a job whose cell is killed, and of one that may run again then", async () => {
  for (
    const [name, headers] of [["job_cell_killed", {}], ["job_retried", {
      "x-tensorwasm-idempotent": "true",
    }]] as const
  ) {
    const job = await submit("sleep", { argv: ["2000"] }, headers);
    await runningJob(gateway, job.id);
    // What has a slot has been sent to its cell.
    await awaitSlotUsed(gateway);
    await killCell();
    await endedJob(gateway, job.id);
    await assertGoldenTrace(name, job);
  }
});

/** Kills the cell that serves calls, once there is one. */
async function killCell(): Promise<void> {
  const ended = new Set(
    gateway.lines.filter(({ message }) => message === "cell.ended").map((line) => line["pid"]),
  );
  const { pid } = await gateway.line((line) =>
    line.message === "cell.started" && line["pool"] === "calls" && !ended.has(line["pid"])
  );
  Deno.kill(Number(pid), "SIGKILL");
  await gateway.line((line) => line.message === "cell.ended" && line["pid"] === pid);
}

Deno.test("the lines of a job have the ids of its request's trace, the guest's lines too", async () => {
  const job = await submit("log_lines", { argv: ["1"] }, { tracestate: "vendor=1" });
  await endedJob(gateway, job.id);
  const tree = await treeOf(job);
  const ended = await gateway.line((line) => line.message === "job.completed" && line["job_id"] === job.id);
  const lines = gateway.lines.filter((line) => line.trace_id === job.traceId);
  assert.deepEqual(lines.map((line) => line.message).filter((message) => message !== "request.completed"), [
    "request.received",
    "job.queued",
    "job.started",
    "guest.stdout",
    "guest.stderr",
    "job.completed",
  ]);
  const names = new Map([...walkSpans(tree)].map((span) => [span.spanId, span.name]));
  assert.deepEqual(
    lines.filter((line) => line.message.startsWith("job.")).map((line) => names.get(String(line["span_id"]))),
    ["http.invoke_function_async", "async_invoke.job", "async_invoke.job"],
  );
  for (const line of lines.filter(({ message }) => message.startsWith("job."))) {
    assert.deepEqual([line["job_id"], line["tenant"]], [job.id, "0"]);
  }
  assert.ok(Number(ended["duration_ms"]) > 0);
  for (const span of walkSpans(tree)) assert.equal(span.traceState, "vendor=1", span.name);
});

Deno.test("a request that names a known key joins its own trace, and starts no job in it", async () => {
  const headers = { "idempotency-key": "traced" };
  const first = await submit("add", { export: "add", args: [1, 2] }, headers);
  await endedJob(gateway, first.id);
  const again = await submit("add", { export: "add", args: [1, 2] }, headers);
  assert.equal(again.id, first.id);
  const spans = await awaitTrace(collector, again.traceId);
  assert.deepEqual(spans.map(({ name }) => name).sort(), ["http.invoke_function_async", "http.request"]);
});

Deno.test("a caller that does not sample is followed: ids in the lines, and no span", async () => {
  const traceId = "9".repeat(32);
  const id = await submitJob(gateway, "add", { export: "add", args: [1, 2] }, {
    traceparent: `00-${traceId}-00f067aa0ba902b7-00`,
  });
  await endedJob(gateway, id);
  const ended = await gateway.line((line) => line.message === "job.completed" && line["job_id"] === id);
  assert.deepEqual([ended.trace_id, ended["trace_flags"]], [traceId, "00"]);
  // What comes after it is exported, so it would have been by now.
  await treeOf(await submit("add", { export: "add", args: [1, 2] }));
  assert.deepEqual(collector.trace(traceId), []);
});
