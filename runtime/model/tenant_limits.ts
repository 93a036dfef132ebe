/**
 * TenantLimits: the limits that can differ from tenant to tenant, and those that hold for each.
 *
 * Owns the list of such limits and their lookup. Reading and checking them is the configuration's
 * (runtime/tenant_settings.ts). Invariant: the Limits of a tenant are the global ones with nothing but the
 * keys of TENANT_LIMIT_KEYS replaced, frozen, and the same object each time.
 */
import type { Limits } from "./limits.ts";

/** The limits that can be set for one tenant. */
export const TENANT_LIMIT_KEYS = [
  "deadlineMs",
  "fuelMax",
  "memoryBytesMax",
  "tableElementsMax",
  "outputBytesMax",
  "streamBytesMax",
  "streamChunksMax",
  "moduleBytesMax",
  "concurrentCallsMax",
  "queuedCallsMax",
  "functionsPerTenantMax",
  "gpuMemoryBytesMax",
  "gpuTenantMemoryBytesMax",
  "gpuWeight",
  "gpuAllocationsMax",
  "gpuKernelsMax",
  "ptxTotalBytesMax",
  "guestLogLinesPerSecondMax",
  "guestLogLinesBurstMax",
  "jobsQueuedPerTenantMax",
  "jobsRunningPerTenantMax",
  "jobInputsPerTenantBytesMax",
  "jobDeadlineMsMax",
  "jobWatchersPerTenantMax",
] as const satisfies readonly (keyof Limits)[];

/** A limit that can be set for one tenant. */
export type TenantLimitKey = typeof TENANT_LIMIT_KEYS[number];

/** What is set for one tenant; the rest is as for everyone. */
export type TenantLimits = Readonly<Partial<Pick<Limits, TenantLimitKey>>>;

/** The limits of a tenant: its own where it has any, else the global ones. */
export type LimitsOf = (tenant: string) => Limits;

/**
 * Makes the lookup. Only tenants with limits of their own take memory, whatever is asked for.
 *
 * @param global the limits of everyone else, returned as they are
 * @param tenants what is set for single tenants, by their canonical decimal number
 */
export function makeLimitsOf(global: Limits, tenants: ReadonlyMap<string, TenantLimits>): LimitsOf {
  const own = new Map([...tenants].map(([tenant, limits]) => [tenant, overlay(global, limits)] as const));
  return (tenant) => own.get(tenant) ?? global;
}

/** Key by key, so that nothing but a tenant limit can get in. */
function overlay(global: Limits, tenant: TenantLimits): Limits {
  const limits = { ...global };
  for (const key of TENANT_LIMIT_KEYS) {
    const value = tenant[key];
    if (value !== undefined) Object.assign(limits, { [key]: value });
  }
  return Object.freeze(limits);
}
