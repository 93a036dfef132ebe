/**
 * `/healthz`, `/readyz` and `/metrics`: what probes and scrapers ask.
 *
 * Invariant: `/healthz` says that the process answers and nothing more; `/readyz` says no before any call is
 * refused, and which part it is.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Dependencies, GatewayApp } from "../environment.ts";

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
  summary: "Metrics in the Prometheus text format",
  responses: { 200: { description: "Metrics", content: { "text/plain": { schema: z.string() } } } },
});

/** Adds the routes. */
export function addHealthRoutes(app: GatewayApp, dependencies: Dependencies): void {
  const { telemetry, lifecycle, readiness } = dependencies;
  app.openapi(healthz, (c) => c.json({ status: "ok" as const }, 200));
  app.openapi(readyz, (c) => {
    const parts = {
      lifecycle: lifecycle.phase,
      cells: readiness.cells() ? "ready" : "none is running",
      store: readiness.store() ? "ready" : "not answering",
    };
    const isReady = parts.lifecycle === "serving" && parts.cells === "ready" && parts.store === "ready";
    return isReady
      ? c.json({ status: "ready" as const, parts }, 200)
      : c.json({ status: "not_ready" as const, parts }, 503);
  });
  app.openAPIRegistry.registerPath(metricsRoute);
  app.get("/metrics", async () => {
    const { cells, starting, slotsFree, slotsUsed, queueDepth, gpuMemoryBytes } = dependencies.poolCounts();
    const { metrics } = telemetry;
    for (const [state, count] of Object.entries({ live: cells, starting })) {
      metrics.gauge("tensor_wasm_cells", { state }).set(count);
    }
    for (const [state, count] of Object.entries({ free: slotsFree, used: slotsUsed })) {
      metrics.gauge("tensor_wasm_cell_slots", { state }).set(count);
    }
    metrics.gauge("tensor_wasm_modules_suspected", {}).set(dependencies.suspectCount());
    metrics.gauge("tensor_wasm_queue_depth", {}).set(queueDepth);
    dependencies.gpuMetering.setMemory(gpuMemoryBytes);
    const { contentType, body } = await telemetry.metrics.text();
    return new Response(body, { headers: { "content-type": contentType } });
  });
}
