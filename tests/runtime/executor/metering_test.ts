import assert from "node:assert/strict";
import { Metering, OTHER_TENANTS, TENANTS_MAX } from "../../../runtime/executor/metering.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import { NO_USAGE } from "../../../runtime/model/usage.ts";
import { MetricRegistry } from "../../../telemetry/metrics.ts";

const RETURNED: Outcome = { type: "returned", values: [] };
const USAGE = { fuel: 7, yields: 2, cpuUs: 1_500_000, memoryBytes: 65_536 };

async function linesOf(metrics: MetricRegistry, pattern: RegExp): Promise<string[]> {
  const { body } = await metrics.text();
  return body.split("\n").filter((line) => line.startsWith("tensor_wasm_guest_") && pattern.test(line));
}

Deno.test("Metering counts what a tenant's calls have used", async () => {
  const metrics = new MetricRegistry();
  const metering = new Metering(metrics);
  metering.record("5", { outcome: RETURNED, usage: USAGE });
  metering.record("5", { outcome: RETURNED, usage: USAGE });
  metering.record("5", { outcome: { type: "trapped", trap: "unreachable" }, usage: NO_USAGE });
  assert.deepEqual((await linesOf(metrics, /"5"/)).sort(), [
    'tensor_wasm_guest_calls_total{tenant="5",outcome="returned"} 2',
    'tensor_wasm_guest_calls_total{tenant="5",outcome="trapped"} 1',
    'tensor_wasm_guest_cpu_seconds_total{tenant="5"} 3',
    'tensor_wasm_guest_fuel_total{tenant="5"} 14',
    'tensor_wasm_guest_yields_total{tenant="5"} 4',
  ]);
});

Deno.test("Metering keeps tenants apart", async () => {
  const metrics = new MetricRegistry();
  const metering = new Metering(metrics);
  metering.record("1", { outcome: RETURNED, usage: USAGE });
  metering.record("2", { outcome: RETURNED, usage: { ...USAGE, fuel: 1 } });
  assert.deepEqual(await linesOf(metrics, /fuel/), [
    'tensor_wasm_guest_fuel_total{tenant="1"} 7',
    'tensor_wasm_guest_fuel_total{tenant="2"} 1',
  ]);
});

Deno.test(`Metering has series of their own for ${TENANTS_MAX} tenants; the others share one`, async () => {
  const metrics = new MetricRegistry();
  const metering = new Metering(metrics);
  for (let tenant = 0; tenant < TENANTS_MAX; tenant++) {
    metering.record(`${tenant}`, { outcome: RETURNED, usage: USAGE });
  }
  assert.deepEqual(await linesOf(metrics, new RegExp(`fuel.*"${OTHER_TENANTS}"`)), []);
  for (const tenant of ["5000", "5001", "5000"]) metering.record(tenant, { outcome: RETURNED, usage: USAGE });
  // Who has a series keeps it.
  metering.record("0", { outcome: RETURNED, usage: USAGE });
  assert.deepEqual(await linesOf(metrics, /fuel.*"(other|500.|0)"/), [
    'tensor_wasm_guest_fuel_total{tenant="0"} 14',
    'tensor_wasm_guest_fuel_total{tenant="other"} 21',
  ]);
  assert.equal((await linesOf(metrics, /fuel_total\{/)).length, TENANTS_MAX + 1);
});
