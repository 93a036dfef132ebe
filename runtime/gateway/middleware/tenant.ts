/**
 * Tenants: who a request is for, by the header `X-TensorWasm-Tenant`.
 *
 * Owns parsing of the header and the tenant's deadline; who may speak for a tenant is not decided here: no
 * tokens exist yet.
 * Invariant: behind this middleware the tenant is a canonical unsigned 64-bit number in decimal.
 */
import type { MiddlewareHandler } from "hono";
import { fault } from "../../model/fault.ts";
import type { Dependencies, GatewayEnv } from "../environment.ts";

/** The header. */
export const TENANT_HEADER = "x-tensorwasm-tenant";
const TENANT_MAX = 2n ** 64n - 1n;

/** Makes the middleware. Throws `missing_tenant`. */
export function resolveTenant(
  { requireTenant, limitsOf, telemetry }: Dependencies,
): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    c.set("stage", "tenant");
    const tenant = parseTenant(c.req.raw.headers.get(TENANT_HEADER), requireTenant);
    c.set("tenant", tenant);
    telemetry.tracer.setTenant(c.get("span")?.ids, tenant);
    const arrivedAtMs = c.get("deadlineAtMs") - c.get("deadlineMs");
    const { deadlineMs } = limitsOf(tenant);
    c.set("deadlineMs", deadlineMs);
    c.set("deadlineAtMs", arrivedAtMs + deadlineMs);
    c.set("stage", "request");
    await next();
  };
}

/** The tenant of a header value; absent is tenant 0 unless it is required. `place` is where the value stood. */
export function parseTenant(
  value: string | null,
  isRequired: boolean,
  place = "X-TensorWasm-Tenant",
): string {
  if (value === null) {
    if (isRequired) throw fault("missing_tenant", `${place} is required`);
    return "0";
  }
  if (!/^[0-9]{1,20}$/.test(value) || BigInt(value) > TENANT_MAX) {
    throw fault("missing_tenant", `${place} is not an unsigned 64-bit number`);
  }
  return String(BigInt(value));
}
