/**
 * TenantSettings: the limits of single tenants, from the JSON of the `tenants` setting.
 *
 * Owns the checks: the tenant's name, the keys, the ranges (those of the global settings) and the bound that
 * the running cells put on memory. It does not look limits up (model/tenant_limits.ts does). Invariant: one
 * bad entry stops the start with a message that names the tenant, the key, the value and the range.
 */
import type { Limits } from "./model/limits.ts";
import { TENANT_LIMIT_KEYS } from "./model/tenant_limits.ts";
import type { TenantLimitKey, TenantLimits } from "./model/tenant_limits.ts";
import { checkValue, ConfigError, nearest, showValue } from "./setting_value.ts";
import type { Setting } from "./settings.ts";

const TENANT_MAX = 2n ** 64n - 1n;

/** What is set for each tenant, by its number. Throws ConfigError. `text` is JSON of an object. */
export function readTenantLimits(
  text: string,
  settings: readonly Setting[],
  global: Limits,
): Map<string, TenantLimits> {
  const tenants = new Map<string, TenantLimits>();
  for (const [tenant, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
    checkTenant(tenant);
    tenants.set(tenant, readLimits(tenant, value, settings, global));
  }
  return tenants;
}

/** Canonical as in the tenant header: what a tenant is looked up by. */
function checkTenant(tenant: string): void {
  const isCanonical = /^(0|[1-9][0-9]{0,19})$/.test(tenant) && BigInt(tenant) <= TENANT_MAX;
  if (isCanonical) return;
  throw new ConfigError(
    `Bad tenant ${JSON.stringify(tenant)}: expected an unsigned 64-bit number without leading zeros`,
  );
}

function readLimits(
  tenant: string,
  value: unknown,
  settings: readonly Setting[],
  global: Limits,
): TenantLimits {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError(
      `Bad limits of tenant ${tenant}: expected a JSON object, got ${showValue(value)}`,
    );
  }
  const limits: Partial<Record<TenantLimitKey, number>> = {};
  for (const [key, entry] of Object.entries(value)) {
    const setting = settings.find((candidate) => candidate.key === key);
    if (!isTenantLimitKey(key) || setting === undefined) throw unknownKey(tenant, key, setting);
    const number = Number(checkValue(setting, `${key} of tenant ${tenant}`, entry));
    if (key === "memoryBytesMax") checkMemory(tenant, number, global);
    limits[key] = number;
  }
  return limits;
}

function isTenantLimitKey(key: string): key is TenantLimitKey {
  return (TENANT_LIMIT_KEYS as readonly string[]).includes(key);
}

function unknownKey(tenant: string, key: string, setting: Setting | undefined): ConfigError {
  return new ConfigError(
    setting === undefined
      ? `Unknown limit ${JSON.stringify(key)} of tenant ${tenant}${nearest(key, TENANT_LIMIT_KEYS)}`
      : `Bad limits of tenant ${tenant}: ${key} is the same for all tenants`,
  );
}

/** Cells are started for the global limit, and a tenant's calls run in any of them. */
function checkMemory(tenant: string, bytes: number, { memoryBytesMax }: Limits): void {
  if (bytes <= memoryBytesMax) return;
  throw new ConfigError(
    `Bad memoryBytesMax of tenant ${tenant}: expected at most the global ${memoryBytesMax}, got ${bytes}`,
  );
}
