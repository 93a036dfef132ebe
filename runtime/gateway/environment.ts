/**
 * What handlers and middleware of the gateway share: their dependencies and the variables of a request.
 *
 * Owns the two shapes only. Invariant: a handler gets at the rest of the runtime through `Dependencies`
 * alone, so tests can give it any part.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Span, Telemetry } from "../../telemetry/mod.ts";
import type { Artifacts } from "../executor/artifacts.ts";
import type { Executor } from "../executor/executor.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts, GpuPlan } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import type { Usage } from "../model/usage.ts";
import type { FunctionRegistry } from "../registry/functions.ts";
import type { Answers } from "./answers.ts";
import type { BodyBudget } from "./body_budget.ts";
import type { ClosedPeers, Connection } from "./closed_peers.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Streams } from "./stream/streams.ts";

/** What is known of devices. */
export interface DeviceSource {
  readonly plan: GpuPlan;
  /** Once a cell has said what it has; none if it is empty. */
  readonly facts: Promise<readonly DeviceFacts[]>;
  /** Cells that have each of them, where they are dedicated. */
  readonly cellsByDevice: () => readonly number[];
}

/** What the gateway works with. */
export interface Dependencies {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Of the gateway itself; those of a tenant are `limitsOf`. */
  readonly limits: Limits;
  readonly limitsOf: LimitsOf;
  readonly requireTenant: boolean;
  readonly registry: FunctionRegistry;
  readonly executor: Executor;
  readonly jobs: Jobs;
  readonly artifacts: Artifacts;
  readonly lifecycle: Lifecycle;
  readonly answers: Answers;
  readonly bodies: BodyBudget;
  readonly closedPeers: ClosedPeers;
  readonly streams: Streams;
  /** Which parts can serve right now. */
  readonly readiness: {
    cells(): boolean;
    /** Why the store takes neither deploys nor jobs; undefined if it does. */
    storeFailure(): string | undefined;
  };
  /** The devices that calls have. */
  readonly device: DeviceSource;
  /** Version of the runtime, for the API's description. */
  readonly version: string;
}

/** How a response's body ended that left after its head. */
export interface BodyEnd {
  /** A word for it, for logs. */
  readonly ending: string;
  /** Present if it failed: the status for metrics, which its head would have said, had it been known. */
  readonly status?: number;
  /** Likewise: the kind of the error, or what broke it off. */
  readonly failure?: string;
  readonly chunks: number;
  readonly bytes: number;
}

/**
 * How far a request has come, which is where it failed if it does: `route` nothing took it, `tenant` who asks,
 * `request` headers and query, `function` which one, `body`, `arguments`, `module` what is deployed, `submit`
 * a job taken on, `queue` no cell has begun, `run` the guest, `answer` on its way after its head.
 */
export type Stage =
  | "route"
  | "tenant"
  | "request"
  | "function"
  | "body"
  | "arguments"
  | "module"
  | "submit"
  | "queue"
  | "run"
  | "answer";

/** Set by middleware, read by handlers. */
export interface RequestVariables {
  stage: Stage;
  span: Span<"http.request">;
  tenant: string;
  /** The instant at which the request has had its time, and the budget it is counted from. */
  deadlineAtMs: number;
  deadlineMs: number;
  /** What the call used, once it has ended. */
  usage?: Usage;
  /** Of a response whose body leaves after its head: resolves when it has ended. Never rejects. */
  bodyEnd?: Promise<BodyEnd>;
}

/** The hono environment of the gateway. */
export interface GatewayEnv {
  Bindings: {
    /** Of a request of HEAD: the answer that GET would have had. */
    whole?: Response;
    /** Of a request that came by a socket. */
    connection?: Connection;
  };
  Variables: RequestVariables;
}

/** The router type of the gateway. */
export type GatewayApp = OpenAPIHono<GatewayEnv>;
/** A request in the gateway. */
export type GatewayContext = Context<GatewayEnv>;
