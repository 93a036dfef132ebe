/** Jobs over a real store: their ways through the states, what restarts and drains do to them, and their bounds. */
import assert from "node:assert/strict";
import { InvariantError } from "../../../runtime/model/invariant.ts";
import { fault } from "../../../runtime/model/fault.ts";
import type { JobRecord } from "../../../runtime/model/job.ts";
import { ClientGone } from "../../../runtime/executor/admission.ts";
import { JobPlace } from "./job_place.ts";

const HOUR_MS = 3_600_000;

Deno.test("a job is queued, runs once its start is durable, and ends as its run did", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit("7", { input: new Uint8Array([1, 2]) });
  assert.equal(place.record(id).state, "queued");
  await place.settled();
  assert.deepEqual([place.record(id).state, place.record(id).attempt], ["running", 1]);
  const [run] = place.runs;
  assert.deepEqual(run?.invocation.input, new Uint8Array([1, 2]));
  assert.deepEqual([run?.invocation.deadlineMs, run?.invocation.deadlineFrom], [1000, "slot"]);
  run?.end({ output: new Uint8Array([3]) });
  await place.settled();
  assert.equal(place.record(id).state, "completed");
  assert.deepEqual(await place.jobs.output(id), new Uint8Array([3]));
});

for (
  const [what, end, state, kind] of [
    ["exits with 3", { outcome: { type: "exited", exitCode: 3 } }, "failed", undefined],
    ["exits with 0", { outcome: { type: "exited", exitCode: 0 } }, "completed", undefined],
    ["traps", { outcome: { type: "trapped", trap: "unreachable" } }, "failed", undefined],
    ["is lost", { outcome: { type: "lost", reason: "cell_sigkill" } }, "failed", undefined],
    ["is refused", fault("module_quarantined", "no"), "failed", "module_quarantined"],
    ["finds a bug", new InvariantError("secret"), "failed", "internal"],
    ["finds its client gone", new ClientGone(), "cancelled", "job_cancelled"],
  ] as const
) {
  Deno.test(`a job whose run ${what} is ${state}`, async () => {
    await using place = await JobPlace.make();
    const id = await place.submit();
    await place.settled();
    const [run] = place.runs;
    if (end instanceof Error) run?.fail(end);
    else run?.end(end);
    await place.settled();
    const record = place.record(id);
    assert.equal(record.state, state);
    assert.equal(record.end?.type === "fault" ? record.end.fault.code : undefined, kind);
    assert.ok(!JSON.stringify(record).includes("secret"));
  });
}

Deno.test("a job that finds no room waits again, and its attempt does not count", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  await place.settled();
  place.runs[0]?.fail(fault("capacity_exhausted", "full", { retryAfterSeconds: 3 }));
  await place.settled();
  assert.deepEqual([place.record(id).state, place.record(id).attempt], ["queued", 0]);
  place.clock.advance(2_900);
  await place.settled();
  assert.equal(place.record(id).state, "queued");
  place.clock.advance(200);
  await place.settled();
  assert.deepEqual([place.record(id).state, place.record(id).attempt], ["running", 1]);
});

Deno.test("a job whose function was deleted while it waited fails with not_found", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1 } });
  await place.submit();
  const id = await place.submit("7", { functionId: "gone" });
  place.deleted.add("gone");
  await place.settled();
  place.runs[0]?.end();
  await place.settled();
  const { state, end } = place.record(id);
  assert.deepEqual([state, end?.type === "fault" && end.fault.code], ["failed", "not_found"]);
});

// Order and bounds.

Deno.test("tenants have their turns, and each its own bound", async () => {
  const tenants = new Map([["8", { jobsRunningPerTenantMax: 1 }]]);
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 3 }, tenants });
  const first: string[] = [];
  for (let count = 0; count < 4; count++) first.push(await place.submit("7"));
  const second = [await place.submit("8"), await place.submit("8")];
  await place.settled();
  assert.deepEqual(place.begun, first.slice(0, 3));
  place.runs[0]?.end();
  place.runs[0]?.end();
  await place.settled();
  // One each, and of the other tenant only one at a time.
  assert.deepEqual(place.begun.slice(3), [first[3], second[0]]);
  assert.equal(place.record(second[1] ?? "").state, "queued");
});

