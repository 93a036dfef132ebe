import assert from "node:assert/strict";
import { ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MetricReader, type MetricTemporality } from "../../../telemetry/export/metric_reader.ts";
import type { BatchSender, SendResult } from "../../../telemetry/export/sender.ts";
import { METRICS } from "../../../telemetry/mod.ts";
import { MetricRegistry, type MetricsReading } from "../../../telemetry/metrics/metrics.ts";
import { type DecodedMetric, type DecodedPoint, decodeMetricsRequest } from "../../support/otlp_decode.ts";

const resource = resourceFromAttributes({ "service.name": "svc" });
const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const REQUESTS = "tensor_wasm_http_requests_total";
const DURATION = "tensor_wasm_http_request_duration_seconds";
const LABELS = { route: "/x", method: "GET", status: "200" };

/** A registry, its reader, and a sender that answers what it is told to. */
class Bench implements AsyncDisposable {
  nowMs = 1000;
  accept = true;
  exported = 0;
  dropped = 0;
  readonly requests: DecodedMetric[][] = [];
  readonly registry = new MetricRegistry(() => this.nowMs);
  readonly reader: MetricReader;

  constructor(temporality: MetricTemporality) {
    const sender: BatchSender<Uint8Array<ArrayBuffer>> = {
      send: (batch, count): Promise<SendResult> => {
        this.requests.push(decodeMetricsRequest(batch));
        return Promise.resolve({ acceptedCount: this.accept ? count : 0 });
      },
      close: (): void => {},
    };
    const config = { intervalMs: 60_000, temporality };
    this.reader = new MetricReader(() => this.registry.read(), resource, sender, config, {
      exported: (count) => this.exported += count,
      dropped: (count) => this.dropped += count,
    });
  }

  /** Exports at an instant and returns what was on the wire. */
  async flush(atMs: number): Promise<DecodedMetric[]> {
    this.nowMs = atMs;
    const before = this.requests.length;
    await this.reader.flush();
    return this.requests.slice(before).flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader.close();
  }
}

function pointOf(metrics: readonly DecodedMetric[], name: string): DecodedPoint | undefined {
  return metrics.find((metric) => metric.name === name)?.points[0];
}

Deno.test("MetricReader sends every family as its type, with unit, labels, times and resource", async () => {
  await using bench = new Bench("cumulative");
  bench.registry.counter(REQUESTS, LABELS).inc(3);
  bench.registry.gauge("tensor_wasm_queue_depth", {}).set(7);
  bench.registry.histogram(DURATION, LABELS).observe(0.02);
  const metrics = await bench.flush(2000);
  const find = (name: string): DecodedMetric | undefined => metrics.find((metric) => metric.name === name);
  for (const metric of metrics) {
    assert.equal(metric.scope, "tensor-wasm");
    assert.deepEqual(metric.resource, { "service.name": "svc" });
    const { type, help } = METRICS[metric.name as keyof typeof METRICS];
    assert.equal(metric.type, type === "counter" ? "sum" : type);
    assert.equal(metric.description, help);
    assert.equal(metric.temporality, type === "gauge" ? 0 : 2);
    assert.equal(metric.isMonotonic, type === "counter");
  }
  const none = { count: 0, bucketCounts: [], bounds: [], exemplars: [] };
  assert.deepEqual(find(REQUESTS)?.points, [
    { startNanos: 1_000_000_000n, nanos: 2_000_000_000n, attributes: LABELS, value: 3, ...none },
  ]);
  assert.deepEqual(find("tensor_wasm_queue_depth")?.points, [
    { startNanos: 0n, nanos: 2_000_000_000n, attributes: {}, value: 7, ...none },
  ]);
  const { buckets } = METRICS[DURATION];
  assert.deepEqual(find(DURATION)?.points, [{
    startNanos: 1_000_000_000n,
    nanos: 2_000_000_000n,
    attributes: LABELS,
    value: 0.02,
    count: 1,
    bucketCounts: [...buckets, Infinity].map((bound) => bound === 0.025 ? 1 : 0),
    bounds: [...buckets],
    exemplars: [],
  }]);
  assert.deepEqual([find(DURATION)?.unit, find(REQUESTS)?.unit], ["s", ""]);
  assert.equal(find("tensor_wasm_gpu_memory_used_bytes"), undefined);
  assert.equal(bench.exported, metrics.flatMap(({ points }) => points).length);
});

