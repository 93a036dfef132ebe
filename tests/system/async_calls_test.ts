/**
 * Thousands of asynchronous calls that are all outstanding at a time, a tenth of which trap, time out or are in a
 * cell that is killed: each is one whole trace of its own, and each line of it has its id.
 *
 * The four spans that the contract names, and the three around them, fire exactly once for each call; a call that
 * its caller marks idempotent may be run a second time when its cell dies, so none here is. ASYNC_CALLS sets how
 * many calls there are: 2,000 in every build, 10,000 by `deno task test:async`. The gateway's own trace store, with its
 * default bounds, answers for each of them as the collector does.
 */
import assert from "node:assert/strict";
import { Collector, type DecodedSpan } from "../support/collector.ts";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { type ShownJob, submitJob } from "../flow/job_calls.ts";
import { until } from "./program.ts";
import { assertWhole, metricOf, readTraces } from "./stored_traces.ts";

const CALLS_COUNT = Number(Deno.env.get("ASYNC_CALLS") ?? 2_000);
/** Requests under way at a time while the calls are submitted; the calls themselves are outstanding together. */
const CALLERS_COUNT = 64;
const RUNNING_MAX = 16;
/** A kill takes as many calls with it as its cell has, up to all that run. */
const CALLS_PER_KILL = 200;

const JOB_SPANS = [
  "async_invoke.job",
  "http.invoke_function_async",
  "http.request",
  "invoke.run",
  "tensor_wasm_exec::executor::call_export_with_args",
  "tensor_wasm_exec::executor::spawn_instance",
  "tensor_wasm_exec::executor::terminate",
];
const JOB_LINES = ["job.queued", "job.started", "request.completed", "request.received"];
/** Lines that belong to no request. */
const PROCESS_MESSAGE = /^(cell|drain|gpu|telemetry|trace_store|export)\./;

interface Kind {
  readonly guest: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The kind of its error if no cell dies under it; undefined for a success. */
  readonly error?: string;
  /** How its trace went, likewise. */
  readonly status: string;
  /** How many of a hundred calls are of it. */
  readonly share: number;
}

const KINDS: readonly Kind[] = [
  { guest: "trap_unreachable", body: { export: "run" }, error: "wasmtime", status: "error", share: 4 },
  {
    guest: "spin",
    body: { export: "run" },
    headers: { "x-tensorwasm-deadline-ms": "40" },
    error: "invoke_timeout",
    status: "timeout",
    share: 4,
  },
  // These last long enough for cells to be killed under them.
  { guest: "sleep", body: { argv: ["150"] }, status: "ok", share: 6 },
  { guest: "add", body: { export: "add", args: [1, 2] }, status: "ok", share: 86 },
];

interface Call {
  readonly kind: Kind;
  readonly traceId: string;
  readonly id: string;
}

/** The kinds of a hundred calls, spread. */
function kindOf(index: number): Kind {
  let place = (index * 37) % 100;
  for (const kind of KINDS) {
    if (place < kind.share) return kind;
    place -= kind.share;
  }
  throw new Error("Shares do not add up to a hundred");
}

async function submitAll(gateway: TestGateway): Promise<Call[]> {
  const calls: Call[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < CALLS_COUNT) {
      const kind = kindOf(next++);
      const traceId = crypto.randomUUID().replaceAll("-", "");
      const headers = { ...kind.headers, traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
      calls.push({ kind, traceId, id: await submitJob(gateway, kind.guest, kind.body, headers) });
    }
  };
  await Promise.all(Array.from({ length: CALLERS_COUNT }, caller));
  return calls;
}

/** Jobs that only a cancel ends, so that nothing else runs before all calls are outstanding. */
async function blockAll(gateway: TestGateway): Promise<() => Promise<void>> {
  const headers = { "x-tensorwasm-deadline-ms": "600000" };
  const ids: string[] = [];
  for (let count = 0; count < RUNNING_MAX; count++) {
    ids.push(await submitJob(gateway, "sleep", { argv: ["600000"] }, headers));
  }
  return async () => {
    for (const id of ids) {
      await (await fetch(`${gateway.url}/jobs/${id}`, { method: "DELETE" })).body?.cancel();
    }
  };
}

async function activeCount(gateway: TestGateway): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return Number(/^tensor_wasm_jobs_active (\d+)$/m.exec(text)?.[1]);
}

