import assert from "node:assert/strict";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { METRICS, type SpanIds } from "../../../telemetry/mod.ts";

const REQUEST = { route: "/functions/{id}/invoke", method: "POST", status: "200" };

async function linesOf(metrics: MetricRegistry, name: string): Promise<string[]> {
  const { body } = await metrics.text();
  return body.split("\n").filter((line) => line.startsWith(name));
}

Deno.test("metrics.text() names the format", async () => {
  const { contentType } = await new MetricRegistry().text();
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("metrics.text() has help and type of every metric, and a zero where there are no labels", async () => {
  const { body } = await new MetricRegistry().text();
  for (const [name, row] of Object.entries(METRICS)) {
    assert.ok(body.includes(`# HELP ${name} ${row.help}\n# TYPE ${name} ${row.type}\n`), name);
    const series = row.type === "histogram" ? `${name}_count` : name;
    const isThere = row.labels.length === 0 && !("mayBeAbsent" in row);
    assert.equal(new RegExp(`^${series} 0$`, "m").test(body), isThere, name);
  }
});

Deno.test("metrics.counter() counts by labels", async () => {
  const metrics = new MetricRegistry();
  metrics.counter("tensor_wasm_http_requests_total", REQUEST).inc();
  metrics.counter("tensor_wasm_http_requests_total", { ...REQUEST }).inc(2);
  metrics.counter("tensor_wasm_http_requests_total", { ...REQUEST, status: "500" }).inc();
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_http_requests_total"), [
    'tensor_wasm_http_requests_total{route="/functions/{id}/invoke",method="POST",status="200"} 3',
    'tensor_wasm_http_requests_total{route="/functions/{id}/invoke",method="POST",status="500"} 1',
  ]);
});

Deno.test("metrics: values of labels cannot be confused with one another", async () => {
  const metrics = new MetricRegistry();
  metrics.gauge("tensor_wasm_http_requests_in_flight", { route: "a", method: "bc" }).inc();
  metrics.gauge("tensor_wasm_http_requests_in_flight", { route: "ab", method: "c" }).inc();
  assert.equal((await linesOf(metrics, "tensor_wasm_http_requests_in_flight")).length, 2);
});

Deno.test("metrics.text() escapes the values of labels", async () => {
  const metrics = new MetricRegistry();
  metrics.gauge("tensor_wasm_cells", { state: 'a"b\\c\nd' }).set(1);
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_cells{"), [
    'tensor_wasm_cells{state="a\\"b\\\\c\\nd"} 1',
  ]);
});

Deno.test("metrics.gauge() goes up and down", async () => {
  const metrics = new MetricRegistry();
  const gauge = metrics.gauge("tensor_wasm_queue_depth", {});
  gauge.inc(5);
  gauge.dec();
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_queue_depth"), ["tensor_wasm_queue_depth 4"]);
  gauge.set(-1);
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_queue_depth"), ["tensor_wasm_queue_depth -1"]);
});

Deno.test("metrics.histogram() counts a value in every bucket that is not below it", async () => {
  const metrics = new MetricRegistry();
  const histogram = metrics.histogram("tensor_wasm_http_request_duration_seconds", REQUEST);
  for (const value of [0, 0.001, 0.0011, 10, 10.1]) histogram.observe(value);
  const lines = await linesOf(metrics, "tensor_wasm_http_request_duration_seconds");
  const values = new Map(lines.map((line) => {
    const le = /le="([^"]+)"/.exec(line)?.[1] ?? /_(sum|count)\{/.exec(line)?.[1] ?? "";
    return [le, Number(line.slice(line.lastIndexOf(" ") + 1))];
  }));
  assert.equal(lines.length, 15);
  assert.equal(values.get("0.001"), 2);
  assert.equal(values.get("0.005"), 3);
  assert.equal(values.get("5.0"), 3);
  assert.equal(values.get("10.0"), 4);
  assert.equal(values.get("+Inf"), 5);
  assert.equal(values.get("count"), 5);
  assert.ok(Math.abs((values.get("sum") ?? 0) - 20.1021) < 1e-9);
});

Deno.test("metrics.histogram() takes what somebody else has counted", async () => {
  const [one, other] = [new MetricRegistry(), new MetricRegistry()];
  const histogram = one.histogram("tensor_wasm_kernel_latency_seconds", { device: "cpu" });
  for (const seconds of [0.000_01, 0.03, 11, 0.03]) histogram.observe(seconds);
  // By their buckets: the first, the eighth, the one beyond all bounds.
  const counts = [1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1];
  const merged = other.histogram("tensor_wasm_kernel_latency_seconds", { device: "cpu" });
  merged.observeAll(counts.map(() => 0), 0);
  merged.observeAll(counts, 0.000_01 + 0.03 + 11 + 0.03);
  const name = "tensor_wasm_kernel_latency_seconds";
  assert.deepEqual(await linesOf(other, name), await linesOf(one, name));
});

