/**
 * Metrics of a live gateway that the tests of their parts do not see move: deploys and modules, the tail sampler, and
 * what an exporter of metrics loses.
 */
import assert from "node:assert/strict";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { until } from "../system/program.ts";
import { cancelJob, postJob } from "./job_calls.ts";
import { type MetricFamily, parsePrometheusText } from "./prometheus_text.ts";

type Families = ReadonlyMap<string, MetricFamily>;

async function scrape(gateway: TestGateway): Promise<Families> {
  return parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
}

/** The sum of the samples that have all of the labels. */
function sumOf(families: Families, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const family = families.get(name.replace(/_count$/, "")) ?? families.get(name);
  const samples = family?.samples ?? [];
  return samples.filter((sample) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  ).reduce((sum, { value }) => sum + value, 0);
}

async function add(gateway: TestGateway, headers: Record<string, string> = {}): Promise<void> {
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] }, headers);
  assert.deepEqual((await response.json()).result, [3]);
}

Deno.test("modules: deploys, examinations, lookups by place, and compilations are counted", async () => {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const flags = ["--cells-min", "1", "--cells-max", "1"];
  try {
    await using gateway = await TestGateway.start({ dataFolder, flags });
    const fresh = await scrape(gateway);
    const lookups = fresh.get("tensor_wasm_artifact_lookups_total")?.samples ?? [];
    assert.deepEqual(
      lookups.map(({ labels, value }) => [labels["result"], value]),
      [["memory", 0], ["disk", 0], ["made", 0]],
      "all are there before their first",
    );
    await gateway.deploy("add");
    await add(gateway);
    await add(gateway);
    const after = await scrape(gateway);
    assert.equal(sumOf(after, "tensor_wasm_functions_total"), 1);
    assert.equal(sumOf(after, "tensor_wasm_module_instrument_seconds_count"), 1);
    assert.equal(sumOf(after, "tensor_wasm_artifact_lookups_total", { result: "memory" }), 2);
    assert.equal(sumOf(after, "tensor_wasm_pool_draws_total", { result: "miss" }), 1);
    assert.equal(sumOf(after, "tensor_wasm_pool_draws_total", { result: "hit" }), 1);
    assert.equal(sumOf(after, "tensor_wasm_cell_starts_total"), 2, "one for calls and the workshop");
    // Cells tell of compilations with the next answer to a ping.
    await until(
      "the compilation is told of",
      async () => sumOf(await scrape(gateway), "tensor_wasm_module_compile_seconds_count") === 1,
    );
    await gateway[Symbol.asyncDispose]();
    await using again = await TestGateway.start({ dataFolder, flags });
    await add(again);
    assert.equal(
      sumOf(await scrape(again), "tensor_wasm_artifact_lookups_total", { result: "disk" }),
      1,
      "what an earlier run has made",
    );
  } finally {
    await Deno.remove(dataFolder, { recursive: true });
  }
});

Deno.test("the tail sampler shows what it holds, and lets go of it", async () => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_METRICS_EXPORTER: "none" },
  });
  await gateway.deploy("sleep");
  const held = async (): Promise<number> => sumOf(await scrape(gateway), "tensor_wasm_tail_spans");
  assert.equal(await held(), 0, "what is sampled is not held");
  // A request that accepted a job is undecided until the job has ended.
  const response = await postJob(gateway, "sleep", { argv: ["60000"] }, {
    traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00`,
  });
  const { job_id: id } = await response.json();
  await until("the spans of the request are held", async () => await held() === 2);
  await cancelJob(gateway, id);
  await until("they are let go", async () => await held() === 0);
});

Deno.test("metric points that no collector takes are counted, and told of", async () => {
  await using collector = new Collector();
  collector.mode = { type: "refuse", status: 400 };
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1"],
    env: {
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.endpoint}/v1/metrics`,
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    },
  });
  await until(
    "points are dropped",
    async () => sumOf(await scrape(gateway), "tensor_wasm_metric_points_dropped_total") > 0,
  );
  const line = await gateway.line(({ message }) => message === "telemetry.metrics_dropped");
  assert.ok(Number(line["count"]) > 0);
  collector.mode = { type: "accept" };
  await until(
    "points are taken",
    async () => sumOf(await scrape(gateway), "tensor_wasm_metric_points_exported_total") > 0,
  );
});
