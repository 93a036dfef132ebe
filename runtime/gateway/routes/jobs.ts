/**
 * `/jobs`: list, read, wait for, follow and cancel jobs, and fetch their output.
 *
 * Owns the query of each route. Invariant: a job of another tenant is answered as one that is not there.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { fault } from "../../model/fault.ts";
import { parseFunctionRef } from "../../model/function_record.ts";
import { isFinal, JOB_STATES } from "../../model/job.ts";
import type { JobRecord } from "../../model/job.ts";
import { limitMessage } from "../../model/limits.ts";
import { parseCursor, toCursor } from "../../registry/function_page.ts";
import { endWithBody } from "../body_end.ts";
import { cancellationOf } from "../client_cancellation.ts";
import type { Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { guestHeaders } from "../guest_output.ts";
import { endFault, JobBody, toJobBody } from "../job_body.ts";
import { JobEvents } from "../job_events.ts";
import { JobTexts } from "../job_texts.ts";
import { JSON_HEADERS } from "../respond.ts";
import { errorResponses, TenantHeaders } from "../schemas.ts";

const LIST_LIMIT_DEFAULT = 100;
const LIST_LIMIT_MAX = 1000;
/** How long a cancel waits for the guest to stop, which it does at its next check. */
const CANCEL_WAIT_MS = 1_000;
const WAIT = /^([0-9]{1,9})(ms|s|m)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

const JobParams = z.object({ id: z.string().min(1).openapi({ param: { name: "id", in: "path" } }) });
const request = { headers: TenantHeaders, params: JobParams };
const job = { content: { "application/json": { schema: JobBody } } };

const listJobs = createRoute({
  method: "get",
  path: "/jobs",
  summary: "List the tenant's jobs, newest first",
  request: {
    headers: TenantHeaders,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
      cursor: z.string().max(200).optional().openapi({ description: "next_cursor of the page before" }),
      state: z.enum(JOB_STATES).optional(),
      function: z.string().min(1).optional().openapi({
        description: "Id, name (newest version) or name@version",
      }),
    }),
  },
  responses: {
    200: {
      description: "A page, without what guests wrote; it may be short of `limit` with more to come",
      content: {
        "application/json": {
          schema: z.object({ jobs: z.array(JobBody), next_cursor: z.string().optional() }).openapi("JobList"),
        },
      },
    },
    ...errorResponses(400, 403, 404, 500),
  },
});

const readJob = createRoute({
  method: "get",
  path: "/jobs/{id}",
  summary: "Read a job, or wait for its end",
  request: {
    ...request,
    query: z.object({
      wait: z.string().optional().openapi({
        description: "Answer when the job has ended, but not later than that: 10s, 500ms, 1m or seconds",
        example: "10s",
      }),
    }),
  },
  responses: { 200: { description: "The job", ...job }, ...errorResponses(400, 404, 429, 500, 503) },
});

const readOutput = createRoute({
  method: "get",
  path: "/jobs/{id}/output",
  summary: "Fetch what a completed job's guest wrote, as it is",
  request,
  responses: {
    200: {
      description: "The output, with the media type that the guest set",
      content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
    },
    ...errorResponses(400, 404, 409, 429, 500, 502, 503, 504),
  },
});

const followJob = createRoute({
  method: "get",
  path: "/jobs/{id}/events",
  summary: "Follow a job by server-sent events: `state` at once and at each change, `result` last",
  request,
  responses: {
    200: { description: "Events", content: { "text/event-stream": { schema: z.string() } } },
    ...errorResponses(400, 404, 429, 500, 503),
  },
});

const cancelJob = createRoute({
  method: "delete",
  path: "/jobs/{id}",
  summary: "Cancel a job; one that has ended stays as it is",
  request,
  responses: {
    200: { description: "The job, which has ended", ...job },
    202: { description: "The job, which is still being stopped", ...job },
    ...errorResponses(400, 404, 429, 500, 503),
  },
});

