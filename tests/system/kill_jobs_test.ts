/**
 * `kill -9` of a gateway with jobs that wait and jobs that run, and a restart on its data folder: nothing that was
 * acknowledged is lost, each job is in exactly the state that was promised, and its spans are in its trace.
 */
import assert from "node:assert/strict";
import { endedJob, postJob, readJob, runningJob, submitJob } from "../flow/job_calls.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { until } from "./program.ts";

const FLAGS = [
  "--cells-min",
  "1",
  "--cells-max",
  "1",
  "--jobs-running-max",
  "2",
  "--drain-timeout-ms",
  "500",
];
const ADD = { export: "add", args: [1, 2] };
const LONG = { "x-tensorwasm-deadline-ms": "600000" };
const INPUT = new Uint8Array(200_000).map((_, index) => index % 251);

interface Place extends AsyncDisposable {
  readonly collector: Collector;
  /** Starts a gateway on the folder; the one before has to have ended. */
  start(): Promise<TestGateway>;
}

async function makePlace(): Promise<Place> {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const collector = new Collector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" };
  return {
    collector,
    start: () => TestGateway.start({ dataFolder, flags: FLAGS, env }),
    [Symbol.asyncDispose]: async () => {
      await collector[Symbol.asyncDispose]();
      await Deno.remove(dataFolder, { recursive: true });
    },
  };
}

async function kill(gateway: TestGateway): Promise<void> {
  gateway.signal("SIGKILL");
  await gateway.status;
}

function newTraceId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

function joining(traceId: string): Record<string, string> {
  return { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: "vendor=1" };
}

Deno.test("kill -9 with jobs that run and wait: nothing is lost, and each is as promised", async (t) => {
  await using place = await makePlace();
  const traces = { once: newTraceId(), again: newTraceId(), waiting: newTraceId() };
  const ids: Record<"once" | "again" | "cancelled" | "waiting" | "large" | "done", string> = {
    once: "",
    again: "",
    cancelled: "",
    waiting: "",
    large: "",
    done: "",
  };
  {
    await using gateway = await place.start();
    for (const guest of ["add", "echo", "sleep"]) await gateway.deploy(guest);
    ids.done = await submitJob(gateway, "add", ADD, { "idempotency-key": "done" });
    await endedJob(gateway, ids.done);
    ids.once = await submitJob(gateway, "sleep", { argv: ["600000"] }, { ...LONG, ...joining(traces.once) });
    ids.again = await submitJob(gateway, "sleep", { argv: ["4000"] }, {
      ...joining(traces.again),
      "x-tensorwasm-idempotent": "true",
    });
    await runningJob(gateway, ids.once);
    await runningJob(gateway, ids.again);
    ids.waiting = await submitJob(gateway, "add", ADD, joining(traces.waiting));
    ids.large = await submitJob(gateway, "echo", INPUT);
    ids.cancelled = await submitJob(gateway, "add", ADD);
    await (await fetch(`${gateway.url}/jobs/${ids.cancelled}`, { method: "DELETE" })).body?.cancel();
    await until(
      "the request's spans have been exported",
      () => place.collector.trace(traces.waiting).some(({ name }) => name === "http.request"),
    );
    await kill(gateway);
  }
  await using gateway = await place.start();

  await t.step("what had ended is as it was, and its key still stands for it", async () => {
    const done = await readJob(gateway, ids.done);
    assert.deepEqual([done.state, done.result?.["result"]], ["completed", [3]]);
    assert.equal(await submitJob(gateway, "add", ADD, { "idempotency-key": "done" }), ids.done);
    assert.equal((await readJob(gateway, ids.cancelled)).state, "cancelled");
  });

  await t.step("what waited runs, with its input", async () => {
    assert.deepEqual((await endedJob(gateway, ids.waiting)).result?.["result"], [3]);
    assert.equal((await endedJob(gateway, ids.large)).state, "completed");
    assert.deepEqual(await (await fetch(`${gateway.url}/jobs/${ids.large}/output`)).bytes(), INPUT);
  });

  await t.step("what ran is interrupted; what may run again has", async () => {
    const once = await readJob(gateway, ids.once);
    assert.deepEqual([once.state, once.status, once.attempt, once.result?.["kind"]], [
      "interrupted",
      "failed",
      1,
      "job_interrupted",
    ]);
    const again = await endedJob(gateway, ids.again);
    assert.deepEqual([again.state, again.attempt], ["completed", 2]);
  });

  await t.step(
    "the spans and lines of the second process are in the traces of the first one's requests",
    async () => {
      const waiting = await awaitTrace(place.collector, traces.waiting, 1);
      // The first process had exported its part, so the second one's has its parent: one tree.
      const names = [...walkSpans(buildSpanTree(waiting))].map(({ name }) => name);
      assert.deepEqual(names.toSorted(), [
        "async_invoke.job",
        "http.invoke_function_async",
        "http.request",
        "invoke.run",
        "tensor_wasm_exec::executor::call_export_with_args",
        "tensor_wasm_exec::executor::spawn_instance",
        "tensor_wasm_exec::executor::terminate",
      ]);
      const jobSpan = waiting.find(({ name }) => name === "async_invoke.job");
      const accepted = waiting.find(({ name }) => name === "http.invoke_function_async");
      assert.equal(jobSpan?.parentSpanId, accepted?.spanId);
      for (const { traceState } of waiting) assert.equal(traceState, "vendor=1");

      const attempts = (traceId: string): (readonly [unknown, string])[] =>
        place.collector.trace(traceId).filter(({ name }) => name === "async_invoke.job")
          .map(({ attributes, status }) => [attributes["attempt"], status.message] as const).toSorted();
      await until("both spans of the job that ran again are here", () => attempts(traces.again).length === 2);
      assert.deepEqual(attempts(traces.again), [[1, "interrupted"], [2, ""]]);
      assert.deepEqual(attempts(traces.once), [[1, "interrupted"]]);
      const interrupted = await gateway.line((line) => line.message === "job.interrupted");
      assert.deepEqual([interrupted.trace_id, interrupted["job_id"]], [traces.once, ids.once]);
      const completed = await gateway.line((line) =>
        line.message === "job.completed" && line["job_id"] === ids.again
      );
      assert.equal(completed.trace_id, traces.again);
    },
  );
});

