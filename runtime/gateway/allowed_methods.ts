/**
 * AllowedMethods: which methods a path has, for those who come with another one (RFC 9110 §15.5.6).
 *
 * Owns the question alone; the router's own table is its source. Invariant: a path that no route matches has none.
 */
import type { GatewayApp } from "./environment.ts";

/** Answers the methods of a path, each once, HEAD where there is GET; to be made when all routes are there. */
export function allowedMethodsOf(app: GatewayApp): (path: string) => readonly string[] {
  const routes = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const found = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(found.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]))];
  };
}

/** The paths of a template like `/jobs/:id`. */
function patternOf(template: string): RegExp {
  const parts = template.split("/").map((part) => part.startsWith(":") ? "[^/]+" : RegExp.escape(part));
  return new RegExp(`^${parts.join("/")}$`);
}
