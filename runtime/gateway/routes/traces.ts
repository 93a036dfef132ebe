/**
 * `/traces`: the last traces with their spans and log lines.
 *
 * Owns the query, the wire form and whose traces a caller sees. What is kept and for how long is the trace
 * store's (telemetry). Invariant: with the tenant header only that tenant's spans and lines are answered; another
 * tenant's trace is as unknown as one that never was.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { STATUS_WORDS } from "../../../telemetry/mod.ts";
import type {
  StatusFilter,
  StoredLine,
  StoredSpan,
  StoredTrace,
  TraceStore,
  TraceSummary,
} from "../../../telemetry/mod.ts";
import { fault } from "../../model/fault.ts";
import type { Dependencies, GatewayApp } from "../environment.ts";
import { parseTenant, TENANT_HEADER } from "../middleware/tenant.ts";
import { errorResponses } from "../schemas.ts";

const LIST_LIMIT_DEFAULT = 50;
const LIST_LIMIT_MAX = 500;
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;

const TraceTenantHeaders = z.object({
  [TENANT_HEADER]: z.string().optional().openapi({
    description: "Only this tenant's traces; absent: all of them, unless the gateway requires a tenant",
  }),
});

const Summary = z.object({
  trace_id: z.string(),
  root: z.string().openapi({ description: "Name of the outermost span" }),
  route: z.string().optional(),
  method: z.string().optional(),
  http_status: z.number().int().optional(),
  status: z.enum(["ok", "error", "timeout", "kill"]).openapi({
    description: "How it went; an answer of 4xx is ok here: the mistake is the caller's",
  }),
  error: z.boolean(),
  complete: z.boolean().openapi({ description: "false while something of it runs or waits to" }),
  tenant: z.string().optional(),
  function_id: z.string().optional(),
  function: z.string().optional().openapi({ description: "Name of the function" }),
  start_unix_ms: z.number(),
  duration_ms: z.number(),
  span_count: z.number().int(),
  log_count: z.number().int(),
}).openapi("TraceSummary");

const Values = z.record(z.string(), z.unknown());

const SpanBody = z.object({
  span_id: z.string(),
  parent_span_id: z.string().optional(),
  parent_is_remote: z.boolean().optional().openapi({ description: "true: the parent is the caller's span" }),
  name: z.string(),
  scope: z.string(),
  kind: z.enum(["internal", "server", "consumer"]),
  start_unix_ms: z.number(),
  duration_ms: z.number().optional().openapi({ description: "Absent while the span is open" }),
  error: z.string().optional().openapi({ description: "Message of the error status" }),
  attributes: Values,
  events: z.array(z.object({ name: z.string(), unix_ms: z.number(), attributes: Values })).optional(),
}).openapi("TraceSpan");

interface TreeNode {
  readonly span_id: string;
  readonly name: string;
  readonly children: readonly TreeNode[];
}

const Tree: z.ZodType<TreeNode> = z.object({
  span_id: z.string(),
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
}).openapi("TraceTree", {
  type: "object",
  properties: {
    span_id: { type: "string" },
    name: { type: "string" },
    children: { type: "array", items: { $ref: "#/components/schemas/TraceTree" } },
  },
});

const TraceBody = Summary.extend({
  tenants: z.array(z.string()).openapi({ description: "All whose spans are in it" }),
  truncated: z.boolean().openapi({ description: "true: spans or lines are missing, over a bound" }),
  spans: z.array(SpanBody).openapi({ description: "By start" }),
  logs: z.array(z.object({
    unix_ms: z.number(),
    timestamp: z.string(),
    level: z.enum(["trace", "debug", "info", "warn", "error"]),
    target: z.string(),
    message: z.string(),
    span_id: z.string(),
    fields: Values,
  })).openapi({ description: "By time" }),
  tree: z.array(Tree).openapi({ description: "Roots: spans whose parent is not among the spans" }),
}).openapi("Trace");

const listTraces = createRoute({
  method: "get",
  path: "/traces",
  summary: "List traces, newest first",
  request: {
    headers: TraceTenantHeaders,
    query: z.object({
      tenant: z.string().max(20).optional(),
      function: z.string().max(256).optional().openapi({ description: "Id or name" }),
      status: z.string().max(8).optional().openapi({
        description: "ok, error (all that is not ok), timeout, kill, running; or an HTTP status: 504, 5xx",
      }),
      min_ms: z.coerce.number().min(0).optional(),
      limit: z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
      cursor: z.string().regex(/^[0-9]{1,15}$/).optional().openapi({
        description: "next_cursor of the page before; a page may be short, even empty, and have one",
      }),
    }),
  },
  responses: {
    200: {
      description: "A page",
      content: {
        "application/json": {
          schema: z.object({ traces: z.array(Summary), next_cursor: z.string().optional() })
            .openapi("TraceList"),
        },
      },
    },
    ...errorResponses(400, 403, 404),
  },
});

const readTrace = createRoute({
  method: "get",
  path: "/traces/{trace_id}",
  summary: "Read a trace: spans, log lines, tree",
  request: {
    headers: TraceTenantHeaders,
    params: z.object({ trace_id: z.string().openapi({ param: { name: "trace_id", in: "path" } }) }),
  },
  responses: {
    200: { description: "The trace", content: { "application/json": { schema: TraceBody } } },
    ...errorResponses(400, 404),
  },
});

/** Adds the routes. */
export function addTraceRoutes(app: GatewayApp, { telemetry, requireTenant }: Dependencies): void {
  app.openapi(listTraces, async (c) => {
    const query = c.req.valid("query");
    const own = findTenant(c.req.header(TENANT_HEADER), requireTenant);
    const asked = isGiven(query.tenant)
      ? parseTenant(query.tenant, true, "Query parameter tenant")
      : undefined;
    if (own !== undefined && asked !== undefined && own !== asked) {
      throw fault("tenant_scope_denied", "The tenant asked for is not the caller's");
    }
    const page = await storeOf(telemetry.traces).list({
      tenant: own ?? asked,
      function: isGiven(query.function) ? query.function : undefined,
      status: isGiven(query.status) ? parseStatus(query.status) : undefined,
      minMs: query.min_ms,
      limit: query.limit,
      before: query.cursor === undefined ? undefined : Number(query.cursor),
    });
    const traces = page.traces.map(toSummaryBody);
    return c.json(page.next === undefined ? { traces } : { traces, next_cursor: String(page.next) }, 200);
  });
  app.openapi(readTrace, (c) => {
    const traceId = c.req.valid("param").trace_id;
    if (!TRACE_ID.test(traceId)) {
      throw fault("bad_request", "A trace id is 32 lower-case hex digits, not all of them 0");
    }
    const trace = storeOf(telemetry.traces)
      .find(traceId, findTenant(c.req.header(TENANT_HEADER), requireTenant));
    if (trace === undefined) {
      throw fault(
        "not_found",
        "No such trace is kept: it is older than those that are, another tenant's, or never came here",
      );
    }
    return c.json(toTraceBody(trace), 200);
  });
}