/** Adds the routes. */
export function addJobRoutes(app: GatewayApp, dependencies: Dependencies): void {
  const { answers, jobs, limits, telemetry } = dependencies;
  const texts = new JobTexts(jobs, limits.jsonBodyBytesMax);
  const answer = async (c: GatewayContext, record: JobRecord, status = 200): Promise<Response> => {
    const body = await texts.of(record);
    return answers.respond(
      { body, headers: JSON_HEADERS, status },
      (sent) => endWithBody(c, telemetry, sent),
    );
  };
  app.openapi(listJobs, (c) => {
    const { limit, cursor, state, function: ref } = c.req.valid("query");
    const tenant = c.get("tenant");
    const filter = {
      ...(state === undefined ? {} : { state }),
      ...(ref === undefined ? {} : { functionId: functionIdOf(ref, tenant, dependencies) }),
    };
    const scan = jobs.list(tenant, filter, limit, parseCursor(cursor));
    const body = {
      jobs: scan.jobs.map((record) => toJobBody(record, undefined)),
      ...(scan.next === undefined ? {} : { next_cursor: toCursor(scan.next) }),
    };
    return c.json(body, 200);
  });
  for (const route of [readJob, readOutput, followJob, cancelJob]) app.openAPIRegistry.registerPath(route);
  app.get("/jobs/:id", async (c) => {
    const waitMs = parseWait(c.req.queries("wait"), limits.jobWaitMsMax);
    using cancellation = cancellationOf(c, dependencies);
    return await answer(c, await jobs.wait(idOf(c), c.get("tenant"), waitMs, cancellation));
  });
  app.get("/jobs/:id/output", async (c) => await output(c, dependencies));
  app.get("/jobs/:id/events", (c) => events(c, texts, dependencies));
  app.delete("/jobs/:id", async (c) => {
    const record = await jobs.cancel(idOf(c), c.get("tenant"), CANCEL_WAIT_MS);
    return await answer(c, record, isFinal(record.state) ? 200 : 202);
  });
}

function idOf(c: GatewayContext): string {
  return c.req.param("id") ?? "";
}

/** An id may be of a function that was deleted since; a name is looked up. */
function functionIdOf(text: string, tenant: string, { registry }: Dependencies): string {
  const ref = parseFunctionRef(text);
  return ref.type === "id" ? ref.id : registry.get(ref, tenant).id;
}

/** Milliseconds of a `wait`; zero without one. */
function parseWait(texts: readonly string[] | undefined, waitMsMax: number): number {
  const [text, ...others] = texts ?? [];
  if (text === undefined) return 0;
  if (others.length > 0) throw fault("bad_request", "Query parameter wait is given more than once");
  const [, count, unit = "s"] = WAIT.exec(text) ?? [];
  if (count === undefined) throw fault("bad_request", "Query parameter wait is not a time like 10s or 500ms");
  const waitMs = Number(count) * (UNIT_MS[unit] ?? 1);
  if (waitMs > waitMsMax) {
    throw fault(
      "bad_request",
      limitMessage("Query parameter wait is too long", "jobWaitMsMax", waitMsMax, waitMs),
    );
  }
  return waitMs;
}

async function output(
  c: GatewayContext,
  { answers, jobs, telemetry }: Dependencies,
): Promise<Response> {
  const record = jobs.find(idOf(c), c.get("tenant"));
  if (record.end === undefined) {
    throw fault("job_unfinished", `Job ${record.id} has not ended yet`, { retryAfterSeconds: 1 });
  }
  const error = endFault(record.end);
  if (error !== undefined) throw error;
  const contentType = record.end.type === "ran" ? record.end.contentType : undefined;
  const body = await jobs.output(record.id);
  return answers.respond(
    { body, headers: guestHeaders(contentType) },
    (sent) => endWithBody(c, telemetry, sent),
  );
}

function events(c: GatewayContext, texts: JobTexts, dependencies: Dependencies): Response {
  const { answers, jobs, clock, telemetry } = dependencies;
  const { tracer } = telemetry;
  const result = (ended: JobRecord): Promise<Uint8Array<ArrayBuffer>> => texts.of(ended);
  const record = jobs.find(idOf(c), c.get("tenant"));
  const { readable, sent } = new JobEvents(record, { answers, jobs, clock, tracer, result });
  endWithBody(c, telemetry, sent);
  return new Response(readable, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}
