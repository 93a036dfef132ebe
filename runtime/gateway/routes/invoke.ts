/**
 * `POST /functions/{id}/invoke`: one synchronous call.
 *
 * Owns the hops from request to Invocation and from Execution to response, and the `http.invoke_function`
 * span. Running it is the executor's. Invariant: the deadline counts from the arrival of the request, so
 * reading the body, queueing and running share one budget.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Span } from "../../../telemetry/mod.ts";
import { endWithBody } from "../body_end.ts";
import { applyDeadlineHeader, CALL_REQUEST, holdBody, namedFunction, readCall } from "../call_request.ts";
import { cancellationOf } from "../client_cancellation.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { inSpan } from "../in_span.ts";
import { respond } from "../respond.ts";
import { errorResponses } from "../schemas.ts";

const route = createRoute({
  method: "post",
  path: "/functions/{id}/invoke",
  summary: "Invoke a function and wait for its answer",
  request: CALL_REQUEST,
  responses: {
    200: {
      description: "The result; or, when input was given, the guest's raw output with the media type it set",
      content: {
        "application/json": {
          schema: z.object({
            function_id: z.string(),
            result: z.union([z.literal("ok"), z.array(z.union([z.number(), z.string()]))]),
            output: z.string().optional().openapi({ description: "What the guest wrote, if it is UTF-8" }),
            output_b64: z.string().optional().openapi({ description: "What the guest wrote, otherwise" }),
          }).openapi("InvokeResult"),
        },
        "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
    ...errorResponses(400, 403, 404, 408, 413, 429, 500, 502, 503, 504),
  },
});

/** Adds the route. It is registered by hand: its body is not always JSON, and it is the hot path. */
export function addInvokeRoute(app: GatewayApp, dependencies: Dependencies): void {
  app.openAPIRegistry.registerPath(route);
  app.post("/functions/:id/invoke", (c) => invoke(c, dependencies));
}

async function invoke(c: GatewayContext, dependencies: Dependencies): Promise<Response> {
  const { telemetry, lifecycle } = dependencies;
  const leave = lifecycle.enter();
  const span = telemetry.tracer.startSpan("http.invoke_function", {
    function_id: c.req.param("id") ?? "unknown",
    tenant: c.get("tenant"),
  });
  try {
    return await inSpan(telemetry.tracer, span, () => invokeUnder(span, c, dependencies));
  } finally {
    leave();
  }
}

async function invokeUnder(
  span: Span<"http.invoke_function">,
  c: GatewayContext,
  dependencies: Dependencies,
): Promise<Response> {
  const { answers, executor, limits, telemetry } = dependencies;
  applyDeadlineHeader(c, dependencies);
  const record = namedFunction(span, c, dependencies);
  using hold = holdBody(c, dependencies);
  const { parts, hasInput } = await readCall(c, record, hold, dependencies);
  c.set("stage", "queue");
  using cancellation = cancellationOf(c, dependencies);
  const execution = await executor.run({
    ...parts,
    deadlineMs: c.get("deadlineMs"),
    deadlineAtMs: c.get("deadlineAtMs"),
    cancellation,
  });
  c.set("stage", "run");
  c.set("usage", execution.usage);
  const answer = respond(execution, {
    functionId: record.id,
    hasInput,
    accept: c.req.header("accept"),
    jsonBytesMax: limits.jsonBodyBytesMax,
  });
  return answers.respond(answer, (sent) => endWithBody(c, telemetry, sent));
}
