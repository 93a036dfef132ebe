/**
 * `/metrics`: what a scraper gets, that it counts, and that callers cannot make series.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import type { LogLine } from "../support/gateway.ts";
import { type MetricName, METRICS } from "../../telemetry/mod.ts";
import { HAS_PROMETHEUS, PrometheusServer, promtool } from "../support/prometheus.ts";
import { until } from "../system/program.ts";
import { endedJob, postJob } from "./job_calls.ts";
import { parseOpenMetrics } from "./open_metrics_text.ts";
import { type MetricFamily, parsePrometheusText, valueOf } from "./prometheus_text.ts";
import { RawConnection } from "./raw_http.ts";
import { awaitSlotUsed } from "./stream_client.ts";

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({ flags: ["--cells-min", "2", "--cells-max", "2"] });
  for (const guest of ["add", "spin", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

async function scrape(): Promise<ReadonlyMap<string, MetricFamily>> {
  const response = await fetch(`${gateway.url}/metrics`);
  assert.equal(response.status, 200);
  return parsePrometheusText(await response.text());
}

async function add(): Promise<void> {
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] });
  assert.deepEqual((await response.json()).result, [3]);
}

Deno.test("the format is the one that the media type says", async () => {
  const response = await fetch(`${gateway.url}/metrics`);
  assert.match(
    response.headers.get("content-type") ?? "",
    /^text\/plain; version=0\.0\.4(; charset=utf-8)?$/,
  );
  parsePrometheusText(await response.text());
});

async function openMetrics(accept = "application/openmetrics-text"): Promise<Response> {
  return await fetch(`${gateway.url}/metrics`, { headers: { accept } });
}

Deno.test({
  name: "promtool finds nothing to say of the names, helps and types",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const { code, text: said } = await promtool(["check", "metrics"], text);
    assert.deepEqual([code, said], [0, ""]);
  },
});

Deno.test("the format is the one that the request prefers", async () => {
  const open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  const plain = "text/plain; version=0.0.4; charset=utf-8";
  const cases = [
    // As Prometheus 2 and 3 ask.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      open,
    ],
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;" +
      "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      open,
    ],
    ["application/openmetrics-text", open],
    ["Application/OpenMetrics-Text", open],
    ["application/openmetrics-text; q=0.4, text/plain; q=0.5", plain],
    ["application/openmetrics-text; q=0", plain],
    ["application/openmetrics-text; version=2.0.0", plain],
    ["text/plain", plain],
    ["*/*", plain],
    ["application/json", plain],
    ["", plain],
    [";;;,,q=", plain],
  ] as const;
  for (const [accept, expected] of cases) {
    const response = await openMetrics(accept);
    await response.body?.cancel();
    assert.equal(response.headers.get("content-type"), expected, accept);
    assert.equal(response.headers.get("vary")?.toLowerCase().includes("accept"), true);
  }
});

