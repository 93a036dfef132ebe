/**
 * Fairness from outside: many calls of one tenant, and what another tenant notices of them; lines that are full;
 * calls whose deadline passes in line; clients that leave.
 *
 * Nothing here is timed. Guests that spin have deadlines far beyond their test, so that whatever is answered before
 * them did not wait for them to end.
 */
import assert from "node:assert/strict";
import { assertProblem } from "../flow/problem.ts";
import { parsePrometheusText, valueOf } from "../flow/prometheus_text.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree } from "../support/span_tree.ts";
import { until } from "./program.ts";

const SPAWN = "tensor_wasm_exec::executor::spawn_instance";
const CALL = "tensor_wasm_exec::executor::call_export_with_args";
/** Within the largest that a request may ask for. */
const LONG_MS = 30_000;
const LONG = { "x-tensorwasm-deadline-ms": String(LONG_MS) };

function tenant(number: string): Record<string, string> {
  return { "x-tensorwasm-tenant": number };
}

/** A line's worth of calls that spin until their clients leave. */
class Spinners implements AsyncDisposable {
  readonly #client = new AbortController();
  readonly #calls: Promise<Response | undefined>[] = [];
  /** Calls that were answered while their clients waited. */
  answeredCount = 0;

  start(gateway: TestGateway, owner: string, traceId?: string): Promise<Response | undefined> {
    const call = fetch(`${gateway.url}/functions/spin/invoke?export=run`, {
      method: "POST",
      headers: {
        ...tenant(owner),
        ...LONG,
        ...(traceId === undefined ? {} : { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }),
      },
      signal: this.#client.signal,
    }).then((response) => {
      this.answeredCount++;
      return response;
    }, () => undefined);
    this.#calls.push(call);
    return call;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.abort();
    await Promise.all(this.#calls);
  }
}

/** The value of a metric's series with these labels. */
async function metric(
  gateway: TestGateway,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return valueOf(parsePrometheusText(text), name, labels);
}

/** The sum over all tenants. */
async function activeInstances(gateway: TestGateway): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const { samples } = parsePrometheusText(text).get("tensor_wasm_active_instances") ?? { samples: [] };
  return samples.reduce((sum, { value }) => sum + value, 0);
}

async function untilWaiting(gateway: TestGateway, count: number): Promise<void> {
  await until(
    `${count} calls wait`,
    async () => await metric(gateway, "tensor_wasm_queue_depth") === count,
  );
}

async function untilQuiet(gateway: TestGateway): Promise<void> {
  await until(
    "no call runs or waits",
    async () =>
      await metric(gateway, "tensor_wasm_queue_depth") === 0 &&
      await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === 0 &&
      await activeInstances(gateway) === 0,
  );
}

async function assertFib(gateway: TestGateway, owner: string): Promise<void> {
  const response = await gateway.invoke("fib", { export: "fib", args: [10] }, tenant(owner));
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.deepEqual(JSON.parse(text).result, [55]);
}

function assertNoCellEnded(gateway: TestGateway): void {
  assert.deepEqual(gateway.lines.filter((line) => line.message === "cell.ended"), []);
}

Deno.test("a thousand calls of one tenant do not hold up the single calls of others", async () => {
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "2", "--cells-max", "2", "--calls-per-cell-max", "16"],
    env: { TENSOR_WASM_LOG: "warn,tensor_wasm_exec=info" },
  });
  await gateway.deploy("spin", undefined, tenant("1"));
  for (const other of ["2", "3", "4"]) await gateway.deploy("fib", undefined, tenant(other));
  {
    await using spinners = new Spinners();
    for (let count = 0; count < 1000; count++) void spinners.start(gateway, "1");
    await until(
      "half of them wait",
      async () => await metric(gateway, "tensor_wasm_queue_depth") >= 500,
    );
    // A tenant alone gets as many slots as it leaves free: half.
    await untilWaiting(gateway, 1000 - 16);
    await assertFib(gateway, "2");
    await Promise.all(["2", "3", "4", "2", "3", "4"].map((other) => assertFib(gateway, other)));
    assert.equal(spinners.answeredCount, 0, "nobody waited for a call of the first tenant to end");
  }
  // Their clients have left: what waited goes, what ran is stopped.
  await untilQuiet(gateway);
  await assertFib(gateway, "2");
  assertNoCellEnded(gateway);
});

Deno.test("a client that leaves stops its guest: the trace is whole and the cell lives on", async () => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  await gateway.deploy("spin", undefined, tenant("1"));
  await gateway.deploy("fib", undefined, tenant("2"));
  const traceId = "11112222333344445555666677778888";
  {
    await using spinners = new Spinners();
    void spinners.start(gateway, "1", traceId);
    await until(
      "the guest runs",
      async () => await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === 1,
    );
    // Answered by the same cell, so the guest was begun: it was there first.
    await assertFib(gateway, "2");
  }
  await untilQuiet(gateway);
  const spans = await awaitTrace(collector, traceId);
  buildSpanTree(spans);
  const call = spans.find((span) => span.name === CALL);
  assert.equal(call?.attributes["outcome"], "cancelled");
  assert.equal(spans.filter((span) => span.name === SPAWN).length, 1);
  await assertFib(gateway, "2");
  assertNoCellEnded(gateway);
});

