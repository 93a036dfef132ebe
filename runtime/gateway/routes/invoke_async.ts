/**
 * `POST /functions/{id}/invoke-async`: a call that is accepted now and run later, as a job.
 *
 * Owns the hops from request to accepted job, and the `http.invoke_function_async` span. Running it is the room
 * of jobs's. Invariant: 202 means that the job is durable; whatever could be refused was refused before.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Span } from "../../../telemetry/mod.ts";
import { askedDeadlineMs, CALL_REQUEST, holdBody, namedFunction, readCall } from "../call_request.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from "../idempotency_key.ts";
import { inSpan } from "../in_span.ts";
import { errorResponses } from "../schemas.ts";

const route = createRoute({
  method: "post",
  path: "/functions/{id}/invoke-async",
  summary: "Accept a call and run it later, as a job",
  request: {
    ...CALL_REQUEST,
    headers: CALL_REQUEST.headers.extend({
      [IDEMPOTENCY_HEADER]: z.string().optional().openapi({
        description: "Repeating a request with the same key is one job",
      }),
    }),
  },
  responses: {
    202: {
      description: "Accepted, durably; Location names the job",
      content: { "application/json": { schema: z.object({ job_id: z.string() }).openapi("AcceptedJob") } },
    },
    ...errorResponses(400, 403, 404, 408, 409, 413, 429, 500, 503),
  },
});

/** Adds the route. It is registered by hand: its body is not always JSON. */
export function addInvokeAsyncRoute(app: GatewayApp, dependencies: Dependencies): void {
  app.openAPIRegistry.registerPath(route);
  app.post("/functions/:id/invoke-async", (c) => invokeAsync(c, dependencies));
}

async function invokeAsync(c: GatewayContext, dependencies: Dependencies): Promise<Response> {
  const { telemetry, lifecycle } = dependencies;
  const leave = lifecycle.enter();
  const span = telemetry.tracer.startSpan("http.invoke_function_async", {
    function_id: c.req.param("id") ?? "unknown",
    tenant: c.get("tenant"),
  });
  try {
    const id = await inSpan(telemetry.tracer, span, () => submit(span, c, dependencies));
    return c.json({ job_id: id }, 202, { location: `/jobs/${id}` });
  } finally {
    leave();
  }
}

async function submit(
  span: Span<"http.invoke_function_async">,
  c: GatewayContext,
  dependencies: Dependencies,
): Promise<string> {
  const tenant = c.get("tenant");
  const { deadlineMs, jobDeadlineMsMax } = dependencies.limitsOf(tenant);
  const askedMs = askedDeadlineMs(c, "jobDeadlineMsMax", jobDeadlineMsMax);
  const idempotencyKey = idempotencyKeyOf(c);
  const record = namedFunction(span, c, dependencies);
  using hold = holdBody(c, dependencies);
  const { parts } = await readCall(c, record, hold, dependencies);
  c.set("stage", "submit");
  const { id, replayed } = await dependencies.jobs.submit({
    tenant,
    functionId: record.id,
    call: {
      export: parts.export,
      args: parts.args,
      resultTypes: parts.resultTypes,
      programArgs: parts.programArgs,
      environment: parts.environment,
      deadlineMs: askedMs ?? Math.min(deadlineMs, jobDeadlineMsMax),
      idempotent: parts.idempotent === true,
    },
    input: parts.input,
    ...(idempotencyKey === undefined ? {} : {
      idempotency: { key: idempotencyKey, functionRef: c.req.param("id") ?? "" },
    }),
  });
  if (replayed) span.setAttribute("replayed", true);
  return id;
}
