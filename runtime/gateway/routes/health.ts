/**
 * `/healthz`, `/readyz` and `/metrics`: what probes and scrapers ask.
 *
 * Invariant: `/healthz` says that the process answers and nothing more; `/readyz` says no before any call is
 * refused, and which part it is.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { accepts } from "hono/accepts";
import type { MetricsFormat } from "../../../telemetry/mod.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";

const OPEN_METRICS = "application/openmetrics-text";
const PLAIN_TEXT = "text/plain";
/** 0.0.1 is what Prometheus called the draft; the text is the same. */
const OPEN_METRICS_VERSIONS = new Set(["1.0.0", "0.0.1"]);

/** A media range of an Accept header. */
interface Accept {
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly q: number;
}

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  summary: "Liveness",
  responses: {
    200: {
      description: "The process answers",
      content: { "application/json": { schema: z.object({ status: z.literal("ok") }) } },
    },
  },
});

const Readiness = z.object({
  status: z.enum(["ready", "not_ready"]),
  parts: z.object({ lifecycle: z.string(), cells: z.string(), store: z.string() }),
}).openapi("Readiness");

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Readiness, by part",
  responses: {
    200: { description: "Ready", content: { "application/json": { schema: Readiness } } },
    503: { description: "Not ready", content: { "application/json": { schema: Readiness } } },
  },
});

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  summary: "Metrics, as Prometheus text or, by Accept, as OpenMetrics with exemplars",
  responses: {
    200: {
      description: "Metrics",
      content: {
        [PLAIN_TEXT]: { schema: z.string() },
        [OPEN_METRICS]: { schema: z.string() },
      },
    },
  },
});

/** Adds the routes. */
export function addHealthRoutes(app: GatewayApp, dependencies: Dependencies): void {
  const { telemetry, lifecycle, readiness } = dependencies;
  app.openapi(healthz, (c) => c.json({ status: "ok" as const }, 200));
  app.openapi(readyz, (c) => {
    const parts = {
      lifecycle: lifecycle.phase,
      cells: readiness.cells() ? "ready" : "none is running",
      store: readiness.storeFailure() ?? "ready",
    };
    const isReady = parts.lifecycle === "serving" && parts.cells === "ready" && parts.store === "ready";
    return isReady
      ? c.json({ status: "ready" as const, parts }, 200)
      : c.json({ status: "not_ready" as const, parts }, 503);
  });
  app.openAPIRegistry.registerPath(metricsRoute);
  app.get("/metrics", async (c) => {
    const { contentType, body } = await telemetry.metrics.text(metricsFormat(c));
    return new Response(body, { headers: { "content-type": contentType, vary: "accept" } });
  });
}

/** OpenMetrics for whoever names it and wants it no less than plain text; everyone else gets Prometheus' text. */
function metricsFormat(c: GatewayContext): MetricsFormat {
  const chosen = accepts(c, {
    header: "Accept",
    supports: [OPEN_METRICS, PLAIN_TEXT],
    default: PLAIN_TEXT,
    match: (ranges) => {
      const quality = (type: string): number =>
        Math.max(0, ...ranges.filter((range) => isRangeOf(range, type)).map(({ q }) => q));
      const open = quality(OPEN_METRICS);
      return open > 0 && open >= quality(PLAIN_TEXT) ? OPEN_METRICS : PLAIN_TEXT;
    },
  });
  return chosen === OPEN_METRICS ? "openmetrics" : "prometheus";
}

/** Whether a media range names the type itself, in a version that is spoken. */
function isRangeOf({ type, params }: Accept, wanted: string): boolean {
  if (type.toLowerCase() !== wanted) return false;
  const { version } = params;
  return wanted !== OPEN_METRICS || version === undefined || OPEN_METRICS_VERSIONS.has(version);
}
