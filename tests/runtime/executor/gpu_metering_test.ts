import assert from "node:assert/strict";
import { GpuMetering } from "../../../runtime/executor/gpu_metering.ts";
import { TenantTable } from "../../../runtime/executor/tenant_series.ts";
import type { GpuReport } from "../../../runtime/wire/messages.ts";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { ManualClock } from "../../support/clock.ts";

const REPORT: GpuReport = {
  spans: [],
  launchCount: 9,
  launchUs: 100,
  launchUsMax: 50,
  deviceUs: 1_500_000,
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
  const clock = new ManualClock();
  const tenants = new TenantTable({ metrics, clock, device: "cpu", tenantsMax: 10, idleMs: 1000 });
  metering.record(REPORT, tenants.of("3"));
  metering.record(REPORT, tenants.of("3"));
  tenants.of("3").setGpuBytes(77);
  assert.deepEqual(
    await linesOf(metrics, /_(dispatches|errors|loads)_total|_(sum|count)\{device|gpu_memory/),
    [
      'tensor_wasm_gpu_memory_bytes_per_tenant{tenant_id="T#3"} 77',
      'tensor_wasm_gpu_memory_bytes_per_tenant{tenant_id="other"} 0',
      'tensor_wasm_gpu_memory_used_bytes{device="cpu",tenant="3"} 77',
      'tensor_wasm_gpu_memory_used_bytes{device="cpu",tenant="other"} 0',
      'tensor_wasm_kernel_dispatches_total{device="cpu",tenant="3"} 8',
      'tensor_wasm_kernel_dispatches_total{device="cpu",tenant="other"} 0',
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
  assert.deepEqual(await linesOf(metrics, /kernel_latency.*le="(0.00001|10.0|\+Inf)"/), [
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="+Inf"} 8',
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="0.00001"} 4',
    'tensor_wasm_kernel_latency_seconds_bucket{device="cpu",le="10.0"} 6',
  ]);
});

Deno.test("GpuMetering has its series before anything happens", async () => {
  const metrics = new MetricRegistry();
  new GpuMetering(metrics, "cpu");
  const lines = await linesOf(metrics, /device="cpu"/);
  for (
    const name of [
      "kernel_latency",
      "kernel_errors",
      "ptx_loads",
      "ptx_compile",
    ]
  ) {
    assert.ok(lines.some((line) => line.startsWith(`tensor_wasm_${name}`)), name);
  }
});

Deno.test("GpuMetering tells kernels on a GPU from those that ran on the CPU in its place", async () => {
  for (const [device, success, fallback] of [["cuda", 4, 0], ["cpu", 0, 4]] as const) {
    const metrics = new MetricRegistry();
    const clock = new ManualClock();
    const tenants = new TenantTable({ metrics, clock, device, tenantsMax: 10, idleMs: 1000 });
    new GpuMetering(metrics, device, "configured").record(REPORT, tenants.of("3"));
    assert.deepEqual(await linesOf(metrics, /offload|jit/), [
      "tensor_wasm_jit_cache_cold_miss_then_insert_total 1",
      "tensor_wasm_jit_cache_warm_hit_total 2",
      `tensor_wasm_offload_fallback_total{reason="configured"} ${fallback}`,
      `tensor_wasm_offload_success_total ${success}`,
    ]);
  }
});

Deno.test("GpuMetering shows a call's trace on the bucket of its kernel", async () => {
  const metrics = new MetricRegistry();
  const tenants = new TenantTable({
    ...{ metrics, clock: new ManualClock(), device: "cpu", tenantsMax: 10, idleMs: 1000 },
  });
  const ids = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
  new GpuMetering(metrics, "cpu").record(
    {
      ...REPORT,
      spans: [{
        ...{ type: "launch", startUs: 0, endUs: 9, grid: [1, 1, 1], block: [1, 1, 1], sharedBytes: 0 },
        ...{ bytesIn: 0, bytesOut: 0, dispatch: { startUs: 0, endUs: 9, deviceTimeUs: 30 } },
      }],
    },
    tenants.of("3"),
    ids,
  );
  const { body } = await metrics.text("openmetrics");
  assert.match(body, /kernel_latency_seconds_bucket\{device="cpu",le="0.00005"\} 3 # \{trace_id="4bf9/);
});
