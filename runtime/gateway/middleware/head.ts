/**
 * HEAD: the answer of GET without its body.
 *
 * Owns who drops the body: the server, which knows its length then and cancels it if it is a stream. The router
 * would put none in its place, and so say that there are 0 bytes and leave what was begun open: a file, a watch of a
 * job. Invariant: a request of HEAD leaves nothing behind that one of GET would not.
 */
import type { MiddlewareHandler } from "hono";
import type { GatewayApp, GatewayEnv } from "../environment.ts";

/** Answers HEAD as GET is answered. The server leaves the body away. */
export function answerHeads(app: GatewayApp): void {
  const { fetch } = app;
  app.fetch = (request, ...rest) =>
    request.method === "HEAD" ? wholeAnswer(fetch, request) : fetch(request, ...rest);
}

/** Keeps the answer to HEAD as it is before the router empties it. Outermost, so that it is complete. */
export const keepForHead: MiddlewareHandler<GatewayEnv> = (c, next) => {
  return c.req.method === "HEAD" ? next().then(() => void (c.env.whole = c.res)) : next();
};

async function wholeAnswer(fetch: GatewayApp["fetch"], request: Request): Promise<Response> {
  const env: GatewayEnv["Bindings"] = {};
  const emptied = await fetch(request, env);
  return env.whole ?? emptied;
}
