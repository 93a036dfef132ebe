import assert from "node:assert/strict";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { watchProcess } from "../../../telemetry/metrics/process_metrics.ts";
import { parsePrometheusText, valueOf } from "../../flow/prometheus_text.ts";

async function read(metrics: MetricRegistry): Promise<ReturnType<typeof parsePrometheusText>> {
  return parsePrometheusText((await metrics.text()).body);
}

Deno.test("watchProcess() says what the process uses, and when it started", async () => {
  const metrics = new MetricRegistry();
  using _watch = watchProcess(metrics);
  const first = await read(metrics);
  assert.ok(valueOf(first, "process_cpu_seconds_total") > 0);
  assert.ok(valueOf(first, "process_resident_memory_bytes") > 1e6);
  assert.ok(Math.abs(valueOf(first, "process_start_time_seconds") - performance.timeOrigin / 1000) < 1);
  // Tests run with every permission, so on Linux it can be known.
  if (Deno.build.os === "linux") assert.ok(valueOf(first, "process_open_fds") > 2);
  const second = await read(metrics);
  assert.ok(valueOf(second, "process_cpu_seconds_total") >= valueOf(first, "process_cpu_seconds_total"));
});

Deno.test("watchProcess() sees an event loop that was held up", async () => {
  const metrics = new MetricRegistry();
  using _watch = watchProcess(metrics);
  // Holds the loop past the next look: it comes late by at least the difference.
  const untilMs = performance.now() + 250;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const families = await read(metrics);
  const name = "tensor_wasm_event_loop_delay_seconds";
  // A look more may have come while they were read.
  assert.ok(valueOf(families, `${name}_count`) >= 1);
  assert.ok(valueOf(families, `${name}_sum`) > 0.1);
});

Deno.test("watchProcess() leaves no timer and reads nothing when it is over", async () => {
  const metrics = new MetricRegistry();
  watchProcess(metrics)[Symbol.dispose]();
  const families = await read(metrics);
  assert.equal(valueOf(families, "process_cpu_seconds_total"), 0);
});
