import assert from "node:assert/strict";
import fc from "fast-check";
import { OTHER_TENANTS, TenantTable } from "../../../runtime/executor/tenant_series.ts";
import { MetricRegistry } from "../../../telemetry/metrics/metrics.ts";
import { parsePrometheusText } from "../../flow/prometheus_text.ts";
import { ManualClock } from "../../support/clock.ts";

const IDLE_MS = 1000;

class Setup {
  readonly metrics = new MetricRegistry();
  readonly clock = new ManualClock();
  readonly tenants: TenantTable;

  constructor(tenantsMax: number) {
    const { metrics, clock } = this;
    this.tenants = new TenantTable({ metrics, clock, device: "cpu", tenantsMax, idleMs: IDLE_MS });
  }

  /** Fuel by tenant label. */
  async fuel(): Promise<Record<string, number>> {
    const families = parsePrometheusText((await this.metrics.text()).body);
    const samples = families.get("tensor_wasm_guest_fuel_total")?.samples ?? [];
    return Object.fromEntries(samples.map(({ labels, value }) => [labels["tenant"], value]));
  }

  seriesCount(): number {
    let count = 0;
    for (const family of this.metrics.read().families) count += [...family.series()].length;
    return count;
  }
}

Deno.test("TenantTable has series of their own for so many tenants; the others share one", async () => {
  const setup = new Setup(2);
  for (const tenant of ["1", "2", "3", "4", "1"]) setup.tenants.of(tenant).fuel.inc(10);
  assert.deepEqual(await setup.fuel(), { "1": 20, "2": 10, [OTHER_TENANTS]: 20 });
  assert.equal(setup.tenants.size, 2);
  assert.equal(setup.tenants.find("1").label, "1");
  assert.equal(setup.tenants.find("9").label, OTHER_TENANTS);
});

Deno.test("TenantTable with no room at all counts everyone together", async () => {
  const setup = new Setup(0);
  setup.tenants.of("1").fuel.inc(1);
  assert.deepEqual(await setup.fuel(), { [OTHER_TENANTS]: 1 });
});

Deno.test("TenantTable ends the series of a tenant that is idle, and has room for another then", async () => {
  const setup = new Setup(1);
  setup.tenants.of("1").fuel.inc(5);
  setup.tenants.sweep();
  setup.clock.advance(IDLE_MS);
  setup.tenants.sweep();
  assert.deepEqual(await setup.fuel(), { "1": 5, [OTHER_TENANTS]: 0 });
  setup.clock.advance(1);
  setup.tenants.sweep();
  assert.deepEqual(await setup.fuel(), { [OTHER_TENANTS]: 0 });
  setup.tenants.of("2").fuel.inc(3);
  assert.deepEqual(await setup.fuel(), { "2": 3, [OTHER_TENANTS]: 0 });
  const { body } = await setup.metrics.text();
  assert.equal(body.includes("T#1"), false, "nor by the reference's label");
});

Deno.test("TenantTable keeps the series of a tenant with a call under way, however long it takes", async () => {
  const setup = new Setup(1);
  const series = setup.tenants.of("1");
  series.begin();
  for (let sweeps = 0; sweeps < 5; sweeps++) {
    setup.tenants.sweep();
    setup.clock.advance(IDLE_MS * 2);
  }
  series.end();
  series.fuel.inc(1);
  assert.deepEqual(await setup.fuel(), { "1": 1, [OTHER_TENANTS]: 0 });
});

Deno.test("TenantTable starts a tenant that comes back at zero, in new series", async () => {
  const setup = new Setup(1);
  setup.tenants.of("1").fuel.inc(5);
  setup.tenants.sweep();
  setup.clock.advance(IDLE_MS + 1);
  setup.tenants.sweep();
  setup.tenants.of("1").fuel.inc(2);
  assert.deepEqual(await setup.fuel(), { "1": 2, [OTHER_TENANTS]: 0 });
});

Deno.test("TenantTable: no tenants, however many and whatever they are called, make more series than the bound", async () => {
  const event = fc.record({
    tenant: fc.oneof(fc.string({ unit: "binary" }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)),
    fuel: fc.nat(1000),
    outcome: fc.constantFrom("returned", "trapped", "exited", "exhausted", "cancelled", "lost"),
    kernels: fc.nat(1),
    passMs: fc.constantFrom(0, 0, 10, IDLE_MS),
  });
  // What one tenant can have: see TenantSeries.
  const seriesOfTenantMax = 10 + 6 + 3;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), fc.nat(4), async (events, tenantsMax) => {
      const setup = new Setup(tenantsMax);
      const before = setup.seriesCount();
      for (const { tenant, fuel, outcome, kernels, passMs } of events) {
        const series = setup.tenants.of(tenant);
        series.fuel.inc(fuel);
        series.calls(outcome).inc();
        series.shed("tenant").inc();
        if (kernels > 0) series.dispatches.inc();
        setup.clock.advance(passMs);
        if (passMs > 0) setup.tenants.sweep();
        assert.ok(setup.tenants.size <= tenantsMax);
      }
      assert.ok(setup.seriesCount() - before <= (tenantsMax + 1) * seriesOfTenantMax);
      // The strict parser takes what is printed, and reads back the label as it was.
      const labels = Object.keys(await setup.fuel());
      const expected = [...setup.tenants.all()].map(({ label }) => label.toWellFormed());
      assert.deepEqual(labels.sort(), [...new Set(expected)].sort());
    }),
    { numRuns: 20 },
  );
});