Deno.test("full lines refuse, and say when to come again", async () => {
  await using gateway = await TestGateway.start({
    flags: [
      ...["--cells-min", "1", "--cells-max", "1", "--calls-per-cell-max", "1"],
      ...["--queue-depth-max", "4", "--queued-calls-max", "2"],
    ],
  });
  for (const owner of ["1", "2", "3"]) await gateway.deploy("spin", undefined, tenant(owner));
  const line = "queueDepthMax is 4, got 5";
  await using spinners = new Spinners();
  // One runs; two wait, as many as a tenant may have in line; one more is refused.
  void spinners.start(gateway, "1");
  await until(
    "the first runs",
    async () => await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === 1,
  );
  void spinners.start(gateway, "1");
  await untilWaiting(gateway, 1);
  const newest = spinners.start(gateway, "1");
  await untilWaiting(gateway, 2);
  await assertRefused(await spinners.start(gateway, "1"), {
    status: 429,
    kind: "tenant_capacity_exhausted",
    message: /queuedCallsMax is 2, got 3$/,
  });
  // Another tenant fills the line to its bound.
  for (const depth of [3, 4]) {
    void spinners.start(gateway, "2");
    await untilWaiting(gateway, depth);
  }
  // Over it, who has fewest in line takes the place of the newest of those who have most.
  const newcomer = "33332222333344445555666677778888";
  void spinners.start(gateway, "3", newcomer);
  await assertRefused(await newest, { status: 503, kind: "capacity_exhausted", message: new RegExp(line) });
  await untilWaiting(gateway, 4);
  // One in line each of 1 and 3, two of 2, who is sent away itself if it has as many as anyone.
  const shed = (kind: string): Promise<number> =>
    metric(gateway, "tensor_wasm_calls_shed_total", { kind, tenant: "1" });
  assert.deepEqual([await shed("tenant"), await shed("displaced")], [1, 1]);
  const refused = await gateway.line((line) => line.message === "call.shed" && line["kind"] === "tenant");
  const displaced = await gateway.line((line) =>
    line.message === "call.shed" && line["kind"] === "displaced"
  );
  assert.deepEqual([refused["tenant"], displaced["tenant"]], ["1", "1"]);
  // The trace is that of the call which took its place.
  assert.equal(displaced.trace_id, newcomer);
});

Deno.test("a full line refuses the newcomer of a tenant that has as many in it as anyone", async () => {
  await using gateway = await TestGateway.start({
    flags: [
      ...["--cells-min", "1", "--cells-max", "1", "--calls-per-cell-max", "1"],
      ...["--queue-depth-max", "2"],
    ],
  });
  await gateway.deploy("spin", undefined, tenant("1"));
  await using spinners = new Spinners();
  for (const depth of [0, 1, 2]) {
    void spinners.start(gateway, "1");
    await until(
      `${depth} wait behind one that runs`,
      async () =>
        await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === 1 &&
        await metric(gateway, "tensor_wasm_queue_depth") === depth,
    );
  }
  await assertRefused(await spinners.start(gateway, "1"), {
    status: 503,
    kind: "capacity_exhausted",
    message: /queueDepthMax is 2, got 3$/,
  });
  const shed = { kind: "capacity", tenant: "1" };
  assert.equal(await metric(gateway, "tensor_wasm_calls_shed_total", shed), 1);
  assert.equal(spinners.answeredCount, 1);
});

Deno.test("a call whose deadline passes in line never begins", async () => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--calls-per-cell-max", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  await gateway.deploy("spin", undefined, tenant("1"));
  await gateway.deploy("fib", undefined, tenant("2"));
  await using spinners = new Spinners();
  void spinners.start(gateway, "1");
  await until(
    "the first runs",
    async () => await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === 1,
  );
  const response = await gateway.invoke("fib", { export: "fib", args: [10] }, {
    ...tenant("2"),
    "x-tensorwasm-deadline-ms": "150",
  });
  const { trace_id } = await assertProblem(response, {
    status: 504,
    kind: "invoke_timeout",
    message: /^Call was still waiting for a cell at its deadline of 150 ms$/,
  });
  const spans = await awaitTrace(collector, trace_id);
  const names = spans.map((span) => span.name).sort();
  assert.deepEqual(names, ["http.invoke_function", "http.request", "invoke.run"]);
  const queueMs = Number(spans.find((span) => span.name === "invoke.run")?.attributes["queue_ms"]);
  assert.ok(queueMs > 0, "the time in line is on the span");
});

async function assertRefused(
  response: Response | undefined,
  expected: Parameters<typeof assertProblem>[1],
): Promise<void> {
  assert.ok(response !== undefined);
  const retryAfter = response.headers.get("retry-after") ?? "";
  await assertProblem(response, expected);
  assert.match(retryAfter, /^[1-9][0-9]*$/);
}
