import assert from "node:assert/strict";
import { keepGauges } from "../../../runtime/executor/gauges.ts";
import { TenantTable } from "../../../runtime/executor/tenant_series.ts";
import type { TenantMemory } from "../../../runtime/wire/messages.ts";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { ManualClock } from "../../support/clock.ts";

const COUNTS = {
  ...{ cells: 2, starting: 1, slotsFree: 120, slotsUsed: 8, queueDepth: 5 },
  ...{ tenantsWaiting: 2, gpuMemoryBytes: 0 },
};

class Setup {
  readonly metrics = new MetricRegistry();
  readonly clock = new ManualClock();
  readonly tenants: TenantTable;
  waiting: (readonly [string, number])[] = [];
  cells: { residentBytes: number; tenantMemory: readonly TenantMemory[] }[] = [];
  storeAnswers = true;
  readonly stop: () => void;

  constructor() {
    const { metrics, clock } = this;
    this.tenants = new TenantTable({ metrics, clock, device: "cpu", tenantsMax: 2, idleMs: 1000 });
    this.stop = keepGauges(metrics, {
      pool: { counts: () => COUNTS, waiting: () => this.waiting, cells: () => this.cells },
      tenants: this.tenants,
      suspectCount: () => 3,
      readiness: () => ({ lifecycle: true, store: this.storeAnswers }),
    });
  }

  async lines(pattern: RegExp): Promise<string[]> {
    const { body } = await this.metrics.text();
    return body.split("\n").filter((line) => !line.startsWith("#") && pattern.test(line)).sort();
  }
}

Deno.test("keepGauges() asks the pool whenever metrics are read", async () => {
  const setup = new Setup();
  assert.deepEqual(await setup.lines(/cells\{|slots\{|permits|queue_depth|suspected|ready\{/), [
    "tensor_wasm_backpressure_permits_available 120",
    "tensor_wasm_backpressure_permits_used 8",
    'tensor_wasm_cell_slots{state="free"} 120',
    'tensor_wasm_cell_slots{state="used"} 8',
    'tensor_wasm_cells{state="live"} 2',
    'tensor_wasm_cells{state="starting"} 1',
    "tensor_wasm_modules_suspected 3",
    "tensor_wasm_queue_depth 5",
    'tensor_wasm_ready{part="lifecycle"} 1',
    'tensor_wasm_ready{part="store"} 1',
  ]);
  setup.storeAnswers = false;
  assert.deepEqual(await setup.lines(/ready\{part="store"/), ['tensor_wasm_ready{part="store"} 0']);
});

Deno.test("keepGauges() adds up what tenants wait for and hold, over cells; unknown tenants together", async () => {
  const setup = new Setup();
  for (const tenant of ["1", "2"]) setup.tenants.of(tenant);
  setup.waiting = [["1", 4], ["8", 2], ["9", 1]];
  setup.cells = [
    {
      residentBytes: 1000,
      tenantMemory: [
        { tenant: "1", memoryBytes: 10, deviceBytes: 5 },
        { tenant: "9", memoryBytes: 7, deviceBytes: 0 },
      ],
    },
    {
      residentBytes: 500,
      tenantMemory: [
        { tenant: "1", memoryBytes: 20, deviceBytes: 1 },
        { tenant: "8", memoryBytes: 1, deviceBytes: 0 },
      ],
    },
  ];
  assert.deepEqual(await setup.lines(/waiting|per_tenant|used_bytes|cells_resident|tracked/), [
    "tensor_wasm_cells_resident_bytes 1500",
    'tensor_wasm_cpu_memory_bytes_per_tenant{tenant_id="T#1"} 30',
    'tensor_wasm_cpu_memory_bytes_per_tenant{tenant_id="T#2"} 0',
    'tensor_wasm_cpu_memory_bytes_per_tenant{tenant_id="other"} 8',
    'tensor_wasm_gpu_memory_bytes_per_tenant{tenant_id="T#1"} 6',
    'tensor_wasm_gpu_memory_bytes_per_tenant{tenant_id="other"} 0',
    'tensor_wasm_gpu_memory_used_bytes{device="cpu",tenant="1"} 6',
    'tensor_wasm_gpu_memory_used_bytes{device="cpu",tenant="other"} 0',
    'tensor_wasm_guest_calls_waiting{tenant="1"} 4',
    'tensor_wasm_guest_calls_waiting{tenant="2"} 0',
    'tensor_wasm_guest_calls_waiting{tenant="other"} 3',
    "tensor_wasm_tenants_tracked 2",
  ]);
  setup.waiting = [];
  setup.cells = [];
  assert.deepEqual(await setup.lines(/(waiting|cpu_memory).*"(T#)?1"/), [
    'tensor_wasm_cpu_memory_bytes_per_tenant{tenant_id="T#1"} 0',
    'tensor_wasm_guest_calls_waiting{tenant="1"} 0',
  ]);
});

Deno.test("keepGauges() ends idle tenants' series, and stops when it is told to", async () => {
  const setup = new Setup();
  setup.tenants.of("1");
  await setup.metrics.text();
  setup.clock.advance(1001);
  assert.deepEqual(await setup.lines(/fuel_total\{tenant="1"/), []);
  setup.stop();
  setup.storeAnswers = false;
  assert.deepEqual(await setup.lines(/ready\{part="store"/), ['tensor_wasm_ready{part="store"} 1']);
});
