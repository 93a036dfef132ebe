import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { makeLimitsOf, TENANT_LIMIT_KEYS } from "../../../runtime/model/tenant_limits.ts";
import type { TenantLimits } from "../../../runtime/model/tenant_limits.ts";

Deno.test("makeLimitsOf() replaces every limit of a tenant that is set, and no other", () => {
  for (const key of TENANT_LIMIT_KEYS) {
    const value = DEFAULT_LIMITS[key] + 1;
    const limitsOf = makeLimitsOf(DEFAULT_LIMITS, new Map([["1", { [key]: value }]]));
    assert.deepEqual(limitsOf("1"), { ...DEFAULT_LIMITS, [key]: value });
  }
});

Deno.test("makeLimitsOf() lets nothing in that is the same for all tenants", () => {
  const stray = { fuelMax: 1, queueDepthMax: 1, anything: 1 } as TenantLimits;
  const limitsOf = makeLimitsOf(DEFAULT_LIMITS, new Map([["1", stray]]));
  assert.deepEqual(limitsOf("1"), { ...DEFAULT_LIMITS, fuelMax: 1 });
});

Deno.test("makeLimitsOf() takes zero for a value", () => {
  const limitsOf = makeLimitsOf(DEFAULT_LIMITS, new Map([["1", { queuedCallsMax: 0 }]]));
  assert.equal(limitsOf("1").queuedCallsMax, 0);
});

Deno.test("makeLimitsOf() gives the same frozen object each time, the global one to everyone else", () => {
  const limitsOf = makeLimitsOf(DEFAULT_LIMITS, new Map([["1", { fuelMax: 1 }]]));
  assert.equal(limitsOf("1"), limitsOf("1"));
  assert.ok(Object.isFrozen(limitsOf("1")));
  assert.equal(limitsOf("2"), DEFAULT_LIMITS);
  assert.equal(limitsOf("constructor"), DEFAULT_LIMITS);
});
