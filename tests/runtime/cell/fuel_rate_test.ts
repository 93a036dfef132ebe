import assert from "node:assert/strict";
import { FuelRate } from "../../../runtime/cell/fuel_rate.ts";

/** Lets code run that burns so much in a millisecond, for some grants; the grants. */
function grantsAt(fuelPerMs: number, count: number): number[] {
  const rate = new FuelRate();
  const grants: number[] = [];
  let [fuel, nowMs] = [0, 0];
  rate.mark(fuel, nowMs);
  for (let index = 0; index < count; index++) {
    grants.push(rate.grant);
    fuel += rate.grant;
    nowMs += rate.grant / fuelPerMs;
    rate.note(fuel, nowMs);
    rate.mark(fuel, nowMs);
  }
  return grants;
}

Deno.test("FuelRate finds what is burnt in 0.2 ms, within a few grants", () => {
  assert.deepEqual(grantsAt(1_000_000, 5).slice(-2), [200_000, 200_000]);
  assert.deepEqual(grantsAt(10_000, 3).slice(-2), [2_000, 2_000]);
});

Deno.test("FuelRate keeps within its bounds, and grows four times at most", () => {
  const fast = grantsAt(1e9, 10);
  for (const [index, grant] of fast.entries()) {
    assert.ok(grant <= 500_000 && (index === 0 || grant <= 4 * (fast[index - 1] ?? 0)));
  }
  assert.equal(fast.at(-1), 500_000);
  assert.equal(grantsAt(1, 5).at(-1), 50);
});

Deno.test("FuelRate learns nothing from code that has used little", () => {
  const rate = new FuelRate();
  rate.mark(0, 0);
  rate.note(10, 1000);
  assert.equal(rate.grant, 20_000);
});
