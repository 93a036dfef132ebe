import assert from "node:assert/strict";
import fc from "fast-check";
import { Fiber, STOP } from "../../../runtime/cell/fiber.ts";
import type { FuelGlobal } from "../../../runtime/cell/fiber.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";

const GRANT_FIRST = 20_000;
const CANCELLED: Outcome = { type: "cancelled", by: "client" };

function aFiber(fuelMax = 0): Fiber {
  return new Fiber({ tenant: "0", deadlineMs: 1000, deadlineAtMs: 1000, fuelMax });
}

/** A guest as the instrumentation makes it: it takes the cost first and asks when that leaves less than nothing. */
class ModelGuest {
  readonly global: FuelGlobal = { value: 0 };
  readonly fiber: Fiber;
  asked = 0;

  constructor(fiber: Fiber) {
    this.fiber = fiber;
    fiber.attach(this.global);
  }

  /** False once it was stopped. `nowMs` is when it asks, if it does. */
  spend(cost: number, nowMs: number): boolean {
    this.global.value -= cost;
    if (this.global.value >= 0) return true;
    this.asked++;
    this.fiber.ask(this.global.value, nowMs);
    const { fuelMax } = this.fiber.limits;
    if (fuelMax > 0 && this.fiber.fuel > fuelMax) this.fiber.stop(CANCELLED);
    this.global.value = this.fiber.stopped === undefined ? this.fiber.grant(nowMs) : STOP;
    return this.global.value >= 0;
  }
}

Deno.test("Fiber: the account is exact to the unit, whatever was granted when", () => {
  const steps = fc.array(
    fc.record({ cost: fc.integer({ min: 1, max: 30_000 }), ms: fc.integer({ min: 0, max: 40 }) }),
    {
      maxLength: 200,
    },
  );
  fc.assert(fc.property(steps, fc.boolean(), (list, parksBetween) => {
    const fiber = aFiber();
    const guest = new ModelGuest(fiber);
    let nowMs = 0;
    let spent = 0;
    for (const { cost, ms } of list) {
      nowMs += ms / 64;
      guest.spend(cost, nowMs);
      spent += cost;
      // Parked in a host function: it comes back with the grant that it had.
      if (parksBetween) fiber.resumed(nowMs += 1);
    }
    fiber.settle();
    assert.equal(fiber.fuel, spent);
    fiber.settle();
    assert.equal(fiber.fuel, spent);
  }));
});

for (
  const [fuelMax, costs] of [[1, [1]], [50_000, [20_000, 29_999, 1]], [60_000, Array(60).fill(1000)]] as const
) {
  Deno.test(`Fiber: exactly fuelMax of ${fuelMax} is granted, and one unit more asks again`, () => {
    const fiber = aFiber(fuelMax);
    const guest = new ModelGuest(fiber);
    for (const cost of costs) assert.equal(guest.spend(cost, 0), true);
    fiber.settle();
    assert.equal(fiber.fuel, fuelMax);
    assert.equal(fiber.stopped, undefined);
    assert.equal(guest.spend(1, 0), false);
    assert.equal(fiber.fuel, fuelMax + 1);
  });
}

Deno.test("Fiber: a single charge beyond fuelMax is found at once, and its whole amount is booked", () => {
  const fiber = aFiber(100);
  const guest = new ModelGuest(fiber);
  assert.equal(guest.spend(1_000_000, 0), false);
  assert.equal(fiber.fuel, 1_000_000);
});

Deno.test("Fiber.stop() keeps the first outcome and leaves no fuel", () => {
  const fiber = aFiber();
  const guest = new ModelGuest(fiber);
  guest.spend(1, 0);
  fiber.stop(CANCELLED);
  fiber.stop({ type: "exited", exitCode: 0 });
  assert.deepEqual(fiber.stopped, CANCELLED);
  assert.equal(guest.global.value, STOP);
  assert.equal(guest.spend(1, 0), false);
});

Deno.test("Fiber.stop() of one that has no instance yet is remembered", () => {
  const fiber = aFiber();
  fiber.stop(CANCELLED);
  fiber.settle();
  assert.deepEqual(fiber.stopped, CANCELLED);
  assert.equal(fiber.fuel, 0);
});

