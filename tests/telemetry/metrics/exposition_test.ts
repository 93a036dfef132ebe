import assert from "node:assert/strict";
import fc from "fast-check";
import { METRICS } from "../../../telemetry/mod.ts";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { parseOpenMetrics } from "../../flow/open_metrics_text.ts";
import { parsePrometheusText, valueOf } from "../../flow/prometheus_text.ts";

const IDS = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
const REQUEST = { route: "/functions/:id", method: "POST", status: "200" };

async function openMetrics(metrics: MetricRegistry): Promise<string> {
  return (await metrics.text("openmetrics")).body;
}

Deno.test("exposition: every family of the vocabulary obeys the rules of both formats", async () => {
  const metrics = new MetricRegistry();
  const plain = parsePrometheusText((await metrics.text()).body);
  const open = parseOpenMetrics(await openMetrics(metrics));
  assert.deepEqual([...plain.keys()], Object.keys(METRICS));
  assert.deepEqual([...open.families.keys()], Object.keys(METRICS));
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    assert.deepEqual([open.families.get(name)?.type, open.families.get(name)?.help], [type, help]);
  }
  assert.equal(open.units.get("tensor_wasm_http_request_duration_seconds"), "seconds");
  assert.equal(open.units.get("tensor_wasm_guest_cpu_seconds"), "seconds");
  assert.equal(open.units.get("process_resident_memory_bytes"), "bytes");
});

Deno.test("exposition: OpenMetrics shows the last sampled trace of a bucket, and of a counter", async () => {
  const metrics = new MetricRegistry(() => 1_700_000_000_123);
  const histogram = metrics.histogram("tensor_wasm_http_request_duration_seconds", REQUEST);
  histogram.observe(0.003, { ...IDS, traceId: "a".repeat(32) });
  histogram.observe(0.004, IDS);
  histogram.observe(0.0045, { ...IDS, traceFlags: 0 });
  histogram.observe(99, IDS, 1_800_000_000_000);
  metrics.counter("tensor_wasm_request_faults_total", { kind: "internal" }).inc(1, IDS);
  const text = await openMetrics(metrics);
  const labels = { trace_id: IDS.traceId, span_id: IDS.spanId };
  const series =
    'tensor_wasm_http_request_duration_seconds_bucket{route="/functions/:id",method="POST",status="200"';
  assert.deepEqual(parseOpenMetrics(text).exemplars, [
    { series: `${series},le="0.005"}`, labels, value: 0.004, timestampSeconds: 1_700_000_000.123 },
    { series: `${series},le="+Inf"}`, labels, value: 99, timestampSeconds: 1_800_000_000 },
    {
      series: 'tensor_wasm_request_faults_total{kind="internal"}',
      ...{ labels, value: 1, timestampSeconds: 1_700_000_000.123 },
    },
  ]);
  assert.equal((await metrics.text()).body.includes(IDS.traceId), false, "Prometheus' text has none");
});

Deno.test("exposition: histogram.exemplify() marks only a bucket that has counted something", async () => {
  const metrics = new MetricRegistry();
  const histogram = metrics.histogram("tensor_wasm_kernel_latency_seconds", { device: "cpu" });
  histogram.exemplify(0.03, IDS);
  assert.deepEqual(parseOpenMetrics(await openMetrics(metrics)).exemplars, []);
  histogram.observeAll([0, 0, 0, 0, 0, 0, 0, 1], 0.03);
  histogram.exemplify(0.03, { ...IDS, traceFlags: 0 });
  assert.deepEqual(parseOpenMetrics(await openMetrics(metrics)).exemplars, []);
  histogram.exemplify(0.03, IDS);
  assert.equal(parseOpenMetrics(await openMetrics(metrics)).exemplars.length, 1);
});

