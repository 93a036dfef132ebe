/**
 * `/functions`: deploy, list, read, delete.
 *
 * Owns the two forms of a deploy and the `http.create_function` span. The body is examined in a cell
 * (executor), stored by the registry. Invariant: the gateway's event loop never parses a deploy body.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { fault } from "../../model/fault.ts";
import { checkFunctionName, parseFunctionRef } from "../../model/function_record.ts";
import type { FunctionRecord } from "../../model/function_record.ts";
import { readBody } from "../body.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from "../idempotency_key.ts";
import { inSpan } from "../in_span.ts";
import { isJson } from "../invoke_request.ts";
import {
  errorResponses,
  FunctionBody,
  FunctionParams,
  FunctionSummaryBody,
  TenantHeaders,
  toFunctionBody,
  toFunctionSummary,
} from "../schemas.ts";

const LIST_LIMIT_DEFAULT = 100;
const LIST_LIMIT_MAX = 1000;

const createFunction = createRoute({
  method: "post",
  path: "/functions",
  summary: "Deploy a function",
  request: {
    query: z.object({
      name: z.string().optional().openapi({ description: "Function name, for a raw module" }),
    }),
    headers: TenantHeaders.extend({
      [IDEMPOTENCY_HEADER]: z.string().optional().openapi({
        description: "Repeating a request with the same key deploys once",
      }),
    }),
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.object({
            name: z.string(),
            wasm_b64: z.string().openapi({ description: "The module in padded standard base64" }),
          }).openapi("DeployBody"),
        },
        "application/wasm": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
  },
  responses: {
    200: {
      description: "Deployed, durably",
      content: {
        "application/json": {
          schema: z.object({
            id: z.string(),
            name: z.string(),
            version: z.number().int(),
            digest: z.string(),
          })
            .openapi("Deployed"),
        },
      },
    },
    ...errorResponses(400, 408, 409, 413, 429, 500, 502, 503, 504),
  },
});

const listFunctions = createRoute({
  method: "get",
  path: "/functions",
  summary: "List the tenant's functions, oldest first",
  request: {
    headers: TenantHeaders,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
      cursor: z.string().max(200).optional().openapi({ description: "next_cursor of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "A page",
      content: {
        "application/json": {
          schema: z.object({ functions: z.array(FunctionSummaryBody), next_cursor: z.string().optional() })
            .openapi("FunctionList"),
        },
      },
    },
    ...errorResponses(400),
  },
});

const readFunction = createRoute({
  method: "get",
  path: "/functions/{id}",
  summary: "Read a function",
  request: { headers: TenantHeaders, params: FunctionParams },
  responses: {
    200: { description: "The function", content: { "application/json": { schema: FunctionBody } } },
    ...errorResponses(400, 403, 404),
  },
});

const deleteFunction = createRoute({
  method: "delete",
  path: "/functions/{id}",
  summary: "Delete a function",
  request: { headers: TenantHeaders, params: FunctionParams },
  responses: { 204: { description: "Deleted" }, ...errorResponses(400, 403, 404) },
});

/** Adds the routes. */
export function addFunctionRoutes(app: GatewayApp, dependencies: Dependencies): void {
  const { registry } = dependencies;
  app.openAPIRegistry.registerPath(createFunction);
  app.post("/functions", (c) => create(c, dependencies));
  app.openapi(listFunctions, (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = registry.list(c.get("tenant"), cursor === undefined ? { limit } : { limit, cursor });
    const functions = page.functions.map(toFunctionSummary);
    return c.json(
      page.nextCursor === undefined ? { functions } : { functions, next_cursor: page.nextCursor },
      200,
    );
  });
  app.openapi(readFunction, (c) => {
    c.set("stage", "function");
    return c.json(
      toFunctionBody(registry.get(parseFunctionRef(c.req.valid("param").id), c.get("tenant"))),
      200,
    );
  });
  app.openapi(deleteFunction, async (c) => {
    c.set("stage", "function");
    await registry.remove(parseFunctionRef(c.req.valid("param").id), c.get("tenant"));
    return c.body(null, 204);
  });
}

async function create(c: GatewayContext, dependencies: Dependencies): Promise<Response> {
  const { telemetry, lifecycle } = dependencies;
  const leave = lifecycle.enter();
  const span = telemetry.tracer.startSpan("http.create_function", {
    function_id: "unknown",
    tenant: c.get("tenant"),
  });
  try {
    return await inSpan(telemetry.tracer, span, async () => {
      const { record, replayed } = await deploy(c, dependencies);
      span.setAttribute("function_id", record.id);
      span.setAttribute("name", record.name);
      telemetry.log("tensor_wasm_api").info("function.deployed", {
        function_id: record.id,
        tenant: record.tenant,
        name: record.name,
        version: record.version,
        digest: record.digest,
        module_bytes: record.moduleBytes,
        replayed,
      });
      return c.json({ id: record.id, name: record.name, version: record.version, digest: record.digest });
    });
  } finally {
    leave();
  }
}

interface Deployed {
  readonly record: FunctionRecord;
  readonly replayed: boolean;
}

async function deploy(
  c: GatewayContext,
  { artifacts, bodies, clock, limits, limitsOf, registry }: Dependencies,
): Promise<Deployed> {
  const form = formOf(c.req.header("content-type"));
  const idempotencyKey = idempotencyKeyOf(c);
  const queryName = c.req.query("name");
  if (form === "wasm") {
    if (queryName === undefined) throw fault("invalid_name", "Query parameter name is missing");
    checkFunctionName(queryName, limits);
  }
  c.set("stage", "body");
  using hold = bodies.hold(c.req.raw);
  const body = await readBody(c.req.raw, limits.bodyBytesMax, c.get("deadlineAtMs"), clock, hold);
  c.set("stage", "module");
  const tenant = c.get("tenant");
  const deadlineMs = c.get("deadlineMs");
  const deadlineAtMs = c.get("deadlineAtMs");
  const tenantLimits = limitsOf(tenant);
  const prepared = await artifacts.prepare(form, body, {
    tenant,
    limits: tenantLimits,
    deadlineMs,
    deadlineAtMs,
  });
  const deployed = await registry.deploy({
    tenant: c.get("tenant"),
    name: prepared.name ?? queryName ?? "",
    bytes: prepared.bytes,
    facts: prepared.facts,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
  artifacts.keep(deployed.record.digest, tenantLimits, prepared.instrumented);
  return deployed;
}

function formOf(contentType: string | undefined): "json" | "wasm" {
  if (isJson(contentType)) return "json";
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/wasm" || type === "application/octet-stream") return "wasm";
  throw fault("bad_request", "Content-Type must be application/json or application/wasm");
}
