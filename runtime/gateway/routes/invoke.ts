/**
 * `POST /functions/{id}/invoke`: one synchronous call.
 *
 * Owns the hops from request to Invocation and from Execution to response, and the `http.invoke_function`
 * span. Running it is the executor's. Invariant: the deadline counts from the arrival of the request, so
 * reading the body, queueing and running share one budget.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Span } from "../../../telemetry/mod.ts";
import { fault } from "../../model/fault.ts";
import { parseFunctionRef } from "../../model/function_record.ts";
import type { Invocation } from "../../model/invocation.ts";
import { limitMessage } from "../../model/limits.ts";
import { typeArguments } from "../arguments.ts";
import { readBody } from "../body.ts";
import { cancellationOf } from "../environment.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { inSpan } from "../in_span.ts";
import { InvokeBody, parseInvokeRequest } from "../invoke_request.ts";
import type { InvokeRequest } from "../invoke_request.ts";
import { resolveExport } from "../resolve_export.ts";
import { respond } from "../respond.ts";
import { errorResponses, FunctionParams, TenantHeaders } from "../schemas.ts";

const DEADLINE_HEADER = "x-tensorwasm-deadline-ms";
const IDEMPOTENT_HEADER = "x-tensorwasm-idempotent";

const route = createRoute({
  method: "post",
  path: "/functions/{id}/invoke",
  summary: "Invoke a function and wait for its answer",
  request: {
    params: FunctionParams,
    query: z.object({
      export: z.string().optional().openapi({ description: "Export to call, for bodies that are not JSON" }),
      args: z.string().optional().openapi({ description: "Arguments as a JSON array, likewise" }),
      argv: z.array(z.string()).optional().openapi({ description: "WASI argument, repeatable, likewise" }),
      env: z.array(z.string()).optional().openapi({ description: "NAME=value, repeatable, likewise" }),
    }),
    headers: TenantHeaders.extend({
      [DEADLINE_HEADER]: z.string().optional().openapi({
        description: "Deadline of this call in milliseconds, within the tenant's maximum",
      }),
      [IDEMPOTENT_HEADER]: z.enum(["true", "false"]).optional().openapi({
        description: "true: run the call a second time if the process that runs it dies",
      }),
    }),
    body: {
      content: {
        "application/json": { schema: InvokeBody },
        "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
  },
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
  const { clock, executor, limits, registry } = dependencies;
  applyDeadlineHeader(c, dependencies);
  const record = registry.get(parseFunctionRef(c.req.param("id") ?? ""), c.get("tenant"));
  span.setAttribute("function_id", record.id);
  span.setAttribute("name", record.name);
  using hold = dependencies.bodies.hold(c.req.raw);
  const body = await readBody(c.req.raw, limits.bodyBytesMax, c.get("deadlineAtMs"), clock, hold);
  const request = parseInvokeRequest(c.req.header("content-type"), queryOf(c), body, limits.jsonBodyBytesMax);
  const execution = await executor.run(makeInvocation(c, request, record, dependencies));
  c.set("usage", execution.usage);
  return respond(execution, {
    functionId: record.id,
    hasInput: request.hasInput,
    accept: c.req.header("accept"),
    jsonBytesMax: limits.jsonBodyBytesMax,
  });
}

function makeInvocation(
  c: GatewayContext,
  request: InvokeRequest,
  record: Invocation["function"],
  { limits }: Dependencies,
): Invocation {
  const resolved = resolveExport(record.facts, request.export);
  return {
    tenant: c.get("tenant"),
    function: record,
    export: resolved.name,
    args: typeArguments(request.args, resolved.type, limits),
    resultTypes: resolved.type.results,
    input: request.input,
    programArgs: request.programArgs,
    environment: request.environment,
    deadlineMs: c.get("deadlineMs"),
    deadlineAtMs: c.get("deadlineAtMs"),
    cancellation: cancellationOf(c),
    idempotent: isIdempotent(c),
  };
}

function isIdempotent(c: GatewayContext): boolean {
  const text = c.req.header(IDEMPOTENT_HEADER);
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw fault("bad_request", "X-TensorWasm-Idempotent is neither true nor false");
}

/** Parsing a URL is not free: only done when there is a query. */
function queryOf(c: GatewayContext): URLSearchParams | undefined {
  const start = c.req.url.indexOf("?");
  return start < 0 ? undefined : new URLSearchParams(c.req.url.slice(start + 1));
}

function applyDeadlineHeader(c: GatewayContext, { limitsOf }: Dependencies): void {
  const text = c.req.header(DEADLINE_HEADER);
  if (text === undefined) return;
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) < 1) {
    throw fault("bad_request", "X-TensorWasm-Deadline-Ms is not a positive whole number");
  }
  const deadlineMs = Number(text);
  const limits = limitsOf(c.get("tenant"));
  if (deadlineMs > limits.deadlineMs) {
    throw fault(
      "bad_request",
      limitMessage("Deadline is too long", "deadlineMs", limits.deadlineMs, deadlineMs),
    );
  }
  const arrivedAtMs = c.get("deadlineAtMs") - c.get("deadlineMs");
  c.set("deadlineMs", deadlineMs);
  c.set("deadlineAtMs", arrivedAtMs + deadlineMs);
}
