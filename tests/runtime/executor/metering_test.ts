import assert from "node:assert/strict";
import { Metering } from "../../../runtime/executor/metering.ts";
import { TenantTable } from "../../../runtime/executor/tenant_series.ts";
import type { Execution } from "../../../runtime/model/invocation.ts";
import { NO_USAGE } from "../../../runtime/model/usage.ts";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { ManualClock } from "../../support/clock.ts";

const USAGE = { fuel: 7, yields: 2, cpuUs: 1_500_000, memoryBytes: 65_536 };
const RETURNED: Pick<Execution, "outcome" | "usage" | "queueMs" | "cold"> = {
  outcome: { type: "returned", values: [] },
  usage: USAGE,
  queueMs: 250,
  cold: false,
};

class Setup {
  readonly metrics = new MetricRegistry();
  readonly metering: Metering;

  constructor() {
    const options = { clock: new ManualClock(), device: "cpu", tenantsMax: 10, idleMs: 1000 };
    const tenants = new TenantTable({ metrics: this.metrics, ...options });
    this.metering = new Metering(this.metrics, tenants);
  }

  async lines(pattern: RegExp): Promise<string[]> {
    const { body } = await this.metrics.text();
    return body.split("\n").filter((line) => !line.startsWith("#") && pattern.test(line)).sort();
  }

  run(tenant: string, execution: Partial<typeof RETURNED> = {}): void {
    const series = this.metering.begin(tenant);
    this.metering.record(series, { ...RETURNED, ...execution });
    series.end();
  }
}

Deno.test("Metering counts what a tenant's calls have used", async () => {
  const setup = new Setup();
  setup.run("5");
  setup.run("5");
  setup.run("5", { outcome: { type: "trapped", trap: "unreachable" }, usage: NO_USAGE });
  assert.deepEqual(await setup.lines(/guest.*"5"/), [
    'tensor_wasm_guest_calls_total{tenant="5",outcome="returned"} 2',
    'tensor_wasm_guest_calls_total{tenant="5",outcome="trapped"} 1',
    'tensor_wasm_guest_calls_waiting{tenant="5"} 0',
    'tensor_wasm_guest_cpu_seconds_total{tenant="5"} 3',
    'tensor_wasm_guest_fuel_total{tenant="5"} 14',
    'tensor_wasm_guest_queue_seconds_total{tenant="5"} 0.75',
    'tensor_wasm_guest_yields_total{tenant="5"} 4',
  ]);
});

Deno.test("Metering keeps tenants apart", async () => {
  const setup = new Setup();
  setup.run("1");
  setup.run("2", { usage: { ...USAGE, fuel: 1 } });
  assert.deepEqual(await setup.lines(/fuel.*"[12]"/), [
    'tensor_wasm_guest_fuel_total{tenant="1"} 7',
    'tensor_wasm_guest_fuel_total{tenant="2"} 1',
  ]);
});

Deno.test("Metering tells warm from cold, and where a deadline passed", async () => {
  const setup = new Setup();
  setup.run("1", { cold: true });
  setup.run("1");
  setup.run("1", { outcome: { type: "exhausted", limit: "deadline_ms", max: 1, actual: 2 } });
  setup.run("1", { outcome: { type: "exhausted", limit: "fuel", max: 1, actual: 2 } });
  for (const code of ["invoke_timeout", "capacity_exhausted", undefined]) {
    const series = setup.metering.begin("1");
    setup.metering.refused(series, code, 500);
    series.end();
  }
  assert.deepEqual(await setup.lines(/draws|deadlines|wasm_queue_wait_seconds_(count|sum)/), [
    'tensor_wasm_deadlines_exceeded_total{stage="queue"} 1',
    'tensor_wasm_deadlines_exceeded_total{stage="run"} 1',
    'tensor_wasm_pool_draws_total{result="hit"} 3',
    'tensor_wasm_pool_draws_total{result="miss"} 1',
    "tensor_wasm_queue_wait_seconds_count 7",
    "tensor_wasm_queue_wait_seconds_sum 2.5",
  ]);
});

Deno.test("Metering shows calls while they are under way", async () => {
  const setup = new Setup();
  const series = setup.metering.begin("1");
  assert.deepEqual(await setup.lines(/active.*"1"/), ['tensor_wasm_active_instances{tenant="1"} 1']);
  series.end();
  assert.deepEqual(await setup.lines(/active.*"1"/), ['tensor_wasm_active_instances{tenant="1"} 0']);
});