/** A reading as the SDK's serializer takes it; all of it cumulative. */
function toSdkMetrics({ atMs, families }: MetricsReading): object {
  const toTime = (ms: number): [number, number] => [Math.floor(ms / 1000), (ms % 1000) * 1e6];
  const metrics = families.map((family) => ({
    descriptor: { name: family.name, description: family.help, unit: UNITS[family.name] ?? "", valueType: 1 },
    aggregationTemporality: 1,
    dataPointType: { histogram: 0, gauge: 2, counter: 3 }[family.type],
    isMonotonic: family.type === "counter",
    dataPoints: [...family.series()].map((series) => ({
      startTime: family.type === "gauge" ? [0, 0] : toTime(series.startMs),
      endTime: toTime(atMs),
      attributes: series.labels,
      value: series.type === "number" ? series.value : {
        buckets: { boundaries: series.bounds, counts: [...Array.from(series.counts)] },
        sum: series.sum,
        count: Array.from(series.counts).reduce((sum, count) => sum + count, 0),
      },
    })),
  })).filter(({ dataPoints }) => dataPoints.length > 0);
  return { resource, scopeMetrics: [{ scope: { name: "tensor-wasm" }, metrics }] };
}

/** Units by name, written out: they are not to come from the code that is checked. */
const UNITS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(METRICS).map((name) => [
    name,
    /_seconds(_total)?$/.test(name) ? "s" : /_bytes(_total)?$/.test(name) ? "By" : "",
  ]),
);

Deno.test("MetricReader and the SDK's serializer say the same", async () => {
  await using bench = new Bench("cumulative");
  for (const status of ["200", "404"]) {
    bench.registry.counter(REQUESTS, { ...LABELS, status }).inc(Number(status));
    for (const value of [0, 0.001, 0.7, 99]) {
      bench.registry.histogram(DURATION, { ...LABELS, status }).observe(value);
    }
  }
  bench.registry.gauge("tensor_wasm_queue_depth", {}).set(7.5);
  const ours = await bench.flush(2000);
  // Its type asks for classes of the SDK; it reads plain members.
  const metrics = toSdkMetrics(bench.registry.read()) as Parameters<
    typeof ProtobufMetricsSerializer.serializeRequest
  >[0];
  const theirs = ProtobufMetricsSerializer.serializeRequest(metrics);
  assert.ok(theirs !== undefined);
  const counts = /^tensor_wasm_metric_points_exported_total$/;
  const others = (list: readonly DecodedMetric[]): DecodedMetric[] =>
    list.filter(({ name }) => !counts.test(name));
  assert.deepEqual(others(ours), others(decodeMetricsRequest(theirs)));
});

Deno.test("MetricReader sends the whole again where points are cumulative, accepted or not", async () => {
  await using bench = new Bench("cumulative");
  const counter = bench.registry.counter(REQUESTS, LABELS);
  counter.inc(3);
  bench.accept = false;
  assert.equal(pointOf(await bench.flush(2000), REQUESTS)?.value, 3);
  assert.ok(bench.dropped > 0);
  counter.inc(2);
  bench.accept = true;
  const point = pointOf(await bench.flush(3000), REQUESTS);
  assert.deepEqual([point?.value, point?.startNanos], [5, 1_000_000_000n]);
});