/** The processes of cells that serve calls and live, as far as the log tells. */
function cellPids(gateway: TestGateway): number[] {
  const ended = new Set(
    gateway.lines.filter(({ message }) => message === "cell.ended").map(({ pid }) => pid),
  );
  return gateway.lines.filter((line) => line.message === "cell.started" && line["pool"] === "calls")
    .map((line) => Number(line["pid"])).filter((pid) => !ended.has(pid));
}

/**
 * Kills a cell each time that so many more calls have ended, once another one is there to go on with, until all
 * calls have ended. Answers how many it killed.
 */
async function killCellsUntilAllEnded(gateway: TestGateway): Promise<number> {
  let count = 0;
  await until("every call has ended", async () => {
    const left = await activeCount(gateway);
    const [oldest, ...others] = cellPids(gateway);
    const isDue = CALLS_COUNT - left >= (count + 1) * CALLS_PER_KILL;
    if (left === 0 || !isDue || oldest === undefined || others.length === 0) return left === 0;
    try {
      Deno.kill(oldest, "SIGKILL");
      count++;
    } catch {
      // It has ended, and its line is not here yet.
    }
    return false;
  }, { waitMsMax: 60_000 + CALLS_COUNT * 60, pollMs: 50 });
  return count;
}

async function listAll(gateway: TestGateway): Promise<Map<string, ShownJob>> {
  const all = new Map<string, ShownJob>();
  let query = "?limit=1000";
  do {
    const { jobs, next_cursor: cursor } = await (await fetch(`${gateway.url}/jobs${query}`)).json();
    for (const job of jobs as ShownJob[]) all.set(job.id, job);
    query = cursor === undefined ? "" : `?limit=1000&cursor=${cursor}`;
  } while (query !== "");
  return all;
}

