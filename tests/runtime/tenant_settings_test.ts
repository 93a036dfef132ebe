import assert from "node:assert/strict";
import { ConfigError, DEFAULT_LIMITS, makeConfig, SETTINGS } from "../../runtime/mod.ts";
import type { ConfigSources, Limits, RuntimeConfig } from "../../runtime/mod.ts";
import { TENANT_LIMIT_KEYS } from "../../runtime/model/tenant_limits.ts";

const TENANT = "42";
const LARGEST_TENANT = "18446744073709551615";

function config(sources: Partial<ConfigSources>): RuntimeConfig {
  return makeConfig({ env: {}, flags: {}, ...sources });
}

function withTenants(tenants: unknown, more: Record<string, unknown> = {}): RuntimeConfig {
  return config({ file: { ...more, tenants } });
}

function refused(tenants: unknown, message: string | RegExp): void {
  assert.throws(() => withTenants(tenants), (error) => {
    assert.ok(error instanceof ConfigError);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}

Deno.test("limitsOf() is the global limits where nothing is set for tenants", () => {
  const { limits, limitsOf } = config({});
  assert.equal(limitsOf(TENANT), limits);
});

Deno.test("limitsOf() puts what is set for a tenant over the global limits, for it alone", () => {
  const { limits, limitsOf } = withTenants({ 42: { fuelMax: 7, deadlineMs: 5 }, 0: { fuelMax: 8 } }, {
    deadlineMs: 9,
    argsCountMax: 3,
  });
  const of42: Limits = { ...DEFAULT_LIMITS, fuelMax: 7, deadlineMs: 5, argsCountMax: 3 };
  assert.deepEqual(limitsOf(TENANT), of42);
  assert.equal(limitsOf("0").fuelMax, 8);
  assert.equal(limitsOf("0").deadlineMs, 9);
  assert.equal(limitsOf("43"), limits);
});

Deno.test("makeConfig() reads limits of tenants from a variable as from the file, and the variable wins whole", () => {
  const file = { tenants: { 1: { fuelMax: 1 }, 2: { fuelMax: 2 } } };
  const env = { TENSOR_WASM_TENANT_LIMITS: '{"1":{"deadlineMs":"10"}}' };
  const { limitsOf, limits, telemetry } = config({ file, env });
  assert.deepEqual([limitsOf("1").fuelMax, limitsOf("1").deadlineMs], [limits.fuelMax, 10]);
  assert.equal(limitsOf("2"), limits);
  assert.deepEqual(telemetry.warnings, []);
  assert.equal(config({ env, flags: { tenants: '{"1":{"deadlineMs":11}}' } }).limitsOf("1").deadlineMs, 11);
});

for (const key of TENANT_LIMIT_KEYS) {
  const { kind, min = 0, max = 0 } = SETTINGS.find((setting) => setting.key === key) ?? assert.fail(key);
  Deno.test(`makeConfig() takes ${key} of a tenant at both ends of the global range and refuses one beyond`, () => {
    for (const value of [min, max]) {
      // Memory is bounded by the global limit as well.
      const { limitsOf } = withTenants({ [TENANT]: { [key]: value } }, { memoryBytesMax: 4 * 1024 ** 3 });
      assert.equal(limitsOf(TENANT)[key], value);
    }
    for (const value of [min - 1, max + 1]) {
      refused(
        { [TENANT]: { [key]: value } },
        `Bad ${key} of tenant 42: expected a whole number${
          kind === "count" ? "" : ` of ${kind}`
        } in ${min}..${max}, got "${value}"`,
      );
    }
  });
}

Deno.test("makeConfig() bounds a tenant's memory by the global limit", () => {
  const memoryBytesMax = 1_000_000;
  const { limitsOf } = withTenants({ [TENANT]: { memoryBytesMax } }, { memoryBytesMax });
  assert.equal(limitsOf(TENANT).memoryBytesMax, memoryBytesMax);
  assert.throws(() => withTenants({ [TENANT]: { memoryBytesMax: memoryBytesMax + 1 } }, { memoryBytesMax }), {
    name: "ConfigError",
    message: "Bad memoryBytesMax of tenant 42: expected at most the global 1000000, got 1000001",
  });
});

Deno.test("makeConfig() takes the smallest and the largest tenant and refuses other spellings and numbers", () => {
  const { limitsOf } = withTenants({ 0: { fuelMax: 1 }, [LARGEST_TENANT]: { fuelMax: 2 } });
  assert.deepEqual([limitsOf("0").fuelMax, limitsOf(LARGEST_TENANT).fuelMax], [1, 2]);
  for (const tenant of ["", "00", "042", "-1", "1.0", "1e3", " 1", "acme", "18446744073709551616"]) {
    refused(
      { [tenant]: {} },
      `Bad tenant ${JSON.stringify(tenant)}: expected an unsigned 64-bit number without leading zeros`,
    );
  }
  refused(JSON.parse('{"__proto__":{"fuelMax":1}}'), /^Bad tenant "__proto__"/);
});

const REFUSED: readonly (readonly [tenants: unknown, message: string | RegExp])[] = [
  [null, "Bad file setting tenants: expected a JSON object, got null"],
  [5, "Bad file setting tenants: expected a JSON object, got 5"],
  [[], "Bad file setting tenants: expected a JSON object, got []"],
  ["[1]", "Bad file setting tenants: expected a JSON object, got [1]"],
  ["{", /^Bad file setting tenants: expected JSON: /],
  [{ 42: 7 }, "Bad limits of tenant 42: expected a JSON object, got 7"],
  [{ 42: null }, "Bad limits of tenant 42: expected a JSON object, got null"],
  [{ 42: [1] }, "Bad limits of tenant 42: expected a JSON object, got [1]"],
  [{ 42: { fuelmax: 1 } }, 'Unknown limit "fuelmax" of tenant 42; did you mean fuelMax?'],
  [{ 42: { nothing: 1 } }, 'Unknown limit "nothing" of tenant 42'],
  [{ 42: { chunkBytesMax: 1 } }, "Bad limits of tenant 42: chunkBytesMax is the same for all tenants"],
  [{ 42: { cellsMax: 1 } }, "Bad limits of tenant 42: cellsMax is the same for all tenants"],
  [JSON.parse('{"42":{"__proto__":1}}'), 'Unknown limit "__proto__" of tenant 42'],
  [{ 42: { fuelMax: null } }, "Bad fuelMax of tenant 42: expected a number, got null"],
  [{ 42: { fuelMax: { max: 1 } } }, 'Bad fuelMax of tenant 42: expected a number, got {"max":1}'],
  [{ 42: { fuelMax: 1.5 } }, /^Bad fuelMax of tenant 42: .* got "1\.5"$/],
  [{ 42: { fuelMax: true } }, /^Bad fuelMax of tenant 42: .* got "true"$/],
  [{ 42: { fuelMax: 1 }, 43: { fuelMax: -1 } }, /^Bad fuelMax of tenant 43: .* got "-1"$/],
];

for (const [tenants, message] of REFUSED) {
  Deno.test(`makeConfig() refuses limits of tenants ${JSON.stringify(tenants)}`, () =>
    refused(tenants, message));
}

Deno.test("makeConfig() names the variable of ill-formed limits of tenants", () => {
  assert.throws(() => config({ env: { TENSOR_WASM_TENANT_LIMITS: "fuelMax=1" } }), {
    name: "ConfigError",
    message: /^Bad variable TENSOR_WASM_TENANT_LIMITS: expected JSON: /,
  });
});