Deno.test("Fiber.stop() books what was used, and what a guest uses afterwards as well", () => {
  const fiber = aFiber();
  const guest = new ModelGuest(fiber);
  guest.spend(700, 0);
  guest.spend(300, 0);
  fiber.stop(CANCELLED);
  assert.equal(fiber.fuel, 1000);
  guest.spend(50, 0);
  fiber.settle();
  assert.equal(fiber.fuel, 1050);
});

Deno.test("Fiber: a stop between a grant and the guest's going on loses no fuel", () => {
  const fiber = aFiber();
  const global: FuelGlobal = { value: -10 };
  fiber.attach({ value: 0 });
  fiber.attach(global);
  global.value = -30;
  fiber.ask(-30, 0);
  const granted = fiber.grant(0);
  fiber.stop(CANCELLED);
  // The guest wakes with the answer that was on its way, and asks again.
  global.value = granted - granted - 5;
  fiber.ask(-5, 1);
  const used = 20 + granted + 5;
  assert.ok(fiber.fuel >= used && fiber.fuel <= used + 30, `${fiber.fuel}`);
});

/** The grants of a guest that takes `msOf(grant)` for each. */
function grantsOf(count: number, msOf: (grant: number) => number): number[] {
  const fiber = aFiber();
  const guest = new ModelGuest(fiber);
  let nowMs = 0;
  const grants: number[] = [];
  guest.spend(1, nowMs);
  while (grants.length < count) {
    const granted = guest.global.value;
    grants.push(granted);
    guest.spend(granted + 1, nowMs += msOf(granted));
  }
  return grants;
}

Deno.test("Fiber: the first grant is small and none is more than four times the one before", () => {
  const grants = grantsOf(6, () => 0);
  assert.deepEqual(grants, [1, 4, 16, 25, 25, 25].map((factor) => factor * GRANT_FIRST));
});

Deno.test("Fiber: no grant exceeds half a million, however fast the guest seems", () => {
  const grants = grantsOf(20, () => 0);
  assert.equal(Math.max(...grants), 500_000);
  assert.equal(grants.at(-1), 500_000);
});

Deno.test("Fiber: no grant is below fifty, however slow the guest is", () => {
  const grants = grantsOf(5, () => 1000);
  assert.deepEqual(grants, [GRANT_FIRST, 50, 50, 50, 50]);
});

Deno.test("Fiber: grants settle where a guest asks every 0.2 ms", () => {
  const unitsPerMs = 1_000_000;
  const grants = grantsOf(10, (grant) => grant / unitsPerMs);
  assert.ok(Math.abs((grants.at(-1) ?? 0) - 0.2 * unitsPerMs) < 100, `${grants}`);
});

Deno.test("Fiber: what was used before it was parked in a host function does not inflate its grant", () => {
  const fiber = aFiber();
  const guest = new ModelGuest(fiber);
  let nowMs = 0;
  guest.spend(1, nowMs);
  for (let round = 0; round < 20; round++) {
    // Slow work for almost the whole grant, then it gives way, and asks as soon as it is back.
    nowMs += 1;
    guest.spend(guest.global.value, nowMs);
    fiber.settle();
    fiber.resumed(nowMs += 5);
    guest.spend(1, nowMs += 1 / 1024);
    assert.ok(guest.global.value <= GRANT_FIRST, `${guest.global.value}`);
  }
});

Deno.test("Fiber: a guest that comes back from a long sleep keeps its grant", () => {
  const fiber = aFiber();
  const guest = new ModelGuest(fiber);
  guest.spend(1, 0);
  guest.spend(GRANT_FIRST - 100, 0);
  fiber.resumed(1000);
  guest.spend(101, 1000 + 1 / 1024);
  assert.equal(guest.global.value, GRANT_FIRST);
});

Deno.test("Fiber.usage() is the account in whole microseconds", () => {
  const fiber = aFiber();
  new ModelGuest(fiber).spend(7, 0);
  fiber.settle();
  fiber.yields = 3;
  assert.deepEqual(fiber.usage(1.2345, 65_536), { fuel: 7, yields: 3, cpuUs: 1235, memoryBytes: 65_536 });
});