function byTrace<T>(items: readonly T[], traceIdOf: (item: T) => string | undefined): Map<string, T[]> {
  const traces = new Map<string, T[]>();
  for (const item of items) {
    const traceId = traceIdOf(item);
    if (traceId === undefined) continue;
    const known = traces.get(traceId);
    if (known === undefined) traces.set(traceId, [item]);
    else known.push(item);
  }
  return traces;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

Deno.test(`${CALLS_COUNT} asynchronous calls at a time, a tenth of them in trouble, leave as many whole traces`, async (t) => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "2", "--cells-max", "3", "--jobs-running-max", String(RUNNING_MAX)],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_BSP_MAX_QUEUE_SIZE: "200000",
    },
  });
  for (const { guest } of KINDS) await gateway.deploy(guest);

  const unblock = await blockAll(gateway);
  const startMs = performance.now();
  const calls = await submitAll(gateway);
  const submittedMs = performance.now();
  assert.equal(await activeCount(gateway), CALLS_COUNT + RUNNING_MAX);
  await unblock();
  const killsCount = await killCellsUntilAllEnded(gateway);
  const endedMs = performance.now();
  const perSecond = (ms: number): number => Math.round(CALLS_COUNT / ms * 1000);
  say(
    `${CALLS_COUNT} calls: accepted at ${perSecond(submittedMs - startMs)}/s, run at ${
      perSecond(endedMs - submittedMs)
    }/s, ${killsCount} cells killed`,
  );

  const jobs = await listAll(gateway);
  const traces = await awaitSpans(collector, calls);

  await t.step("every call has ended as its guest does, or with its cell", () => {
    const counts: Record<string, number> = {};
    for (const { id, kind } of calls) {
      const job = jobs.get(id);
      assert.ok(job !== undefined);
      const error = job.state === "failed" ? String(job.result?.["kind"]) : undefined;
      const ended = error ?? job.state;
      counts[ended] = (counts[ended] ?? 0) + 1;
      if (error === "cell_lost") continue;
      assert.deepEqual([job.state, error], [kind.error === undefined ? "completed" : "failed", kind.error]);
    }
    say(JSON.stringify(counts));
    for (const ended of ["completed", "wasmtime", "invoke_timeout", "cell_lost"]) {
      assert.ok((counts[ended] ?? 0) > 0, `no call ended as ${ended}`);
    }
  });

  await t.step("each span fires exactly once for each call, in one tree without an orphan", () => {
    for (const { id, traceId } of calls) {
      const tree = buildSpanTree(traces.get(traceId) ?? []);
      const spans = [...walkSpans(tree)];
      assert.deepEqual(spans.map(({ name }) => name).sort(), JOB_SPANS);
      const job = spans.find(({ name }) => name === "async_invoke.job");
      assert.deepEqual([job?.attributes["job_id"], job?.attributes["attempt"]], [id, 1]);
    }
  });

  await t.step("no trace, no span and no instance is shared", () => {
    const all: DecodedSpan[] = calls.flatMap(({ traceId }) => traces.get(traceId) ?? []);
    assert.equal(new Set(calls.map(({ traceId }) => traceId)).size, CALLS_COUNT);
    assert.equal(new Set(all.map(({ spanId }) => spanId)).size, all.length);
    const instances = all.map(({ attributes }) => attributes["instance_id"]).filter((id) => id !== undefined);
    assert.equal(new Set(instances).size, CALLS_COUNT);
  });

  await t.step("each line of a call is in its trace, under a span of it, once", () => {
    const lines = byTrace(gateway.lines, (line) => line.trace_id);
    for (const { id, traceId } of calls) {
      const own: readonly LogLine[] = lines.get(traceId) ?? [];
      const ends = own.filter(({ message }) => message === "job.completed" || message === "job.failed");
      assert.equal(ends.length, 1);
      const begun = own.map(({ message }) => message).filter((message) => JOB_LINES.includes(message));
      assert.deepEqual(begun.toSorted(), JOB_LINES);
      for (const line of own) assert.ok(line["job_id"] === undefined || line["job_id"] === id);
      const spanIds = new Set(traces.get(traceId)?.map(({ spanId }) => spanId));
      for (const line of own) assert.ok(spanIds.has(String(line["span_id"])), line.message);
    }
  });

  await t.step(
    "the trace store answers for each id: the same spans as one tree, and the same lines",
    async () => {
      const startMs = performance.now();
      const stored = await readTraces(gateway, calls.map(({ traceId }) => traceId));
      const readMs = performance.now() - startMs;
      const lines = byTrace(gateway.lines, (line) => line.trace_id);
      for (const { id, kind, traceId } of calls) {
        const trace = stored.get(traceId);
        assert.ok(trace !== undefined);
        assertWhole(trace);
        assert.deepEqual(trace.spans.map(({ name }) => name).sort(), JOB_SPANS);
        const exported = traces.get(traceId)?.map(({ spanId }) => spanId);
        assert.deepEqual(trace.spans.map(({ span_id }) => span_id).sort(), exported?.sort());
        const said = lines.get(traceId)?.map(({ message }) => message);
        assert.deepEqual(trace.logs.map(({ message }) => message).sort(), said?.sort());
        const isLost = jobs.get(id)?.result?.["kind"] === "cell_lost";
        assert.equal(trace.status, isLost ? "kill" : kind.status);
      }
      const bytes = await metricOf(gateway, "tensor_wasm_trace_store_bytes");
      const count = await metricOf(gateway, "tensor_wasm_trace_store_traces");
      assert.ok(count >= CALLS_COUNT);
      assert.equal(await metricOf(gateway, "tensor_wasm_trace_store_evicted_total"), 0);
      assert.equal(await metricOf(gateway, "tensor_wasm_trace_store_dropped_total"), 0);
      say(
        `trace store: ${count} traces, ${Math.round(bytes / count)} bytes each, read at ${
          perSecond(readMs)
        }/s`,
      );
    },
  );

  await t.step(
    "no line of a request or job is without a trace, and nothing was lost on the way",
    async () => {
      const without = gateway.lines.filter(({ trace_id }) => trace_id === undefined).map(({ message }) =>
        message
      );
      assert.deepEqual(without.filter((message) => !PROCESS_MESSAGE.test(message)), []);
      assert.deepEqual(gateway.strayLines, []);
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      const dropped = [...text.matchAll(/^tensor_wasm_spans_dropped_total(?:\{.*\})? (\d+)$/gm)].map((
        [, count],
      ) => count);
      assert.deepEqual(dropped.filter((count) => count !== "0"), []);
    },
  );
});

/** The spans of every call by trace, once all have arrived. */
async function awaitSpans(collector: Collector, calls: readonly Call[]): Promise<Map<string, DecodedSpan[]>> {
  let traces = new Map<string, DecodedSpan[]>();
  await until("every span has arrived", () => {
    traces = byTrace(collector.spans, ({ traceId }) => traceId);
    return Promise.resolve(
      calls.every(({ traceId }) => (traces.get(traceId)?.length ?? 0) >= JOB_SPANS.length),
    );
  }, { waitMsMax: 60_000, pollMs: 200 });
  return traces;
}
