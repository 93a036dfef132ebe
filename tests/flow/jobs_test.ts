/**
 * Jobs over HTTP: what is accepted and what not, how they are read, waited for, followed, listed and cancelled.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { linesOf } from "./call_trace.ts";
import {
  cancelJob,
  endedJob,
  eventsOf,
  postJob,
  readJob,
  runningJob,
  type ShownJob,
  submitJob,
} from "./job_calls.ts";
import { assertProblem, assertTraceId } from "./problem.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  // One at a time, so that a test can have jobs wait.
  gateway = await TestGateway.start({
    flags: [
      ...["--cells-min", "1", "--cells-max", "2", "--jobs-running-max", "1"],
      ...[
        "--jobs-queued-per-tenant-max",
        "5",
        "--jobs-queued-max",
        "8",
        "--job-inputs-per-tenant-bytes-max",
        "3000000",
      ],
      ...["--job-wait-ms-max", "60000", "--job-deadline-ms-max", "40000"],
      ...["--job-watchers-per-tenant-max", "4"],
    ],
  });
  for (const guest of ["add", "echo", "exit_code", "spin", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

const ADD = { export: "add", args: [1, 2] };
const SPIN = { export: "run" };

/** Runs `body` while a job runs that only a cancel ends, so that all others wait. */
async function whileOneRuns(body: (running: string) => Promise<void>): Promise<void> {
  const running = await submitJob(gateway, "spin", SPIN);
  await runningJob(gateway, running);
  try {
    await body(running);
  } finally {
    await cancelJob(gateway, running);
    await endedJob(gateway, running);
  }
}

Deno.test("a job ends with what a call that is waited for is answered", async () => {
  const synchronous = await (await gateway.invoke("add", ADD)).json();
  const job = await endedJob(gateway, await submitJob(gateway, "add", ADD));
  assert.deepEqual([job.status, job.state, job.attempt, job.tenant_id], ["completed", "completed", 1, 0]);
  assert.deepEqual(job.result, synchronous);
  assert.equal(job.function_id, synchronous.function_id);
});

for (
  const [guest, body, headers, kind] of [
    ["trap_unreachable", { export: "run" }, {}, "wasmtime"],
    ["exit_code", {}, {}, "guest_exit"],
    ["spin", SPIN, { "x-tensorwasm-deadline-ms": "500" }, "invoke_timeout"],
  ] as const
) {
  Deno.test(`a job that fails has kind ${kind} and the message of a call that is waited for`, async () => {
    const synchronous = await (await gateway.invoke(guest, body, headers)).json();
    const job = await endedJob(gateway, await submitJob(gateway, guest, body, headers));
    assert.deepEqual([job.status, job.state, job.result?.["kind"]], ["failed", "failed", kind]);
    const withoutActual = (text: unknown): string => String(text).replace(/got \d+$/, "");
    assert.equal(withoutActual(job.result?.["message"]), withoutActual(synchronous.error.message));
    assert.deepEqual(Object.keys(job.result ?? {}), ["kind", "message"]);
  });
}