Deno.test("metrics: two registries share nothing", async () => {
  const [first, second] = [new MetricRegistry(), new MetricRegistry()];
  first.counter("tensor_wasm_instance_spawns_total", {}).inc();
  assert.deepEqual(await linesOf(second, "tensor_wasm_instance_spawns_total"), [
    "tensor_wasm_instance_spawns_total 0",
  ]);
});

const IDS = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };

Deno.test("metrics.read() shows families, series, counts, start times and exemplars", () => {
  let nowMs = 1000;
  const metrics = new MetricRegistry(() => nowMs);
  nowMs = 2000;
  const histogram = metrics.histogram("tensor_wasm_http_request_duration_seconds", REQUEST);
  histogram.observe(0.004, IDS);
  histogram.observe(0.5, { ...IDS, traceFlags: 0 });
  metrics.counter("tensor_wasm_http_requests_total", REQUEST).inc(2, IDS);
  nowMs = 3000;
  const { startMs, atMs, families } = metrics.read();
  assert.deepEqual([startMs, atMs], [1000, 3000]);
  assert.deepEqual(families.map(({ name }) => name), Object.keys(METRICS));
  const durations = families.find(({ name }) => name === "tensor_wasm_http_request_duration_seconds");
  assert.deepEqual(durations?.labelNames, ["route", "method", "status"]);
  const [series, ...others] = [...durations?.series() ?? []];
  assert.equal(others.length, 0);
  assert.ok(series?.type === "histogram");
  assert.deepEqual(series.labels, REQUEST);
  assert.deepEqual([series.startMs, series.sum], [2000, 0.504]);
  assert.deepEqual(Array.from(series.counts), [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  assert.deepEqual(series.exemplarOf(1), {
    traceId: IDS.traceId,
    spanId: IDS.spanId,
    value: 0.004,
    atMs: 2000,
  });
  assert.equal(series.exemplarOf(7), undefined, "an unsampled trace is no exemplar");
  const totals = families.find(({ name }) => name === "tensor_wasm_http_requests_total");
  const [total] = [...totals?.series() ?? []];
  assert.ok(total?.type === "number");
  assert.deepEqual([total.value, total.exemplar?.value], [2, 2]);
});

Deno.test("metrics.beforeRead() refreshes gauges before each reading, until it is taken back", async () => {
  const metrics = new MetricRegistry();
  let depth = 3;
  const stop = metrics.beforeRead(() => metrics.gauge("tensor_wasm_queue_depth", {}).set(depth));
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_queue_depth"), ["tensor_wasm_queue_depth 3"]);
  stop();
  depth = 4;
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_queue_depth"), ["tensor_wasm_queue_depth 3"]);
});

Deno.test("metrics.forget() removes the series of a label's values, in every family that has the label", async () => {
  const metrics = new MetricRegistry();
  for (const tenant of ["1", "2"]) {
    metrics.counter("tensor_wasm_guest_fuel_total", { tenant }).inc();
    metrics.counter("tensor_wasm_guest_calls_total", { tenant, outcome: "returned" }).inc();
  }
  metrics.forget("tenant", new Set(["1"]));
  assert.deepEqual(await linesOf(metrics, "tensor_wasm_guest_fuel_total"), [
    'tensor_wasm_guest_fuel_total{tenant="2"} 1',
  ]);
  assert.equal((await linesOf(metrics, "tensor_wasm_guest_calls_total{")).length, 1);
  metrics.counter("tensor_wasm_guest_fuel_total", { tenant: "1" }).inc();
  assert.equal((await linesOf(metrics, "tensor_wasm_guest_fuel_total{")).length, 2);
});

for (const [filter, expected] of [["trace_based", "11"], ["always_on", "22"], ["always_off", ""]] as const) {
  Deno.test(`metrics: the exemplar filter ${filter} decides by the trace of the event`, () => {
    const registry = new MetricRegistry(() => 0, filter);
    const ids = (digit: string, traceFlags: number): SpanIds => ({
      traceId: digit.repeat(32),
      spanId: digit.repeat(16),
      traceFlags,
    });
    const counter = registry.counter("tensor_wasm_instance_spawns_total", {});
    const histogram = registry.histogram("tensor_wasm_cell_ping_seconds", {});
    for (const event of [ids("1", 1), ids("2", 0)]) {
      counter.inc(1, event);
      histogram.observe(0, event);
    }
    const seen = registry.read().families.flatMap((family) => [...family.series()]).flatMap((series) =>
      series.type === "number" ? [series.exemplar] : [series.exemplarOf(0)]
    );
    assert.equal(seen.map((exemplar) => exemplar?.traceId[0] ?? "").join(""), expected);
  });
}