Deno.test("while others wait for slots, jobs begin slowly, and do not stand still", async () => {
  await using place = await JobPlace.make();
  place.isBusy = true;
  for (let count = 0; count < 3; count++) await place.submit();
  await place.settled();
  assert.equal(place.runs.length, 1);
  place.clock.advance(100);
  await place.settled();
  assert.equal(place.runs.length, 2);
  place.isBusy = false;
  place.clock.advance(100);
  await place.settled();
  assert.equal(place.runs.length, 3);
});

Deno.test("a job that waits for too long fails, in line or when its turn comes", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1, jobQueueMsMax: HOUR_MS } });
  await place.submit();
  const late = await place.submit();
  await place.settled();
  place.clock.advance(HOUR_MS + 1_000);
  await place.settled();
  const { state, end } = place.record(late);
  assert.deepEqual([state, end?.type === "fault" && end.fault.code], ["failed", "job_expired"]);
  assert.match(JSON.stringify(end), /jobQueueMsMax is 3600000, got 360\d{4}/);
  assert.deepEqual(place.begun.length, 1);
});

Deno.test("a replay is answered however full the queue is", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1, jobsQueuedPerTenantMax: 1 } });
  await place.submit();
  await place.settled();
  const idempotency = { key: "k", functionRef: "f" };
  const id = await place.submit("7", { idempotency });
  await assert.rejects(place.submit(), { code: "tenant_capacity_exhausted" });
  assert.equal(await place.submit("7", { idempotency }), id);
  await assert.rejects(place.submit("7", { idempotency: { ...idempotency, functionRef: "g" } }), {
    code: "idempotency_conflict",
  });
});

Deno.test("what a call has over 4 KiB counts as input, after a restart too, until its job has ended", async () => {
  await using place = await JobPlace.make({
    limits: { jobInputsPerTenantBytesMax: 10_000, jobsRunningMax: 1 },
  });
  const call = {
    export: "run",
    args: [],
    resultTypes: [],
    programArgs: ["a".repeat(8_000)],
    environment: [],
    deadlineMs: 1000,
    idempotent: false,
  };
  await place.submit();
  await place.submit("7", { call });
  const waiting = await place.submit("7", { call });
  const tooMuch = {
    code: "tenant_capacity_exhausted",
    message: /^Inputs of the tenant's jobs are too large together/,
  };
  await assert.rejects(place.submit("7", { call }), tooMuch);
  // Nobody else's matter, and none of a job that has nothing of the kind.
  await place.submit("8", { call });
  await place.submit();
  await place.crash();
  await assert.rejects(place.submit("7", { call }), tooMuch);
  assert.equal((await place.jobs.cancel(waiting, "7", 0)).state, "cancelled");
  await place.submit("7", { call });
});

Deno.test("submissions that are under way count, so that none slips in", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1, jobsQueuedPerTenantMax: 3 } });
  await place.submit();
  await place.settled();
  const answers = await Promise.allSettled(Array.from({ length: 5 }, () => place.submit()));
  assert.equal(answers.filter(({ status }) => status === "fulfilled").length, 3);
});

// Restarts.

Deno.test("kill -9: what waits waits on, what ran is interrupted, or runs again if it may", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 2 } });
  const once = await place.submit();
  const again = await place.submit("7", { idempotent: true });
  const waiting = await place.submit("7", { input: new Uint8Array([9]) });
  await place.settled();
  assert.deepEqual(place.states([once, again, waiting]), ["running", "running", "queued"]);
  await place.crash();
  assert.deepEqual(place.states([once, again, waiting]), ["interrupted", "running", "running"]);
  assert.deepEqual([place.record(again).attempt, place.record(waiting).attempt], [2, 1]);
  const inputs = place.runs.map(({ invocation }) => invocation.input.length);
  assert.deepEqual(inputs, [0, 1]);
  const { end } = place.record(once);
  assert.equal(end?.type === "fault" && end.fault.code, "job_interrupted");
});

