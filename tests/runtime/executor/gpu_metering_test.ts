import assert from "node:assert/strict";
import { GpuMetering } from "../../../runtime/executor/gpu_metering.ts";
import type { GpuReport } from "../../../runtime/wire/messages.ts";
import { MetricRegistry } from "../../../telemetry/metrics.ts";

const REPORT: GpuReport = {
  spans: [],
  launchCount: 9,
  launchUs: 100,
  launchUsMax: 50,
  dispatches: { counts: [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], sumSeconds: 12.5 },
  compiles: { counts: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], sumSeconds: 0.25 },
  loads: { compiled: 1, cached: 2, failed: 3 },
  failures: { CUDA_ERROR_ASSERT: 1, CUDA_ERROR_ILLEGAL_ADDRESS: 4 },
};

async function linesOf(metrics: MetricRegistry, pattern: RegExp): Promise<string[]> {
  const { body } = await metrics.text();
  return body.split("\n").filter((line) => !line.startsWith("#") && pattern.test(line)).sort();
}

Deno.test("GpuMetering counts what calls report, under the device's kind", async () => {
  const metrics = new MetricRegistry();
  const metering = new GpuMetering(metrics, "cpu");
  metering.record(REPORT);
  metering.record(REPORT);
  metering.setMemory(77);
  assert.deepEqual(
    await linesOf(metrics, /_(dispatches|errors|loads)_total|_(sum|count)\{device|gpu_memory/),
    [
      'tensor_wasm_gpu_memory_used_bytes{device="cpu"} 77',
      'tensor_wasm_kernel_dispatches_total{device="cpu"} 8',
      'tensor_wasm_kernel_errors_total{device="cpu",status="CUDA_ERROR_ASSERT"} 2',
      'tensor_wasm_kernel_errors_total{device="cpu",status="CUDA_ERROR_ILLEGAL_ADDRESS"} 8',
      'tensor_wasm_kernel_latency_seconds_count{device="cpu"} 8',
      'tensor_wasm_kernel_latency_seconds_sum{device="cpu"} 25',
      'tensor_wasm_ptx_compile_seconds_count{device="cpu"} 2',
      'tensor_wasm_ptx_compile_seconds_sum{device="cpu"} 0.5',
      'tensor_wasm_ptx_loads_total{device="cpu",result="cached"} 4',
      'tensor_wasm_ptx_loads_total{device="cpu",result="compiled"} 2',
      'tensor_wasm_ptx_loads_total{device="cpu",result="failed"} 6',
    ],
  );
  assert.deepEqual(await linesOf(metrics, /kernel_latency.*le="(0.00001|10|\+Inf)"/), [
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="+Inf"} 8',
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="0.00001"} 4',
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="10"} 6',
  ]);
});

Deno.test("GpuMetering has its series before anything happens", async () => {
  const metrics = new MetricRegistry();
  new GpuMetering(metrics, "cpu");
  const lines = await linesOf(metrics, /device="cpu"/);
  for (
    const name of [
      "kernel_dispatches",
      "kernel_latency",
      "kernel_errors",
      "gpu_memory",
      "ptx_loads",
      "ptx_compile",
    ]
  ) {
    assert.ok(lines.some((line) => line.startsWith(`tensor_wasm_${name}`)), name);
  }
});
