/**
 * Tracing of requests: the `http.request` span, its ids on the response, the first and last log line, the
 * HTTP metrics.
 *
 * Outermost middleware: everything behind it runs under the span. It decides nothing. Invariant: every
 * response leaves with `x-trace-id` unless tracing is off, and probes are traced and counted but not logged.
 */
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Counter, Gauge, Histogram, LogFields, Metrics, SpanIds } from "../../../telemetry/mod.ts";
import type { Usage } from "../../model/usage.ts";
import type { BodyEnd, Dependencies, GatewayContext, GatewayEnv } from "../environment.ts";

const REQUEST_ID_HEADER = "x-request-id";
const REQUEST_ID = /^[\w.:-]{1,128}$/;
const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);
/** Reading traces makes some; a store that is looked at would soon hold little else. */
const TRACE_READS = /^\/traces(\/|$)/;
/** Label of requests that no route matched: one series, whatever paths callers invent. */
const UNMATCHED = "unknown";
/** Answers that alerts count. */
const FIRST_SERIES = [
  ["/functions", "POST", "500"],
  ["/functions/:id/invoke", "POST", "200"],
  ["/functions/:id/invoke", "POST", "500"],
  ["/functions/:id/invoke", "POST", "502"],
  ["/functions/:id/invoke", "POST", "503"],
  ["/functions/:id/invoke", "POST", "504"],
] as const;
/** Methods that have series of their own; the nine of RFC 9110 and RFC 5789. */
const METHODS = new Set(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"]);
/** What OpenTelemetry's semantic conventions call any other. */
const OTHER_METHOD = "_OTHER";

/**
 * Makes the middleware.
 *
 * @param answerError answers what was thrown and is no Error, which the router does not take for one
 */
export function traceRequests(
  { telemetry, clock, limits }: Dependencies,
  answerError: (error: Error, c: GatewayContext) => Response,
): MiddlewareHandler<GatewayEnv> {
  const { tracer } = telemetry;
  const count = countRequests(telemetry.metrics);
  const inFlightOf = gaugesInFlight(telemetry.metrics);
  const log = telemetry.log("tensor_wasm_api");
  return async (c, next) => {
    const startMs = clock.nowMs();
    const { method, path } = c.req;
    const isKnown = METHODS.has(method);
    const remote = tracer.extract(c.req.raw.headers);
    const headers = c.req.raw.headers;
    const requestId = requestIdOf(headers);
    const span = tracer.startSpan("http.request", {
      method,
      uri: path,
      // The server does not say; a request of HTTP/2 has no Host header.
      version: headers.has("host") ? "HTTP/1.1" : "HTTP/2",
      traceparent: remote.traceparent,
      "http.request.method": isKnown ? method : OTHER_METHOD,
      "url.path": path,
      request_id: requestId,
    }, { remote, isStored: !PROBES.has(path) && !TRACE_READS.test(path) });
    c.set("span", span);
    c.set("stage", "request");
    c.set("deadlineMs", limits.deadlineMs);
    c.set("deadlineAtMs", startMs + limits.deadlineMs);
    const isLogged = !PROBES.has(path);
    const route = routeOf(c);
    const countedMethod = isKnown ? method : "OTHER";
    const inFlight = inFlightOf(route, countedMethod);
    inFlight.inc();
    const complete = (end: BodyEnd | undefined): void => {
      const durationMs = clock.nowMs() - startMs;
      const { status } = c.res;
      span.setAttribute("http.route", route);
      span.setAttribute("http.response.status_code", status);
      const failure = failureOf(status, end);
      if (failure !== undefined) span.fail(failure);
      if (isLogged) {
        // Routes that are nobody's have no tenant.
        const tenant: string | undefined = c.get("tenant");
        log.info("request.completed", completedFields(method, route, status, round(durationMs), tenant, end));
      }
      count(route, countedMethod, end?.status ?? status, durationMs / 1000, span.ids, startMs + durationMs);
      inFlight.dec();
      span.end();
    };
    await tracer.withSpan(span, async () => {
      if (isLogged) log.info("request.received", { method, uri: path });
      try {
        await next();
      } catch (thrown) {
        c.res = answerError(new Error(`Thrown and no Error: ${String(thrown)}`, { cause: thrown }), c);
      }
      tracer.setResponseHeaders(c.res.headers, span.ids);
      c.res.headers.set(REQUEST_ID_HEADER, requestId);
      const usage = c.get("usage");
      if (usage !== undefined) setUsageHeaders(c.res.headers, usage);
      const bodyEnd = c.get("bodyEnd");
      if (bodyEnd === undefined) complete(undefined);
      // The request is over when the last of its body has left, which is long after this returns.
      else void bodyEnd.then(complete);
    });
  };
}

/** The message of a request's error status: of its own, or of a body that broke off after a good head. */
function failureOf(status: number, end: BodyEnd | undefined): string | undefined {
  if (status >= 500) return `HTTP ${status}`;
  return end?.status !== undefined && end.status >= 500 ? end.failure : undefined;
}

/** Written out: copies of copies took as long as the rest of the line. */
function completedFields(
  method: string,
  route: string,
  status: number,
  duration_ms: number,
  tenant: string | undefined,
  end: BodyEnd | undefined,
): LogFields {
  const fields = tenant === undefined
    ? { method, route, status, duration_ms }
    : { method, route, status, duration_ms, tenant };
  return end === undefined ? fields : { ...fields, ending: end.ending, chunks: end.chunks, bytes: end.bytes };
}

/** What a call used, on its answer, whether it succeeded or failed. */
function setUsageHeaders(headers: Headers, usage: Usage): void {
  headers.set("x-tensorwasm-fuel", String(usage.fuel));
  headers.set("x-tensorwasm-yields", String(usage.yields));
  headers.set("x-tensorwasm-cpu-us", String(usage.cpuUs));
  headers.set("x-tensorwasm-memory-bytes", String(usage.memoryBytes));
}

/** The caller's id of the request, if it has the form of one, else a new one. */
function requestIdOf(headers: Headers): string {
  const given = headers.get(REQUEST_ID_HEADER);
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
}

/** Counts answers; the series of a route, method and status are looked up once. */
function countRequests(
  metrics: Metrics,
): (
  route: string,
  method: string,
  status: number,
  seconds: number,
  ids: SpanIds | undefined,
  atMs: number,
) => void {
  const series = new Map<string, { readonly total: Counter; readonly duration: Histogram }>();
  // What alerts count is there from the start: of a series that begins at 1, a rate does not see the first event.
  for (const [route, method, status] of FIRST_SERIES) {
    metrics.counter("tensor_wasm_http_requests_total", { route, method, status });
  }
  return (route, method, status, seconds, ids, atMs) => {
    const key = `${status} ${method} ${route}`;
    let counted = series.get(key);
    if (counted === undefined) {
      const labels = { route, method, status: String(status) };
      counted = {
        total: metrics.counter("tensor_wasm_http_requests_total", labels),
        duration: metrics.histogram("tensor_wasm_http_request_duration_seconds", labels),
      };
      series.set(key, counted);
    }
    counted.total.inc();
    counted.duration.observe(seconds, ids, atMs);
  };
}

/** The gauge of a route and method, looked up once. */
function gaugesInFlight(metrics: Metrics): (route: string, method: string) => Gauge {
  const gauges = new Map<string, Gauge>();
  return (route, method) => {
    const key = `${method} ${route}`;
    let gauge = gauges.get(key);
    if (gauge === undefined) {
      gauge = metrics.gauge("tensor_wasm_http_requests_in_flight", { route, method });
      gauges.set(key, gauge);
    }
    return gauge;
  };
}

/** The template of the route that answered, not what the caller wrote. */
function routeOf(c: GatewayContext): string {
  const route = routePath(c, -1);
  return route.includes("*") ? UNMATCHED : route;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