Deno.test("the job names the trace of the request that it came by", async () => {
  const traceId = "7".repeat(32);
  const response = await postJob(gateway, "add", ADD, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  assertTraceId(response, traceId);
  const { job_id: id } = await response.json();
  assert.equal((await endedJob(gateway, id)).trace_id, traceId);
});

Deno.test("what a call that is waited for is refused for, a job is refused for at once", async () => {
  const wrong = await postJob(gateway, "add", { export: "add", args: ["x", 1] });
  await assertProblem(wrong, { status: 400, kind: "invalid_args", message: /Argument 0/ });
  await assertProblem(await postJob(gateway, "add", { export: "nothing" }), {
    status: 400,
    kind: "missing_export",
  });
  await assertProblem(await postJob(gateway, "nobody", ADD), { status: 404, kind: "not_found" });
  const id = (await gateway.deploy("mine", readGuest("add"), { "x-tensorwasm-tenant": "77" })).id;
  await assertProblem(await postJob(gateway, id, ADD), { status: 403, kind: "tenant_scope_denied" });
  const long = await postJob(gateway, "add", ADD, { "x-tensorwasm-deadline-ms": "40001" });
  await assertProblem(long, {
    status: 400,
    kind: "bad_request",
    message: /jobDeadlineMsMax is 40000, got 40001/,
  });
  await assertProblem(await postJob(gateway, "add", ADD, { "x-tensorwasm-idempotent": "yes" }), {
    status: 400,
    kind: "bad_request",
  });
});

Deno.test("another tenant's job is one that is not there, by every route", async () => {
  const id = await submitJob(gateway, "add", ADD);
  await endedJob(gateway, id);
  const headers = { "x-tensorwasm-tenant": "1" };
  const routes = [["GET", ""], ["GET", "?wait=1s"], ["GET", "/events"], ["GET", "/output"], [
    "DELETE",
    "",
  ]] as const;
  for (const [method, path] of routes) {
    const response = await fetch(`${gateway.url}/jobs/${id}${path}`, { method, headers });
    await assertProblem(response, { status: 404, kind: "not_found", message: /^No job / });
    const nobody = await fetch(`${gateway.url}/jobs/${crypto.randomUUID()}${path}`, { method });
    await assertProblem(nobody, { status: 404, kind: "not_found", message: /^No job / });
  }
  const listed = await (await fetch(`${gateway.url}/jobs`, { headers })).json();
  assert.deepEqual(listed, { jobs: [] });
});

Deno.test("a tenant's number is in the answer with all its digits", async () => {
  const headers = { "x-tensorwasm-tenant": "18446744073709551615" };
  await gateway.deploy("add", readGuest("add"), headers);
  const id = await submitJob(gateway, "add", ADD, headers);
  const text = await (await fetch(`${gateway.url}/jobs/${id}?wait=20s`, { headers })).text();
  assert.ok(text.includes('"tenant_id":18446744073709551615,'), text);
});

Deno.test("wait: at once when it has ended, later as it is, and never for longer than allowed", async () => {
  await whileOneRuns(async (running) => {
    const job = await readJob(gateway, running, "?wait=50ms");
    assert.deepEqual([job.status, job.state], ["pending", "running"]);
    const waiting = await submitJob(gateway, "add", ADD);
    assert.deepEqual([
      (await readJob(gateway, waiting)).state,
      (await readJob(gateway, waiting, "?wait=0")).state,
    ], [
      "queued",
      "queued",
    ]);
    const ended = Promise.all([endedJob(gateway, waiting), endedJob(gateway, running)]);
    await cancelJob(gateway, running);
    assert.deepEqual((await ended).map(({ state }) => state), ["completed", "cancelled"]);
    for (const bad of ["", "soon", "-1s", "1.5s", "1h", "99999999999"]) {
      const response = await fetch(`${gateway.url}/jobs/${waiting}?wait=${bad}`);
      await assertProblem(response, { status: 400, kind: "bad_request" });
    }
    for (
      const twice of ["?wait=1ms&wait=2ms", "?wait=1ms&wait=1ms", "?wait&wait=1ms", "?wait=1ms&x=1&wait=60s"]
    ) {
      const response = await fetch(`${gateway.url}/jobs/${waiting}${twice}`);
      await assertProblem(response, {
        status: 400,
        kind: "bad_request",
        message: /wait is given more than once/,
      });
    }
    const long = await fetch(`${gateway.url}/jobs/${waiting}?wait=61s`);
    await assertProblem(long, {
      status: 400,
      kind: "bad_request",
      message: /jobWaitMsMax is 60000, got 61000$/,
    });
  });
});

Deno.test("a waiting job is cancelled at once, a running one is stopped, an ended one stays as it is", async () => {
  await whileOneRuns(async (running) => {
    const waiting = await submitJob(gateway, "add", ADD);
    const [status, cancelled] = await cancelJob(gateway, waiting);
    assert.deepEqual([status, cancelled.status, cancelled.state, cancelled.attempt], [
      200,
      "failed",
      "cancelled",
      0,
    ]);
    assert.deepEqual(cancelled.result, { kind: "job_cancelled", message: "Job was cancelled" });
    assert.deepEqual(await cancelJob(gateway, waiting), [200, cancelled]);

    await cancelJob(gateway, running);
    const stopped = await endedJob(gateway, running);
    assert.deepEqual([stopped.state, stopped.attempt, stopped.cancel_requested], ["cancelled", 1, true]);
    const output = await fetch(`${gateway.url}/jobs/${running}/output`);
    await assertProblem(output, { status: 409, kind: "job_cancelled" });
  });
  const done = await submitJob(gateway, "add", ADD);
  const job = await endedJob(gateway, done);
  assert.deepEqual(await cancelJob(gateway, done), [200, job]);
});

Deno.test("events: the state at once, each change once, the result last", async () => {
  await whileOneRuns(async (running) => {
    const id = await submitJob(gateway, "add", ADD);
    const response = await fetch(`${gateway.url}/jobs/${id}/events`);
    assert.equal(response.headers.get("cache-control"), "no-store");
    await cancelJob(gateway, running);
    const events = await eventsOf(response);
    assert.deepEqual(events.map(([name, { state }]) => [name, state]), [
      ["state", "queued"],
      ["state", "running"],
      ["state", "completed"],
      ["result", "completed"],
    ]);
    assert.deepEqual(events.at(-1)?.[1], await readJob(gateway, id));
    const again = await eventsOf(await fetch(`${gateway.url}/jobs/${id}/events`));
    assert.deepEqual(again.map(([name, { state }]) => [name, state]), [["state", "completed"], [
      "result",
      "completed",
    ]]);
  });
});

/** What the lines of a request whose body has ended say of that, the first line left out. */
async function endOf(traceId: string): Promise<unknown[]> {
  const [first, ...lines] = await linesOf(gateway, traceId);
  assert.equal(first?.message, "request.received");
  return lines.map((line) => [line.message, line["kind"], line["stage"], line["ending"], line["status"]]);
}

Deno.test("a request for events lasts until the last of them has left, or its client", async () => {
  const labels = { route: "/jobs/:id/events", method: "GET" };
  const scrape = async () => parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const timed = async (status: string): Promise<number> =>
    valueOf(await scrape(), "tensor_wasm_http_request_duration_seconds_count", { ...labels, status });
  const [finishedBefore, leftBefore] = [await timed("200"), await timed("499")];
  const traces = { read: "d".repeat(32), left: "e".repeat(32), head: "f".repeat(32) };
  await whileOneRuns(async (running) => {
    const follow = (traceId: string, method = "GET"): Promise<Response> =>
      fetch(`${gateway.url}/jobs/${running}/events`, {
        method,
        headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      });
    await follow(traces.head, "HEAD");
    const [read, left] = [await follow(traces.read), await follow(traces.left)];
    assert.equal(valueOf(await scrape(), "tensor_wasm_http_requests_in_flight", labels), 2);
    await left.body?.cancel();
    assert.deepEqual(await endOf(traces.left), [
      ["request.failed", "client_gone", "answer", undefined, 499],
      ["request.completed", undefined, undefined, "client_gone", 200],
    ]);
    await cancelJob(gateway, running);
    const events = await read.bytes();
    const lines = await linesOf(gateway, traces.read);
    assert.deepEqual([lines.at(-1)?.["chunks"], lines.at(-1)?.["bytes"]], [3, events.length]);
  });
  const finished = ["request.completed", undefined, undefined, "finished", 200];
  assert.deepEqual(await endOf(traces.read), [finished]);
  assert.deepEqual(await endOf(traces.head), [finished.with(3, undefined)]);
  assert.equal(valueOf(await scrape(), "tensor_wasm_http_requests_in_flight", labels), 0);
  // That of HEAD has a series of its own.
  assert.deepEqual([await timed("200") - finishedBefore, await timed("499") - leftBefore], [1, 1]);
});

Deno.test("HEAD of a job's events leaves no watcher behind", async () => {
  await whileOneRuns(async (running) => {
    for (let count = 0; count < 20; count++) {
      const head = await fetch(`${gateway.url}/jobs/${running}/events`, { method: "HEAD" });
      assert.equal(head.status, 200, `after ${count}`);
      assert.equal(head.headers.get("content-type"), "text/event-stream");
    }
    const followed = await fetch(`${gateway.url}/jobs/${running}/events`);
    assert.equal(followed.status, 200);
    await followed.body?.cancel();
  });
});

Deno.test("one key and one request is one job; another request under the key is a conflict", async () => {
  const headers = { "idempotency-key": "order-7" };
  const id = await submitJob(gateway, "add", ADD, headers);
  assert.equal(await submitJob(gateway, "add", ADD, headers), id);
  await endedJob(gateway, id);
  assert.equal(await submitJob(gateway, "add", ADD, headers), id);
  for (
    const other of [
      await postJob(gateway, "add", { export: "add", args: [1, 3] }, headers),
      await postJob(gateway, "echo", { export: "_start" }, headers),
      await postJob(gateway, "add", ADD, { ...headers, "x-tensorwasm-deadline-ms": "5000" }),
    ]
  ) await assertProblem(other, { status: 409, kind: "idempotency_conflict" });
  const bad = await postJob(gateway, "add", ADD, { "idempotency-key": "with space" });
  await assertProblem(bad, { status: 400, kind: "bad_request" });
});

Deno.test("the same request is the same job after a new version of its function was deployed, too", async () => {
  const headers = { "idempotency-key": "order-8" };
  const bytes = await readGuest("add");
  await gateway.deploy("twice", bytes);
  const id = await submitJob(gateway, "twice", ADD, headers);
  await gateway.deploy("twice", bytes);
  assert.equal(await submitJob(gateway, "twice", ADD, headers), id);
  const other = await postJob(gateway, "twice@1", ADD, headers);
  await assertProblem(other, { status: 409, kind: "idempotency_conflict" });
});

Deno.test("the list has the newest first, by pages, and filters", async () => {
  const headers = { "x-tensorwasm-tenant": "5" };
  const add = await gateway.deploy("add", readGuest("add"), headers);
  const made: string[] = [];
  for (let count = 0; count < 5; count++) {
    made.push(await submitJob(gateway, "add", ADD, headers));
    await endedJob(gateway, made.at(-1) ?? "", headers);
  }
  const page = async (query: string): Promise<{ jobs: ShownJob[]; next_cursor?: string }> =>
    await (await fetch(`${gateway.url}/jobs?${query}`, { headers })).json();
  const first = await page("limit=3");
  const second = await page(`limit=3&cursor=${first.next_cursor}`);
  assert.deepEqual([...first.jobs, ...second.jobs].map(({ id }) => id), made.toReversed());
  assert.equal(second.next_cursor, undefined);
  assert.equal((await page("state=completed")).jobs.length, 5);
  assert.equal((await page("state=failed")).jobs.length, 0);
  assert.equal((await page("function=add")).jobs.length, 5);
  assert.equal((await page(`function=${add.id}&state=completed&limit=2`)).jobs.length, 2);
  assert.equal((await page(`function=${crypto.randomUUID()}`)).jobs.length, 0);
  for (const bad of ["limit=0", "limit=1001", "cursor=x", "state=done"]) {
    const response = await fetch(`${gateway.url}/jobs?${bad}`, { headers });
    await assertProblem(response, { status: 400, kind: "bad_request" });
  }
  await assertProblem(await fetch(`${gateway.url}/jobs?function=nobody`, { headers }), {
    status: 404,
    kind: "not_found",
  });
});

Deno.test("more jobs than may wait are refused: the tenant's with 429, everyone's with 503", async () => {
  const other = { "x-tensorwasm-tenant": "6" };
  await gateway.deploy("add", readGuest("add"), other);
  await whileOneRuns(async () => {
    const waiting: string[] = [];
    for (let count = 0; count < 5; count++) waiting.push(await submitJob(gateway, "add", ADD));
    const ofTenant = await postJob(gateway, "add", ADD);
    assert.equal(ofTenant.headers.get("retry-after"), "1");
    await assertProblem(ofTenant, {
      status: 429,
      kind: "tenant_capacity_exhausted",
      message: /jobsQueuedPerTenantMax is 5, got 6$/,
    });
    for (let count = 0; count < 3; count++) await submitJob(gateway, "add", ADD, other);
    const ofAll = await postJob(gateway, "add", ADD, other);
    assert.equal(ofAll.headers.get("retry-after"), "1");
    await assertProblem(ofAll, {
      status: 503,
      kind: "capacity_exhausted",
      message: /jobsQueuedMax is 8, got 9$/,
    });
    // A place that becomes free is there again.
    await cancelJob(gateway, waiting[2] ?? "");
    await submitJob(gateway, "add", ADD);
  });
});

Deno.test("inputs and outputs of any size; what is too large for JSON is fetched as it is", async () => {
  const input = new Uint8Array(1_500_000).map((_, index) => index % 251);
  const id = await submitJob(gateway, "echo", input);
  const job = await endedJob(gateway, id);
  assert.deepEqual([job.state, job.output_bytes], ["completed", input.length]);
  assert.deepEqual(Object.keys(job.result ?? {}), ["function_id", "result"]);
  const output = await fetch(`${gateway.url}/jobs/${id}/output`);
  assert.equal(output.headers.get("content-type"), "application/octet-stream");
  assert.equal(output.headers.get("content-security-policy"), "sandbox");
  assert.deepEqual(await output.bytes(), input);
  const small = await endedJob(gateway, await submitJob(gateway, "echo", { input: "hello" }));
  assert.equal(small.result?.["output"], "hello");
  const binary = await endedJob(gateway, await submitJob(gateway, "echo", new Uint8Array([255, 0])));
  assert.equal(binary.result?.["output_b64"], "/wA=");
});

Deno.test("inputs that wait are bounded in bytes, and count no more once their job has ended", async () => {
  const input = new Uint8Array(1_400_000);
  await whileOneRuns(async () => {
    const waiting = [await submitJob(gateway, "echo", input), await submitJob(gateway, "echo", input)];
    const refused = await postJob(gateway, "echo", input);
    await assertProblem(refused, {
      status: 429,
      kind: "tenant_capacity_exhausted",
      message: /jobInputsPerTenantBytesMax is 3000000, got 4200000$/,
    });
    // One without input is accepted all the same.
    await submitJob(gateway, "add", ADD);
    for (const id of waiting) await cancelJob(gateway, id);
    await cancelJob(gateway, await submitJob(gateway, "echo", input));
  });
});

Deno.test("output of a job that has not ended is not there yet; of one that failed never", async () => {
  await whileOneRuns(async (running) => {
    const early = await fetch(`${gateway.url}/jobs/${running}/output`);
    assert.equal(early.headers.get("retry-after"), "1");
    await assertProblem(early, { status: 409, kind: "job_unfinished" });
  });
  const id = await submitJob(gateway, "trap_unreachable", { export: "run" });
  await endedJob(gateway, id);
  await assertProblem(await fetch(`${gateway.url}/jobs/${id}/output`), { status: 500, kind: "wasmtime" });
});

Deno.test("a job runs the version that was meant when it was accepted, and fails if that is deleted", async () => {
  const first = await gateway.deploy("changing", readGuest("add"));
  await whileOneRuns(async () => {
    const [kept, lost] = [
      await submitJob(gateway, "changing", ADD),
      await submitJob(gateway, "changing", ADD),
    ];
    await gateway.deploy(
      "changing",
      readGuest("trap_unreachable"),
    );
    assert.equal((await readJob(gateway, kept)).function_id, first.id);
    await cancelJob(gateway, lost);
  });
  const before = await submitJob(gateway, first.id, ADD);
  assert.deepEqual((await endedJob(gateway, before)).result?.["result"], [3]);
  await whileOneRuns(async () => {
    const orphan = await submitJob(gateway, first.id, ADD);
    await fetch(`${gateway.url}/functions/${first.id}`, { method: "DELETE" });
    assert.equal((await readJob(gateway, orphan)).state, "queued");
    const ended = endedJob(gateway, orphan);
    const { jobs } = await (await fetch(`${gateway.url}/jobs?state=running`)).json();
    await cancelJob(gateway, jobs[0].id);
    assert.deepEqual([(await ended).state, (await ended).result?.["kind"]], ["failed", "not_found"]);
  });
});

Deno.test("calls that are waited for are answered while jobs run and wait", async () => {
  await whileOneRuns(async (running) => {
    const waiting = await submitJob(gateway, "spin", SPIN);
    assert.deepEqual((await (await gateway.invoke("add", ADD)).json()).result, [3]);
    assert.deepEqual([(await readJob(gateway, running)).state, (await readJob(gateway, waiting)).state], [
      "running",
      "queued",
    ]);
    await cancelJob(gateway, waiting);
  });
});

Deno.test("metrics of jobs: how many there are, how long they waited, how they ended", async () => {
  const scrape = async (): Promise<ReturnType<typeof parsePrometheusText>> =>
    parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const before = await scrape();
  await whileOneRuns(async () => {
    const waiting = await submitJob(gateway, "add", ADD);
    const during = await scrape();
    assert.deepEqual(
      [valueOf(during, "tensor_wasm_jobs_active"), valueOf(during, "tensor_wasm_jobs_queued")],
      [2, 1],
    );
    await cancelJob(gateway, waiting);
  });
  await endedJob(gateway, await submitJob(gateway, "add", ADD));
  const after = await scrape();
  assert.deepEqual([valueOf(after, "tensor_wasm_jobs_active"), valueOf(after, "tensor_wasm_jobs_queued")], [
    0,
    0,
  ]);
  const more = (name: string, labels?: Record<string, string>): number =>
    (valueOf(after, name, labels) ?? 0) - (valueOf(before, name, labels) ?? 0);
  assert.equal(more("tensor_wasm_jobs_finished_total", { state: "cancelled" }), 2);
  assert.equal(more("tensor_wasm_jobs_finished_total", { state: "completed" }), 1);
  assert.equal(more("tensor_wasm_job_queue_wait_seconds_count"), 2);
});
