/**
 * Call requests: what the routes that call a function have in common, from request to the parts of an Invocation.
 *
 * Owns their headers and query as schemas, the deadline header, and the hops "which function", "body", "what is
 * asked". It runs nothing and owns no span. Invariant: a call that comes out is whole and valid; nobody behind it
 * needs the request again.
 */
import { z } from "@hono/zod-openapi";
import type { Span } from "../../telemetry/mod.ts";
import { fault } from "../model/fault.ts";
import { parseFunctionRef } from "../model/function_record.ts";
import type { FunctionRecord } from "../model/function_record.ts";
import type { Invocation } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";
import { typeArguments } from "./arguments.ts";
import { readBody } from "./body.ts";
import type { BodyHold } from "./body_budget.ts";
import type { Dependencies, GatewayContext } from "./environment.ts";
import { InvokeBody } from "./invoke_body.ts";
import { isJson, parseInvokeRequest } from "./invoke_request.ts";
import { resolveExport } from "./resolve_export.ts";
import { FunctionParams, TenantHeaders } from "./schemas.ts";

const DEADLINE_HEADER = "x-tensorwasm-deadline-ms";
const IDEMPOTENT_HEADER = "x-tensorwasm-idempotent";

/** What a forgotten header looks like: curl sends a form unless it is told otherwise. */
const INPUT_HINT = ". The body is taken as the guest's input, as its Content-Type is not application/json";

/** What the description of a calling route says of its request. */
export const CALL_REQUEST = {
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
} as const;

/** The spans that a call's request is read under. */
type CallSpan =
  | "http.invoke_function"
  | "http.invoke_function_async"
  | "http.invoke_function_stream";

/** A call that was asked for, without its times. */
export interface RequestedCall {
  readonly parts: Omit<Invocation, "deadlineMs" | "deadlineAtMs" | "cancellation">;
  /** Whether the caller gave the guest input: then the guest's raw output is the natural answer. */
  readonly hasInput: boolean;
}

/** The function that the path names, noted on the span. Throws what `FunctionRegistry.get` throws. */
export function namedFunction(
  span: Span<CallSpan>,
  c: GatewayContext,
  { registry }: Dependencies,
): FunctionRecord {
  c.set("stage", "function");
  const record = registry.get(parseFunctionRef(c.req.param("id") ?? ""), c.get("tenant"));
  span.setAttribute("function_id", record.id);
  span.setAttribute("name", record.name);
  return record;
}

/** Holds room for the request's body, which is the guest's input. Throws what `BodyBudget.hold` throws. */
export function holdBody(c: GatewayContext, { bodies }: Dependencies): BodyHold {
  c.set("stage", "body");
  return bodies.hold(c.req.raw);
}

/**
 * Reads and checks what a request asks of a function. The body has until the request's deadline.
 *
 * @throws RuntimeFault what `readBody`, `parseInvokeRequest`, `resolveExport` and `typeArguments` throw;
 * `bad_request` for a malformed header
 */
export async function readCall(
  c: GatewayContext,
  record: FunctionRecord,
  hold: BodyHold,
  { clock, limits }: Dependencies,
): Promise<RequestedCall> {
  c.set("stage", "request");
  const idempotent = isIdempotent(c);
  c.set("stage", "body");
  const body = await readBody(c.req.raw, limits.bodyBytesMax, c.get("deadlineAtMs"), clock, hold);
  c.set("stage", "arguments");
  const contentType = c.req.header("content-type");
  const request = parseInvokeRequest(contentType, queryOf(c), body, limits.jsonBodyBytesMax);
  const isInput = body.length > 0 && !isJson(contentType);
  const resolved = resolveExport(record.facts, request.export, isInput ? INPUT_HINT : "");
  return {
    parts: {
      tenant: c.get("tenant"),
      function: record,
      export: resolved.name,
      args: typeArguments(request.args, resolved.type, limits),
      resultTypes: resolved.type.results,
      input: request.input,
      programArgs: request.programArgs,
      environment: request.environment,
      idempotent,
    },
    hasInput: request.hasInput,
  };
}

/**
 * The deadline that the caller asks for, in milliseconds; undefined without the header.
 *
 * @param name of the limit, for the refusal
 * @throws RuntimeFault `bad_request`
 */
export function askedDeadlineMs(c: GatewayContext, name: string, deadlineMsMax: number): number | undefined {
  const text = c.req.header(DEADLINE_HEADER);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) < 1) {
    throw fault("bad_request", "X-TensorWasm-Deadline-Ms is not a positive whole number");
  }
  const deadlineMs = Number(text);
  if (deadlineMs > deadlineMsMax) {
    throw fault("bad_request", limitMessage("Deadline is too long", name, deadlineMsMax, deadlineMs));
  }
  return deadlineMs;
}

/** Gives a request the deadline that its header asks for, counted from its arrival. Throws `bad_request`. */
export function applyDeadlineHeader(c: GatewayContext, { limitsOf }: Dependencies): void {
  const deadlineMs = askedDeadlineMs(c, "deadlineMs", limitsOf(c.get("tenant")).deadlineMs);
  if (deadlineMs === undefined) return;
  const arrivedAtMs = c.get("deadlineAtMs") - c.get("deadlineMs");
  c.set("deadlineMs", deadlineMs);
  c.set("deadlineAtMs", arrivedAtMs + deadlineMs);
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