Deno.test("an idempotent job has so many runs, and no more", async () => {
  await using place = await JobPlace.make({ limits: { jobAttemptsMax: 2 } });
  const id = await place.submit("7", { idempotent: true });
  await place.settled();
  await place.crash();
  assert.deepEqual([place.record(id).state, place.record(id).attempt], ["running", 2]);
  await place.crash();
  assert.deepEqual([place.record(id).state, place.record(id).attempt], ["interrupted", 2]);
  assert.equal(place.begun.length, 2);
});

Deno.test("a job that its caller wanted stopped is cancelled by a restart, not run again", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit("7", { idempotent: true });
  await place.settled();
  await place.store.jobs.requestCancel(id);
  await place.crash();
  assert.equal(place.record(id).state, "cancelled");
});

Deno.test("SIGTERM: what outlasts the drain is interrupted, or left to the next process if it may run again", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 2 } });
  const ids = [await place.submit(), await place.submit("7", { idempotent: true }), await place.submit()];
  await place.settled();
  await place.drain();
  assert.deepEqual(place.states(ids), ["interrupted", "running", "running"]);
  assert.equal(place.record(ids[1] ?? "").attempt, 2);
  // Only of what runs again its span says so: the trace of the other is complete.
  const spans = (await place.telemetry.spans()).filter(({ name }) => name === "async_invoke.job");
  const requeued = (id: string | undefined): unknown[] =>
    spans.filter(({ attributes }) => attributes["job_id"] === id && attributes["attempt"] === 1)
      .map(({ attributes, status }) => [attributes["requeued"], status.message]);
  assert.deepEqual(requeued(ids[0]), [[undefined, "job_interrupted"]]);
  assert.deepEqual(requeued(ids[1]), [["drain", "interrupted"]]);
});

Deno.test("a restarted job's spans are in the trace of the request that it came by", async () => {
  await using place = await JobPlace.make();
  const { tracer } = place.telemetry.telemetry;
  const span = tracer.startSpan("http.invoke_function_async", { function_id: "f", tenant: "7" });
  const id = await tracer.withSpan(span, () => place.submit("7", { idempotent: true }));
  span.end();
  await place.settled();
  await place.crash();
  place.runs[0]?.end();
  await place.settled();
  const jobs = (await place.telemetry.spans()).filter(({ name }) => name === "async_invoke.job");
  // The span of the run that nobody could end, and that of the one that went well.
  assert.deepEqual(
    jobs.map(({ attributes, status }) => [attributes["attempt"], attributes["requeued"], status.message])
      .sort(),
    [
      [1, "restart", "interrupted"],
      [2, undefined, ""],
    ],
  );
  for (const { traceId, parentSpanId } of jobs) {
    assert.deepEqual([traceId, parentSpanId], [span.ids?.traceId, span.ids?.spanId]);
  }
  const lines = place.telemetry.lines.filter((line) => line["job_id"] === id);
  assert.deepEqual(lines.map((line) => line["message"]), [
    "job.queued",
    "job.started",
    "job.requeued",
    "job.started",
    "job.completed",
  ]);
  for (const line of lines) assert.equal(line["trace_id"], span.ids?.traceId);
});

// Cancelling and waiting.

Deno.test("a cancel while the start becomes durable stops the job before its run", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  const cancelled = place.jobs.cancel(id, "7", 1000);
  await place.settled();
  assert.equal((await cancelled).state, "cancelled");
  assert.equal(place.runs.length, 0);
});

Deno.test("wait() answers when the job ends, when its time is over, when the client leaves, when the gateway drains", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  await place.settled();
  let isGone = (): void => {};
  const waits: Promise<JobRecord>[] = [
    place.jobs.wait(id, "7", 500),
    place.jobs.wait(id, "7", 60_000, { onCancel: (callback) => void (isGone = callback) }),
    place.jobs.wait(id, "7", 60_000),
  ];
  const timers = place.clock.timerCount;
  place.clock.advance(500);
  assert.equal((await waits[0])?.state, "running");
  isGone();
  await waits[1];
  assert.equal(place.clock.timerCount, timers - 2, "each took its timer with it");
  place.runs[0]?.end();
  await place.settled();
  assert.equal((await waits[2])?.state, "completed");
  const other = await place.submit();
  await place.settled();
  const last = place.jobs.wait(other, "7", 60_000);
  place.jobs.endWatches();
  assert.equal((await last).state, "running");
});