/** The tenant whose traces are asked for; undefined for all, which is the operator's view. */
function findTenant(header: string | undefined, isRequired: boolean): string | undefined {
  return header === undefined && !isRequired ? undefined : parseTenant(header ?? null, isRequired);
}

/** A filter that is left empty, as a form sends it, is none. */
function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

function storeOf(store: TraceStore | undefined): TraceStore {
  if (store === undefined) throw fault("not_found", "No traces are kept: tracing or the trace store is off");
  return store;
}

function parseStatus(text: string): StatusFilter {
  const word = STATUS_WORDS.find((known) => known === text);
  if (word !== undefined) return word;
  if (/^[1-5]xx$/.test(text)) return { hundreds: Number(text[0]) };
  if (/^[1-5][0-9]{2}$/.test(text)) return { status: Number(text) };
  throw fault("bad_request", `status is not one of ${STATUS_WORDS.join(", ")}, nor an HTTP status or class`);
}

function toSummaryBody(trace: TraceSummary): z.infer<typeof Summary> {
  return {
    trace_id: trace.traceId,
    root: trace.rootName,
    ...present("route", trace.route),
    ...present("method", trace.method),
    ...present("http_status", trace.httpStatus),
    status: trace.verdict,
    error: trace.verdict !== "ok",
    complete: trace.isComplete,
    ...present("tenant", trace.tenant),
    ...present("function_id", trace.functionId),
    ...present("function", trace.functionName),
    start_unix_ms: trace.startMs,
    duration_ms: trace.durationMs,
    span_count: trace.spanCount,
    log_count: trace.lineCount,
  };
}

function toTraceBody(trace: StoredTrace): z.infer<typeof TraceBody> {
  return {
    ...toSummaryBody(trace),
    tenants: [...trace.tenants],
    truncated: trace.isTruncated,
    spans: trace.spans.map(toSpanBody),
    logs: trace.lines.map(toLineBody),
    tree: toTree(trace.spans),
  };
}

function toSpanBody(span: StoredSpan): z.infer<typeof SpanBody> {
  return {
    span_id: span.spanId,
    ...present("parent_span_id", span.parentSpanId),
    ...(span.isParentRemote ? { parent_is_remote: true } : {}),
    name: span.name,
    scope: span.scope,
    kind: span.kind,
    start_unix_ms: span.startMs,
    ...present("duration_ms", span.durationMs),
    ...present("error", span.failure),
    attributes: span.attributes,
    ...(span.events.length === 0 ? {} : {
      events: span.events.map(({ name, atMs, attributes }) => ({ name, unix_ms: atMs, attributes })),
    }),
  };
}

function toLineBody(line: StoredLine): z.infer<typeof TraceBody>["logs"][number] {
  return {
    unix_ms: line.atMs,
    timestamp: new Date(line.atMs).toISOString(),
    level: line.level,
    target: line.target,
    message: line.message,
    span_id: line.spanId,
    fields: line.fields,
  };
}

/** Spans come by start, so children do too. */
function toTree(spans: readonly StoredSpan[]): TreeNode[] {
  const nodes = new Map(
    spans.map(({ spanId, name }) => [spanId, { span_id: spanId, name, children: [] as TreeNode[] }]),
  );
  const roots: TreeNode[] = [];
  for (const { spanId, parentSpanId } of spans) {
    const node = nodes.get(spanId);
    if (node === undefined) continue;
    (nodes.get(parentSpanId ?? "")?.children ?? roots).push(node);
  }
  return roots;
}

function present<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : { [key]: value } as { [P in K]: T };
}
