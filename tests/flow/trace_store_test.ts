/**
 * The trace store over HTTP, with a real gateway: every kind of call, tenants, filters, restarts and kills.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { until } from "../system/program.ts";
import { assertTraceId } from "./problem.ts";
import { awaitSlotUsed } from "./stream_client.ts";

const NAMES = {
  request: "http.request",
  invoke: "http.invoke_function",
  run: "invoke.run",
  spawn: "tensor_wasm_exec::executor::spawn_instance",
  call: "tensor_wasm_exec::executor::call_export_with_args",
  terminate: "tensor_wasm_exec::executor::terminate",
} as const;
const WHOLE = [NAMES.request, NAMES.invoke, NAMES.run, NAMES.spawn, NAMES.call, NAMES.terminate];

interface TreeNode {
  readonly name: string;
  readonly children: readonly TreeNode[];
}

interface TraceBody {
  readonly trace_id: string;
  readonly complete: boolean;
  readonly status: string;
  readonly error: boolean;
  readonly tenant?: string;
  readonly http_status?: number;
  readonly spans: readonly { name: string; span_id: string; parent_span_id?: string; duration_ms?: number }[];
  readonly logs: readonly { message: string; span_id: string; fields: Record<string, unknown> }[];
  readonly tree: readonly TreeNode[];
}

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({ flags: ["--cells-min", "1", "--cells-max", "2"] });
  for (const guest of ["add", "log_lines", "sleep", "spin", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(() => gateway[Symbol.asyncDispose]());

async function readTrace(
  id: string,
  headers: Record<string, string> = {},
  url = gateway.url,
): Promise<Response> {
  return await fetch(`${url}/traces/${id}`, { headers });
}

async function traceOf(response: Response): Promise<TraceBody> {
  const id = assertTraceId(response);
  await response.body?.cancel();
  const answer = await readTrace(id);
  assert.equal(answer.status, 200);
  const trace: TraceBody = await answer.json();
  assert.equal(trace.trace_id, id);
  return trace;
}

async function list(query: string, headers: Record<string, string> = {}): Promise<TraceBody[]> {
  const response = await fetch(`${gateway.url}/traces?${query}`, { headers });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body.traces;
}

function namesOf(node: TreeNode | undefined): string[] {
  return node === undefined ? [] : [node.name, ...node.children.flatMap(namesOf)];
}

Deno.test("a call's trace is there as soon as it is answered: spans, tree, lines of gateway and guest", async () => {
  const trace = await traceOf(await gateway.invoke("log_lines", { argv: ["1"] }));
  assert.deepEqual([trace.complete, trace.status, trace.http_status, trace.tenant], [true, "ok", 200, "0"]);
  assert.deepEqual(namesOf(trace.tree[0]), WHOLE);
  assert.equal(trace.tree.length, 1);
  const messages = trace.logs.map(({ message }) => message);
  assert.deepEqual([messages[0], messages.at(-1)], ["request.received", "request.completed"]);
  const guest = trace.logs.find(({ message }) => message === "guest.stdout");
  assert.equal(guest?.fields["line"], "stdout line 1");
  assert.equal(guest?.span_id, trace.spans.find(({ name }) => name === NAMES.spawn)?.span_id);
});

for (
  const [what, invoke, status, verdict] of [
    ["traps", () => gateway.invoke("trap_unreachable", { export: "run" }), 500, "error"],
    [
      "is stopped at its deadline",
      () => gateway.invoke("spin", { export: "run" }, { "x-tensorwasm-deadline-ms": "150" }),
      504,
      "timeout",
    ],
  ] as const
) {
  Deno.test(`a call that ${what} leaves a whole trace`, async () => {
    const trace = await traceOf(await invoke());
    assert.deepEqual([trace.http_status, trace.status, trace.error], [status, verdict, true]);
    assert.deepEqual(namesOf(trace.tree[0]), WHOLE);
    assert.ok(trace.logs.some(({ message }) => message === "request.failed"));
  });
}

Deno.test("a call whose cell is killed leaves a whole trace, found by its status", async () => {
  const traceId = "5".repeat(32);
  const call = gateway.invoke("sleep", { argv: ["20000"] }, {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  });
  await until("the call runs", async () => {
    const [running] = await list("status=running");
    return running?.trace_id === traceId;
  });
  const running: TraceBody = await (await readTrace(traceId)).json();
  assert.equal(running.complete, false);
  assert.ok(running.spans.some(({ duration_ms }) => duration_ms === undefined), "open spans are shown");
  // What has a slot has been sent to its cell.
  await awaitSlotUsed(gateway);
  for (
    const line of gateway.lines.filter((line) => line.message === "cell.started" && line["pool"] === "calls")
  ) {
    Deno.kill(Number(line["pid"]), "SIGKILL");
  }
  const trace = await traceOf(await call);
  assert.deepEqual([trace.complete, trace.status, trace.http_status], [true, "kill", 502]);
  assert.deepEqual(namesOf(trace.tree[0]), WHOLE);
  assert.deepEqual((await list("status=kill")).map(({ trace_id }) => trace_id), [traceId]);
});

Deno.test("tenants see their own traces only, and one that uses another's trace id gets its own part", async () => {
  const [one, two] = [{ "x-tensorwasm-tenant": "101" }, { "x-tensorwasm-tenant": "102" }];
  const traceparent = `00-${"7".repeat(32)}-00f067aa0ba902b7-01`;
  await gateway.deploy("add", undefined, one);
  await (await gateway.invoke("add", { export: "add", args: [1, 2] }, { ...one, traceparent })).body
    ?.cancel();
  assert.equal((await (await readTrace("7".repeat(32), one)).json()).spans.length, 6);
  const foreign = await readTrace("7".repeat(32), two);
  const unknown = await readTrace("8".repeat(32), two);
  assert.deepEqual([foreign.status, unknown.status], [404, 404]);
  assert.equal((await foreign.json()).error.message, (await unknown.json()).error.message);
  await (await gateway.invoke("nothing", {}, { ...two, traceparent })).body?.cancel();
  const own: TraceBody = await (await readTrace("7".repeat(32), two)).json();
  assert.deepEqual([own.spans.length, own.tenant, own.http_status], [2, "102", 404]);
  const all: TraceBody = await (await readTrace("7".repeat(32))).json();
  assert.equal(all.spans.length, 8);
  assert.ok((await list("limit=500", two)).every(({ tenant }) => tenant === "102"));
  assert.deepEqual((await list("tenant=101&function=add")).map(({ tenant }) => tenant), [
    "101",
    "101",
  ], "the call and the deploy");
  const denied = await fetch(`${gateway.url}/traces?tenant=101`, { headers: two });
  assert.deepEqual([denied.status, (await denied.json()).error.kind], [403, "tenant_scope_denied"]);
});

Deno.test("GET /traces and /traces/{id}: what is malformed is 400, and reading makes no trace", async () => {
  for (const id of ["x", "0".repeat(32), "A".repeat(32), "a".repeat(31), `${"a".repeat(32)}0`]) {
    const response = await readTrace(id);
    assert.deepEqual([response.status, (await response.json()).error.kind], [400, "bad_request"], id);
  }
  for (const query of ["limit=0", "limit=501", "status=fine", "min_ms=-1", "cursor=x", "tenant=-1"]) {
    const response = await fetch(`${gateway.url}/traces?${query}`);
    assert.equal(response.status, 400, query);
    await response.body?.cancel();
  }
  const refused = await (await fetch(`${gateway.url}/traces?tenant=me`)).json();
  assert.equal(refused.error.message, "Query parameter tenant is not an unsigned 64-bit number");
  const before = await list("limit=500");
  assert.deepEqual(await list("tenant=&function=&status=&min_ms=&limit=500"), before);
  for (const path of ["/healthz", "/readyz", "/metrics", "/traces"]) {
    await (await fetch(gateway.url + path)).body?.cancel();
  }
  assert.deepEqual(await list("limit=500"), before);
});

Deno.test("the store answers for each of 1,000 concurrent calls, every page of the list once", async () => {
  const ids = await Promise.all(Array.from({ length: 1000 }, async () => {
    const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, {
      "x-tensorwasm-tenant": "0",
    });
    await response.body?.cancel();
    return response.headers.get("x-trace-id") ?? "";
  }));
  assert.equal(new Set(ids).size, 1000);
  const answers = await Promise.all(
    ids.map(async (id): Promise<TraceBody> => await (await readTrace(id)).json()),
  );
  for (const trace of answers) {
    assert.equal(trace.complete, true);
    const names = trace.spans.map(({ name }) => name);
    if (trace.http_status === 200) assert.deepEqual(names.toSorted(), WHOLE.toSorted());
    const known = new Set(trace.spans.map((span) => span.span_id));
    assert.equal(trace.spans.filter((span) => !known.has(span.parent_span_id ?? "")).length, 1, "no orphan");
  }
  const listed: string[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const page: { traces: TraceBody[]; next_cursor?: string } = await (await fetch(
      `${gateway.url}/traces?limit=300&tenant=0${cursor === "" ? "" : `&cursor=${cursor}`}`,
    )).json();
    listed.push(...page.traces.map(({ trace_id }) => trace_id));
    cursor = page.next_cursor;
  }
  assert.equal(new Set(listed).size, listed.length);
  for (const id of ids) assert.ok(listed.includes(id));
});

Deno.test("a job's spans and lines join the trace of its request, which is complete when the job has ended", async () => {
  for (const [ref, verdict] of [["log_lines", "ok"], ["trap_unreachable", "error"]] as const) {
    const response = await fetch(`${gateway.url}/functions/${ref}/invoke-async`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(ref === "log_lines" ? { argv: ["1"] } : { export: "run" }),
    });
    await response.body?.cancel();
    assert.equal(response.status, 202);
    const id = assertTraceId(response);
    const read = async (): Promise<TraceBody> => await (await readTrace(id)).json();
    await until("the job has ended", async () => (await read()).complete);
    const trace = await read();
    const job = ["http.invoke_function_async", "async_invoke.job", ...WHOLE.slice(2)];
    assert.deepEqual(namesOf(trace.tree[0]), [NAMES.request, ...job]);
    assert.deepEqual([trace.tree.length, trace.status], [1, verdict]);
    assert.equal(trace.logs.filter(({ message }) => message === "job.started").length, 1);
  }
});

Deno.test("traces survive a restart, and a kill but for the last second", async () => {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    const ids: string[] = [];
    for (const end of ["SIGTERM", "SIGKILL", undefined] as const) {
      await using restarted = await TestGateway.start({ dataFolder });
      for (const id of ids) {
        const trace: TraceBody = await (await readTrace(id, {}, restarted.url)).json();
        assert.deepEqual([trace.spans.length, trace.complete], [2, true]);
        assert.equal(trace.logs.at(-1)?.message, "request.completed");
      }
      assert.equal(ids.length, end === "SIGTERM" ? 0 : end === "SIGKILL" ? 1 : 2);
      if (end === undefined) break;
      const response = await restarted.invoke("nothing");
      await response.body?.cancel();
      ids.push(response.headers.get("x-trace-id") ?? "");
      if (end === "SIGKILL") {
        await until("it is written", async () => {
          // A file's head is written before its first piece; a piece has the id's own bytes.
          const id = new TextDecoder("latin1").decode(Uint8Array.fromHex(ids.at(-1) ?? ""));
          for await (const { name } of Deno.readDir(`${dataFolder}/traces`)) {
            const bytes = await Deno.readFile(`${dataFolder}/traces/${name}`);
            if (new TextDecoder("latin1").decode(bytes).includes(id)) return true;
          }
          return false;
        });
      }
      restarted.signal(end);
      await restarted.status;
    }
    // Damage is no reason not to start.
    for await (const { name } of Deno.readDir(`${dataFolder}/traces`)) {
      await Deno.writeTextFile(`${dataFolder}/traces/${name}`, "no traces");
    }
    await using damaged = await TestGateway.start({ dataFolder });
    assert.equal((await readTrace(ids[0] ?? "", {}, damaged.url)).status, 404);
    const metrics = await (await fetch(`${damaged.url}/metrics`)).text();
    assert.match(metrics, /tensor_wasm_trace_store_dropped_total\{reason="disk_damaged"\} [1-9]/);
  } finally {
    await Deno.remove(dataFolder, { recursive: true });
  }
});