Deno.test("MetricReader sends differences since what was accepted where points are deltas", async () => {
  await using bench = new Bench("delta");
  const counter = bench.registry.counter(REQUESTS, LABELS);
  const histogram = bench.registry.histogram(DURATION, LABELS);
  const read = async (atMs: number): Promise<unknown> => {
    const metrics = await bench.flush(atMs);
    const [number, buckets] = [pointOf(metrics, REQUESTS), pointOf(metrics, DURATION)];
    return [number?.value, number?.startNanos, buckets?.count, buckets?.value, buckets?.startNanos];
  };
  counter.inc(3);
  histogram.observe(0.5);
  assert.deepEqual(await read(2000), [3, 1_000_000_000n, 1, 0.5, 1_000_000_000n]);
  assert.deepEqual(bench.requests[0]?.find(({ name }) => name === REQUESTS)?.temporality, 1);
  // Nothing new is nothing to say, of counters and histograms.
  assert.deepEqual(await read(3000), [undefined, undefined, undefined, undefined, undefined]);
  counter.inc(2);
  histogram.observe(0.25);
  bench.accept = false;
  assert.deepEqual(await read(4000), [2, 2_000_000_000n, 1, 0.25, 2_000_000_000n]);
  counter.inc(1);
  bench.accept = true;
  // What was not accepted is in the next one.
  assert.deepEqual(await read(5000), [3, 2_000_000_000n, 1, 0.25, 2_000_000_000n]);
});

Deno.test("MetricReader sends an exemplar once, with its bucket's histogram or its counter", async () => {
  await using bench = new Bench("cumulative");
  bench.nowMs = 1500;
  bench.registry.histogram(DURATION, LABELS).observe(0.02, IDS);
  bench.registry.counter(REQUESTS, LABELS).inc(1, IDS);
  const metrics = await bench.flush(2000);
  const exemplar = { nanos: 1_500_000_000n, traceId: IDS.traceId, spanId: IDS.spanId, attributes: {} };
  assert.deepEqual(pointOf(metrics, DURATION)?.exemplars, [{ ...exemplar, value: 0.02 }]);
  assert.deepEqual(pointOf(metrics, REQUESTS)?.exemplars, [{ ...exemplar, value: 1 }]);
  assert.deepEqual(pointOf(await bench.flush(3000), DURATION)?.exemplars, []);
});

Deno.test("MetricReader splits what is too much for a request, and every series is in one of them", async () => {
  await using bench = new Bench("cumulative");
  for (let tenant = 0; tenant < 20_000; tenant++) {
    bench.registry.counter("tensor_wasm_guest_fuel_total", { tenant: String(tenant) }).inc(tenant);
  }
  const metrics = await bench.flush(2000);
  assert.ok(bench.requests.length > 1, `${bench.requests.length} requests`);
  const points = metrics.filter(({ name }) => name === "tensor_wasm_guest_fuel_total").flatMap(({ points }) =>
    points
  );
  const values = new Map(points.map(({ attributes, value }) => [attributes["tenant"], value]));
  assert.deepEqual([points.length, values.size, values.get("19999")], [20_000, 20_000, 19_999]);
});

Deno.test("MetricReader lets one export run at a time and gives up what is on the wire when closed", async () => {
  const registry = new MetricRegistry();
  let sendCount = 0;
  const begun = Promise.withResolvers<void>();
  const sender: BatchSender<Uint8Array<ArrayBuffer>> = {
    send: (_batch, _count, signal): Promise<SendResult> => {
      sendCount += 1;
      begun.resolve();
      const { promise, resolve } = Promise.withResolvers<SendResult>();
      signal.addEventListener("abort", () => resolve({ acceptedCount: 0, reason: "aborted" }));
      return promise;
    },
    close: (): void => {},
  };
  const reasons: string[] = [];
  const config = { intervalMs: 1, temporality: "cumulative" } as const;
  const reader = new MetricReader(() => registry.read(), resource, sender, config, {
    exported: () => {},
    dropped: (_count, reason) => reasons.push(reason),
  });
  // Its timer keeps no process alive, so something else must.
  const alive = setInterval(() => {}, 1000);
  await begun.promise;
  clearInterval(alive);
  // Many intervals, in which another one would have begun.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(sendCount, 1);
  await reader.close();
  assert.deepEqual(reasons, ["aborted"]);
});
