/**
 * The gateway's router: order of middleware and table of routes, on one screen.
 *
 * HTTP and nothing but HTTP. Invariant: whatever happens behind it, a request is answered with the envelope
 * of the contract and its trace id.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { ClientGone } from "../executor/admission.ts";
import { fault, FAULTS } from "../model/fault.ts";
import type { RuntimeFault } from "../model/fault.ts";
import { allowedMethodsOf } from "./allowed_methods.ts";
import type { Dependencies, GatewayApp, GatewayContext, GatewayEnv } from "./environment.ts";
import { reportDeparture, reportFailure } from "./failure_report.ts";
import { answerHeads, keepForHead } from "./middleware/head.ts";
import { refuseOddHosts } from "./middleware/host.ts";
import { resolveTenant } from "./middleware/tenant.ts";
import { traceRequests } from "./middleware/trace.ts";
import { problemResponse, toProblem } from "./problem.ts";
import { pathOf } from "./request_path.ts";
import { addDeviceRoute } from "./routes/device.ts";
import { addDocsRoutes } from "./routes/docs.ts";
import { addFunctionRoutes } from "./routes/functions.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addInvokeRoute } from "./routes/invoke.ts";
import { addInvokeAsyncRoute } from "./routes/invoke_async.ts";
import { addInvokeStreamRoute } from "./routes/invoke_stream.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addTraceRoutes } from "./routes/traces.ts";

/** nginx's status for a client that left; nobody receives it, the metric shows it. */
const CLIENT_CLOSED_REQUEST = 499;

/** What the schemas' library puts before what it expects, and what it got. */
const ISSUE_PREFIX = /^(Invalid input|Invalid option|Too small|Too big): /;
const ISSUE_RECEIVED = /, received (NaN|undefined)$/;

/** Builds the router. */
export function createApp(dependencies: Dependencies): GatewayApp {
  const app: GatewayApp = new OpenAPIHono<GatewayEnv>({
    getPath: pathOf,
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues);
    },
  });
  // There from the start, so that no rate over a first error is lost.
  for (const kind of Object.keys(FAULTS)) {
    dependencies.telemetry.metrics.counter("tensor_wasm_request_faults_total", { kind });
  }
  app.onError((error, c) => answerError(error, c, dependencies));
  app.use("*", keepForHead);
  app.use("*", traceRequests(dependencies, (error, c) => answerError(error, c, dependencies)));
  app.use("*", refuseOddHosts);
  app.use("/functions/*", resolveTenant(dependencies));
  app.use("/jobs/*", resolveTenant(dependencies));
  addHealthRoutes(app, dependencies);
  addDeviceRoute(app, dependencies);
  addFunctionRoutes(app, dependencies);
  addInvokeRoute(app, dependencies);
  addInvokeAsyncRoute(app, dependencies);
  addInvokeStreamRoute(app, dependencies);
  addJobRoutes(app, dependencies);
  addTraceRoutes(app, dependencies);
  addDocsRoutes(app, dependencies.version);
  answerUnmatched(app, dependencies);
  answerHeads(app);
  return app;
}

/** What no route takes: a path that there is not, or one that has other methods. */
function answerUnmatched(app: GatewayApp, dependencies: Dependencies): void {
  const allowedMethods = allowedMethodsOf(app);
  app.notFound((c) => {
    c.set("stage", "route");
    const methods = allowedMethods(c.req.path).join(", ");
    if (methods === "") {
      return answerError(fault("not_found", "No such route; /openapi.json lists all"), c, dependencies);
    }
    const error = fault("method_not_allowed", `Route has not this method, but ${methods}`);
    const response = answerError(error, c, dependencies);
    response.headers.set("allow", methods);
    return response;
  });
}

function answerError(error: Error, c: GatewayContext, { telemetry }: Dependencies): Response {
  const stage = c.get("stage");
  if (error instanceof ClientGone) {
    reportDeparture(telemetry, "client_gone", CLIENT_CLOSED_REQUEST, stage);
    return new Response(null, { status: CLIENT_CLOSED_REQUEST });
  }
  const problem = toProblem(error);
  const ids = c.get("span")?.ids;
  reportFailure(telemetry, problem, { stage, error, ids });
  return problemResponse(problem, ids?.traceId);
}

function invalidRequest(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): RuntimeFault {
  const [issue] = issues;
  const place = issue === undefined ? "Request" : issue.path.map(String).join(".");
  const reason = issue?.message.replace(ISSUE_PREFIX, "").replace(ISSUE_RECEIVED, "") ?? "invalid";
  return fault("bad_request", `${place.slice(0, 64)}: ${reason}`);
}