Deno.test("exposition: numbers are printed as both formats write them", async () => {
  const metrics = new MetricRegistry();
  const gauge = metrics.gauge("tensor_wasm_queue_depth", {});
  const cases = [[1e21, "1e+21"], [NaN, "NaN"], [Infinity, "+Inf"], [-Infinity, "-Inf"], [
    -0.5,
    "-0.5",
  ]] as const;
  for (const [value, text] of cases) {
    gauge.set(value);
    for (const format of ["prometheus", "openmetrics"] as const) {
      const { body } = await metrics.text(format);
      assert.match(body, new RegExp(`^tensor_wasm_queue_depth ${text.replace("+", "\\+")}$`, "m"));
    }
  }
});

Deno.test("exposition: whatever a label's value is, both formats give it back, and each series once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 8 }),
      async (states) => {
        const metrics = new MetricRegistry();
        for (const [index, state] of states.entries()) {
          metrics.gauge("tensor_wasm_cells", { state }).set(index + 1);
        }
        const plain = parsePrometheusText((await metrics.text()).body);
        const open = parseOpenMetrics(await openMetrics(metrics)).families;
        for (const [index, state] of states.entries()) {
          assert.equal(valueOf(plain, "tensor_wasm_cells", { state }), index + 1);
          assert.equal(valueOf(open, "tensor_wasm_cells", { state }), index + 1);
        }
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("exposition: a histogram's text says what was observed", async () => {
  const seconds = fc.double({ min: 0, max: 20, noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.array(seconds, { maxLength: 50 }), async (values) => {
      const metrics = new MetricRegistry();
      const histogram = metrics.histogram("tensor_wasm_http_request_duration_seconds", REQUEST);
      for (const value of values) histogram.observe(value, IDS);
      const { families } = parseOpenMetrics(await openMetrics(metrics));
      const bounds = METRICS.tensor_wasm_http_request_duration_seconds.buckets;
      for (const bound of bounds) {
        const le = Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
        assert.equal(
          valueOf(families, "tensor_wasm_http_request_duration_seconds_bucket", { ...REQUEST, le }),
          values.filter((value) => value <= bound).length,
        );
      }
      assert.equal(
        valueOf(families, "tensor_wasm_http_request_duration_seconds_count", REQUEST),
        values.length,
      );
    }),
    { numRuns: 12 },
  );
});

Deno.test("exposition: printing many series gives the event loop its turns", async () => {
  const metrics = new MetricRegistry();
  for (let tenant = 0; tenant < 20_000; tenant++) {
    metrics.counter("tensor_wasm_guest_fuel_total", { tenant: String(tenant) }).inc();
  }
  let turns = 0;
  let isPrinting = true;
  const turn = (): void => {
    turns += 1;
    if (isPrinting) setTimeout(turn, 0);
  };
  setTimeout(turn, 0);
  const { body } = await metrics.text();
  isPrinting = false;
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(body.includes('{tenant="19999"} 1'));
  assert.ok(turns > 1, `${turns} turns`);
});

Deno.test("exposition: which events become exemplars is what the filter says, for each way to make one", async () => {
  const cases = [["trace_based", 1, 3], ["trace_based", 0, 0], ["always_on", 0, 3], [
    "always_off",
    1,
    0,
  ]] as const;
  for (const [filter, traceFlags, expected] of cases) {
    const metrics = new MetricRegistry(undefined, filter);
    const ids = { ...IDS, traceFlags };
    metrics.histogram("tensor_wasm_queue_wait_seconds", {}).observe(1, ids);
    const kernels = metrics.histogram("tensor_wasm_kernel_latency_seconds", { device: "cpu" });
    kernels.observeAll([1], 0.000_01);
    kernels.exemplify(0.000_01, ids);
    metrics.counter("tensor_wasm_request_faults_total", { kind: "internal" }).inc(1, ids);
    const { exemplars } = parseOpenMetrics(await openMetrics(metrics));
    assert.equal(exemplars.length, expected, `${filter}, flags ${traceFlags}`);
  }
});