Deno.test("SIGTERM: running jobs have the drain's time, then are interrupted or left; what waits is left", async () => {
  await using place = await makePlace();
  const ids: string[] = [];
  let waited: Promise<unknown> | undefined;
  {
    await using gateway = await place.start();
    for (const guest of ["add", "sleep"]) await gateway.deploy(guest);
    ids.push(await submitJob(gateway, "sleep", { argv: ["600000"] }, LONG));
    ids.push(await submitJob(gateway, "sleep", { argv: ["3000"] }, { "x-tensorwasm-idempotent": "true" }));
    for (const id of ids) await runningJob(gateway, id);
    ids.push(await submitJob(gateway, "add", ADD));
    // Whoever waits for a job is answered; that it has not ended is no error.
    waited = fetch(`${gateway.url}/jobs/${ids[2]}?wait=60s`).then((response) => response.json());
    const followed = fetch(`${gateway.url}/jobs/${ids[2]}/events`).then((response) => response.text());
    await until("the stream has begun", async () => (await fetch(`${gateway.url}/healthz`)).ok);
    gateway.signal("SIGTERM");
    assert.equal((await gateway.status).code, 0);
    assert.match(await followed, /event: state\ndata: .*"queued".*\n\n: the gateway is shutting down\n\n$/s);
    const finished = gateway.lines.find((line) => line.message === "drain.finished");
    assert.equal(finished?.["abandoned"], 2);
  }
  assert.equal((await waited as { state: string }).state, "queued");
  await using gateway = await place.start();
  const states: string[] = [];
  for (const id of ids) states.push((await endedJob(gateway, id)).state);
  assert.deepEqual(states, ["interrupted", "completed", "completed"]);
  assert.equal((await readJob(gateway, ids[1] ?? "")).attempt, 2);
});

Deno.test("kill -9 while jobs are accepted: every id that was answered is known, ends once, and runs once", async () => {
  await using place = await makePlace();
  const accepted: string[] = [];
  const ROUNDS = 3;
  for (let round = 0; round < ROUNDS; round++) {
    await using gateway = await place.start();
    if (round === 0) await gateway.deploy("add");
    const callers = Array.from({ length: 8 }, async () => {
      for (;;) {
        const response = await postJob(gateway, "add", ADD).catch(() => undefined);
        const body = await response?.json().catch(() => undefined);
        if (body === undefined) return;
        accepted.push(body.job_id);
      }
    });
    const goal = (round + 1) * 40;
    await until("enough were accepted", () => accepted.length >= goal);
    await kill(gateway);
    await Promise.all(callers);
  }
  await using gateway = await place.start();
  assert.equal(new Set(accepted).size, accepted.length);
  let interruptedCount = 0;
  for (const id of accepted) {
    const job = await endedJob(gateway, id);
    assert.ok(job.state === "completed" || job.state === "interrupted", `${id} is ${job.state}`);
    assert.equal(job.attempt, 1);
    if (job.state === "interrupted") interruptedCount++;
  }
  assert.ok(interruptedCount < accepted.length, "what waited was run");
});