Deno.test("so many may wait, of a tenant and of all; who leaves makes room", async () => {
  const limits = { jobWatchersMax: 3, jobWatchersPerTenantMax: 2 };
  await using place = await JobPlace.make({ limits });
  const mine = await place.submit();
  const other = await place.submit("8");
  await place.settled();
  let leave = (): void => {};
  const first = place.jobs.wait(mine, "7", 1000, { onCancel: (callback) => void (leave = callback) });
  void place.jobs.wait(mine, "7", 1000);
  await assert.rejects(place.jobs.wait(mine, "7", 1000), { code: "tenant_capacity_exhausted" });
  void place.jobs.wait(other, "8", 1000);
  await assert.rejects(place.jobs.wait(other, "8", 1000), { code: "capacity_exhausted" });
  leave();
  await first;
  const again = place.jobs.wait(other, "8", 1000);
  place.clock.advance(1000);
  assert.equal((await again).state, "running");
});

// A store that refuses.

Deno.test("an end that cannot be stored is stored later, and told only then", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  await place.settled();
  const waited = place.jobs.wait(id, "7", 60_000);
  place.storeError = fault("internal", "Job could not be changed: no space is left");
  place.runs[0]?.end();
  await place.settled();
  assert.equal(place.record(id).state, "running");
  place.storeError = undefined;
  place.clock.advance(5_000);
  await place.settled();
  assert.equal((await waited).state, "completed");
});

Deno.test("a start that cannot be stored is tried again, and nothing runs before", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1 } });
  await place.submit();
  await place.settled();
  const id = await place.submit();
  place.storeError = fault("internal", "no space is left");
  place.runs[0]?.end();
  await place.settled();
  assert.equal(place.runs.length, 0);
  place.storeError = undefined;
  place.clock.advance(5_000);
  await place.settled();
  place.clock.advance(5_000);
  await place.settled();
  assert.equal(place.record(id).state, "running");
});

Deno.test("a line about a store that refuses has the ids of the job's request, whoever asked for the change", async () => {
  await using place = await JobPlace.make({ limits: { jobsRunningMax: 1 } });
  const { tracer } = place.telemetry.telemetry;
  await place.submit();
  await place.settled();
  using accepting = tracer.startSpan("cli ", { command: "submit" }, { parent: null });
  const id = await tracer.withSpan(accepting, () => place.submit());
  place.storeError = fault("internal", "no space is left");
  using asking = tracer.startSpan("cli ", { command: "cancel" }, { parent: null });
  const cancelled = tracer.withSpan(asking, () => place.jobs.cancel(id, "7", 0));
  await place.settled();
  place.storeError = undefined;
  place.clock.advance(5_000);
  assert.equal((await cancelled).state, "cancelled");
  const lines = place.telemetry.lines.filter((line) => line["message"] === "job.store_failed");
  assert.deepEqual(lines.map((line) => [line["job_id"], line["trace_id"]]), [[id, accepting.ids?.traceId]]);
});

Deno.test("a job is in its request's trace after a restart, also where no propagators are wanted", async () => {
  const none = { traceContext: false, baggage: false };
  await using place = await JobPlace.make({ telemetry: { config: { propagators: none } } });
  const { tracer } = place.telemetry.telemetry;
  using accepting = tracer.startSpan("cli ", { command: "submit" }, { parent: null });
  const id = await tracer.withSpan(accepting, () => place.submit("7", { idempotent: true }));
  await place.settled();
  await place.crash();
  const lines = place.telemetry.lines.filter((line) => line["job_id"] === id);
  assert.deepEqual(lines.map((line) => [line["message"], line["trace_id"]]), [
    ["job.queued", accepting.ids?.traceId],
    ["job.started", accepting.ids?.traceId],
    ["job.requeued", accepting.ids?.traceId],
    ["job.started", accepting.ids?.traceId],
  ]);
  assert.equal(place.record(id).trace["traceparent"]?.split("-")[1], accepting.ids?.traceId);
});