Deno.test("OpenMetrics: a call's trace is the exemplar of its bucket, and of its failure", async () => {
  const called = await gateway.invoke("add", { export: "add", args: [1, 2] });
  await called.body?.cancel();
  const failed = await gateway.invoke("trap_unreachable", { export: "run" });
  await failed.body?.cancel();
  const { families, exemplars } = parseOpenMetrics(await (await openMetrics()).text());
  assert.deepEqual([...families.keys()], Object.keys(METRICS));
  const tracesOf = (pattern: RegExp): (string | undefined)[] =>
    exemplars.filter(({ series }) => pattern.test(series)).map(({ labels }) => labels["trace_id"]);
  const calledId = called.headers.get("x-trace-id");
  const failedId = failed.headers.get("x-trace-id");
  assert.ok(
    tracesOf(/^tensor_wasm_http_request_duration_seconds_bucket.*invoke.*"200"/).includes(calledId ?? ""),
  );
  assert.ok(
    tracesOf(/^tensor_wasm_queue_wait_seconds_bucket/).some((id) => id === calledId || id === failedId),
  );
  assert.deepEqual(tracesOf(/^tensor_wasm_request_faults_total\{kind="wasmtime"/), [failedId]);
  assert.deepEqual(tracesOf(/^tensor_wasm_guest_calls_total\{tenant="0",outcome="trapped"/), [failedId]);
});

Deno.test("OpenMetrics: a job's trace is the exemplar of its wait, and of its failure", async () => {
  const response = await postJob(gateway, "trap_unreachable", { export: "run" });
  const traceId = response.headers.get("x-trace-id");
  const { job_id: id } = await response.json();
  assert.equal((await endedJob(gateway, id)).state, "failed");
  const { exemplars } = parseOpenMetrics(await (await openMetrics()).text());
  for (
    const series of [
      /^tensor_wasm_job_queue_wait_seconds_bucket/,
      /^tensor_wasm_jobs_finished_total\{state="failed"/,
    ]
  ) {
    const of = exemplars.filter((exemplar) => series.test(exemplar.series));
    assert.deepEqual(of.map(({ labels }) => labels["trace_id"]), [traceId], String(series));
  }
});

Deno.test("OpenMetrics: a trace that is not sampled is nobody's exemplar", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  for (const flags of ["00", "01"]) {
    const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, {
      traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}`,
    });
    await response.body?.cancel();
    assert.equal((await (await openMetrics()).text()).includes(traceId), flags === "01");
  }
});

Deno.test({
  name: "a Prometheus scrapes the gateway, takes every series, and keeps the exemplars",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    await using server = await PrometheusServer.start({ target: new URL(gateway.url).host });
    const response = await gateway.invoke("add", { export: "add", args: [1, 2] });
    await response.body?.cancel();
    const traceId = response.headers.get("x-trace-id") ?? "";
    const stored = await server.until("the call's exemplar", async () => {
      const exemplars = await server.exemplars("tensor_wasm_http_request_duration_seconds_bucket");
      return exemplars.find(({ labels }) => labels["trace_id"] === traceId);
    });
    assert.ok(Number(stored.value) > 0);
    // One that took too long is not up, and is followed by another.
    await server.until("a scrape", async () => (await server.query("up == 1"))[0]);
    for (const [name, { type }] of Object.entries(METRICS)) {
      if ("mayBeAbsent" in METRICS[name as MetricName]) continue;
      // A scrape's exemplars can be seen a moment before its samples.
      const query = type === "histogram" ? `${name}_count` : name;
      await server.until(`${name} stored`, async () => (await server.query(query))[0]);
    }
  },
});

/** Kills the cell that was started last, and waits until the gateway has seen it. */
async function killCell(): Promise<void> {
  await add();
  const ended = new Set(
    gateway.lines.filter((line) => line.message === "cell.ended").map((line) => line["pid"]),
  );
  // The one that took the place of one killed before may not have started yet.
  const isAlive = (line: LogLine): boolean =>
    line.message === "cell.started" && line["pool"] === "calls" && !ended.has(line["pid"]);
  const { pid } = gateway.lines.findLast(isAlive) ?? await gateway.line(isAlive);
  Deno.kill(Number(pid), "SIGKILL");
  await gateway.line((line) => line.message === "cell.ended" && line["pid"] === pid);
}

Deno.test("every metric of the vocabulary is emitted, with its type, help and labels", async () => {
  await add();
  // A kill, so that the counter of kills has a series.
  await killCell();
  const families = await scrape();
  assert.deepEqual([...families.keys()].sort(), Object.keys(METRICS).sort());
  for (const [name, { type, help, labels }] of Object.entries(METRICS)) {
    const family = families.get(name);
    assert.deepEqual([family?.type, family?.help], [type, help]);
    const [sample] = family?.samples ?? [];
    // The gateway of the tests has not every permission, so some things it cannot know.
    if (sample === undefined && "mayBeAbsent" in METRICS[name as MetricName]) continue;
    assert.ok(sample !== undefined, `${name} has a series`);
    const names = Object.keys(sample.labels).filter((label) => label !== "le");
    assert.deepEqual(names.sort(), [...labels].sort(), name);
  }
});

Deno.test("calls are counted by route template, method and status, and timed", async () => {
  const labels = { route: "/functions/:id/invoke", method: "POST", status: "200" };
  const failed = { ...labels, status: "500" };
  const before = await scrape();
  for (let call = 0; call < 5; call++) await add();
  await (await gateway.invoke("trap_unreachable", { export: "run" })).body?.cancel();
  const after = await scrape();
  const rise = (name: string, of: Record<string, string> = {}): number =>
    valueOf(after, name, of) - valueOf(before, name, of);
  assert.equal(rise("tensor_wasm_http_requests_total", labels), 5);
  assert.equal(rise("tensor_wasm_http_requests_total", failed), 1);
  assert.equal(rise("tensor_wasm_http_request_duration_seconds_count", labels), 5);
  assert.equal(rise("tensor_wasm_http_request_duration_seconds_bucket", { ...labels, le: "+Inf" }), 5);
  const seconds = rise("tensor_wasm_http_request_duration_seconds_sum", labels);
  assert.ok(seconds > 0 && seconds < 60, `${seconds} s`);
  assert.equal(rise("tensor_wasm_instance_spawns_total"), 6);
  assert.equal(rise("tensor_wasm_instance_terminations_total"), 6);
});

Deno.test("gauges show calls under way, and nothing once they are over", async () => {
  const labels = { route: "/functions/:id/invoke", method: "POST" };
  const client = new AbortController();
  const spinner = fetch(`${gateway.url}/functions/spin/invoke?export=run`, {
    method: "POST",
    signal: client.signal,
  });
  await awaitSlotUsed(gateway);
  const during = await scrape();
  assert.equal(valueOf(during, "tensor_wasm_active_instances", { tenant: "0" }), 1);
  assert.equal(valueOf(during, "tensor_wasm_cell_slots", { state: "used" }), 1);
  assert.equal(valueOf(during, "tensor_wasm_http_requests_in_flight", labels), 1);
  client.abort();
  await assert.rejects(spinner);
  await until(
    "its request is over",
    async () => valueOf(await scrape(), "tensor_wasm_http_requests_in_flight", labels) === 0,
  );
  const after = await scrape();
  assert.equal(valueOf(after, "tensor_wasm_active_instances", { tenant: "0" }), 0);
  assert.equal(valueOf(after, "tensor_wasm_http_requests_in_flight", labels), 0);
  assert.equal(valueOf(after, "tensor_wasm_cell_slots", { state: "used" }), 0);
  assert.equal(valueOf(after, "tensor_wasm_queue_depth"), 0);
});

Deno.test("kills are counted by their reason", async () => {
  const labels = { reason: "cell_sigkill" };
  const before = valueOf(await scrape(), "tensor_wasm_cell_kills_total", labels);
  await killCell();
  await add();
  assert.equal(valueOf(await scrape(), "tensor_wasm_cell_kills_total", labels), before + 1);
});

Deno.test("each of the nine methods of HTTP is counted under its name", async () => {
  const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
  const count = async (method: string): Promise<number> => {
    const labels = { route: "unknown", method, status: "404" };
    const samples = (await scrape()).get("tensor_wasm_http_requests_total")?.samples ?? [];
    const isSame = (sample: (typeof samples)[number]): boolean =>
      Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
    return samples.find(isSame)?.value ?? 0;
  };
  for (const method of methods) {
    const before = await count(method);
    // fetch does not send all of them.
    using connection = await RawConnection.open(gateway.url);
    const target = method === "CONNECT" ? "nowhere:1" : "/nowhere";
    await connection.sendHead(`${method} ${target}`, ["content-length: 0", "connection: close"]);
    assert.match(await connection.readAll(), /^HTTP\/1\.1 404 /, method);
    assert.equal(await count(method), before + 1, method);
  }
});

Deno.test("what callers invent makes no series", async () => {
  const count = async (): Promise<number> =>
    (await scrape()).get("tensor_wasm_http_requests_total")?.samples.length ?? 0;
  const send = async (method: string, path: string): Promise<void> => {
    await (await fetch(`${gateway.url}${path}`, { method })).body?.cancel();
  };
  await send("GET", "/made-up/first");
  await send("BREW", "/made-up/first");
  await send("GET", "/functions/made-up-first");
  await count();
  const before = await count();
  for (let index = 0; index < 20; index++) {
    await send("GET", `/made-up/${index}`);
    await send(`BREW${index}`, "/made-up/first");
    await send("GET", `/functions/made-up-${index}`);
  }
  assert.equal(await count(), before);
});

Deno.test("the build is named", async () => {
  const [sample, ...others] = (await scrape()).get("tensor_wasm_build_info")?.samples ?? [];
  assert.deepEqual([sample?.value, others.length], [1, 0]);
  assert.match(sample?.labels["version"] ?? "", /^\d+\.\d+\.\d+$/);
  assert.match(sample?.labels["git_sha"] ?? "", /^(?:[0-9a-f]{40,64}|unknown)$/);
  assert.equal(sample?.labels["deno_version"], Deno.version.deno);
});
