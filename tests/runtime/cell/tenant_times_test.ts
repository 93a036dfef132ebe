import assert from "node:assert/strict";
import { TenantTimes } from "../../../runtime/cell/tenant_times.ts";
import { InvariantError } from "../../../runtime/model/invariant.ts";

/** A call that comes and wants the thread at once. */
function come(times: TenantTimes, tenant: string): void {
  times.enter(tenant);
  times.wake(tenant);
}

function go(times: TenantTimes, tenant: string): void {
  times.sleep(tenant);
  times.leave(tenant);
}

Deno.test("TenantTimes: the first tenant starts at zero and is charged what it had", () => {
  const times = new TenantTimes();
  come(times, "a");
  assert.equal(times.of("a"), 0);
  times.charge("a", 3);
  times.charge("a", 4);
  assert.equal(times.of("a"), 7);
});

Deno.test("TenantTimes: who comes anew starts with the least served, and has nothing to make up", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.charge("a", 100);
  times.charge("b", 40);
  come(times, "c");
  assert.equal(times.of("c"), 40);
});

Deno.test("TenantTimes: a further call of a tenant changes nothing of what it had", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.charge("a", 100);
  come(times, "a");
  assert.equal(times.of("a"), 100);
  go(times, "a");
  assert.equal(times.of("a"), 100);
});

Deno.test("TenantTimes: nobody saves up turns by sleeping", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.sleep("b");
  times.charge("a", 10_000);
  times.wake("b");
  assert.equal(times.of("b"), 10_000);
});

Deno.test("TenantTimes: nobody is forgiven what he had by sleeping", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.charge("b", 50);
  times.sleep("b");
  times.charge("a", 10);
  times.wake("b");
  assert.equal(times.of("b"), 50);
});

Deno.test("TenantTimes: a tenant of whom one call sleeps and another runs is not asleep", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b", "b"]) come(times, tenant);
  times.sleep("b");
  times.charge("a", 10_000);
  times.wake("b");
  assert.equal(times.of("b"), 0);
});

Deno.test("TenantTimes: one who sleeps is no measure for who comes anew", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.sleep("b");
  times.charge("a", 10_000);
  come(times, "c");
  assert.equal(times.of("c"), 10_000);
});

Deno.test("TenantTimes: while all sleep, who comes anew is not ahead of those who wake", () => {
  const times = new TenantTimes();
  for (const tenant of ["a", "b"]) come(times, tenant);
  times.charge("a", 100);
  times.charge("b", 7);
  for (const tenant of ["a", "b"]) times.sleep(tenant);
  come(times, "c");
  times.wake("a");
  times.wake("b");
  assert.deepEqual(["a", "b", "c"].map((tenant) => times.of(tenant)), [100, 100, 100]);
});

Deno.test("TenantTimes: a tenant without calls leaves nothing behind", () => {
  const times = new TenantTimes();
  come(times, "a");
  times.charge("a", 100);
  go(times, "a");
  assert.throws(() => times.of("a"), InvariantError);
  assert.throws(() => times.charge("a", 1), InvariantError);
  come(times, "a");
  assert.equal(times.of("a"), 0);
});

Deno.test("TenantTimes: a call that goes before it sleeps, or sleeps or wakes twice, is a bug", () => {
  const leaving = new TenantTimes();
  come(leaving, "a");
  assert.throws(() => leaving.leave("a"), InvariantError);
  const waking = new TenantTimes();
  come(waking, "a");
  assert.throws(() => waking.wake("a"), InvariantError);
  const sleeping = new TenantTimes();
  sleeping.enter("a");
  assert.throws(() => sleeping.sleep("a"), InvariantError);
});
