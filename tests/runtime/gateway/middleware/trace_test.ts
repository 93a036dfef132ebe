import assert from "node:assert/strict";
import { Hono } from "hono";
import type { Dependencies, GatewayEnv } from "../../../../runtime/gateway/environment.ts";
import { traceRequests } from "../../../../runtime/gateway/middleware/trace.ts";
import { DEFAULT_LIMITS } from "../../../../runtime/model/limits.ts";
import { ManualClock } from "../../../support/clock.ts";
import { TestTelemetry } from "../../../support/telemetry.ts";

/** A router with nothing but the middleware, and a route that throws what it is given. */
function appThatThrows(test: TestTelemetry, thrown: unknown): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const { telemetry } = test;
  const dependencies = { telemetry, clock: new ManualClock(), limits: DEFAULT_LIMITS } as Partial<
    Dependencies
  >;
  const answer = (error: Error): Response => new Response(error.message, { status: 500 });
  app.onError(answer);
  app.use("*", traceRequests(dependencies as Dependencies, answer));
  app.get("/throws", () => {
    throw thrown;
  });
  return app;
}

for (const thrown of [new Error("a bug"), "a bug that is no Error", undefined]) {
  Deno.test(`traceRequests() answers and completes a request whose handler throws ${String(thrown)}`, async () => {
    await using test = new TestTelemetry();
    const response = await appThatThrows(test, thrown).request("/throws");
    assert.equal(response.status, 500);
    assert.match(await response.text(), thrown instanceof Error ? /^a bug$/ : /^Thrown and no Error: /);
    assert.match(response.headers.get("x-trace-id") ?? "", /^[0-9a-f]{32}$/);
    const shown = test.lines.map((line) => [line["message"], line["status"], line["trace_id"]]);
    const traceId = response.headers.get("x-trace-id");
    assert.deepEqual(shown, [["request.received", undefined, traceId], ["request.completed", 500, traceId]]);
    const labels = '{route="/throws",method="GET"}';
    assert.equal(await test.metric("tensor_wasm_http_requests_in_flight", labels), 0);
  });
}
