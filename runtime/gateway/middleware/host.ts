/**
 * Hosts: the Host header of a request is one, or the request is refused.
 *
 * Owns its form (RFC 9110 §7.2, RFC 3986 §3.2.2). The server puts the header and the path together to a URL, which is
 * then taken apart again: a host with a slash in it would be the beginning of another path. Invariant: behind this
 * middleware the path is that of the request line. Which hosts are served is not its matter.
 */
import type { MiddlewareHandler } from "hono";
import { fault } from "../../model/fault.ts";
import type { GatewayEnv } from "../environment.ts";

const HOST = /^[\w.~%!$&'()*+,;=:[\]-]*$/;

/** Refuses what is no host. Throws `bad_request`. */
export const refuseOddHosts: MiddlewareHandler<GatewayEnv> = (c, next) => {
  const host = c.req.raw.headers.get("host");
  if (host !== null && !HOST.test(host)) throw fault("bad_request", "Host is not the name of a host");
  return next();
};
