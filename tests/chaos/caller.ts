/**
 * Caller: clients of a gateway that ask for honest and hostile calls in turn, and judge each answer.
 *
 * Owns the requests, the answers that any call may get while cells die around it, and clients that leave. Traces
 * are the ledger's. Invariant: every request ends in exactly one record, answered or left.
 */
import { assertProblem, assertTraceId } from "../flow/problem.ts";
import { type CallKind, choose, type PlannedCall, type Random } from "./call_kind.ts";
import { HONEST_CALLS } from "./honest_calls.ts";
import type { CallRecord } from "./trace_check.ts";

/** What a tenant has deployed. */
export interface Tenant {
  readonly number: string;
  readonly honest: readonly CallKind[];
  readonly hostile: readonly CallKind[];
}

/** What callers work with. */
export interface CallerOptions {
  readonly url: string;
  readonly client: Deno.HttpClient;
  readonly tenants: readonly Tenant[];
  readonly random: Random;
  readonly isOver: () => boolean;
  readonly record: (record: CallRecord, tookMs: number) => void;
  readonly violation: (traceId: string, reason: string) => void;
}

const HOSTILE_SHARE = 0.35;
const LEAVE_SHARE = 0.05;
const IDEMPOTENT_SHARE = 0.3;
/** Calls without a traceparent of their own start a trace in the gateway. */
const OWN_TRACE_SHARE = 0.8;
/** How long a client that leaves waits first. */
const LEAVE_AFTER_MS_MAX = 120;
/** Longer than any deadline: an answer that takes so long never comes. */
const ANSWER_MS_MAX = 60_000;
const HONEST_GUESTS = new Set(HONEST_CALLS.map(({ guest }) => guest));

interface Request {
  readonly kind: CallKind;
  readonly call: PlannedCall;
  readonly tenant: string;
  readonly traceId: string | undefined;
  readonly isIdempotent: boolean;
  readonly leaveAfterMs: number | undefined;
}

/** Asks for one call after the other until the run is over. */
export async function callUntilOver(options: CallerOptions, name: string): Promise<void> {
  for (let count = 0; !options.isOver(); count++) await callOnce(options, `${name}-${count}`);
}

async function callOnce(options: CallerOptions, id: string): Promise<void> {
  const request = plan(options, id);
  const { call, isIdempotent, kind, leaveAfterMs } = request;
  const leaving = new AbortController();
  let leftAtMs: number | undefined;
  const timer = setTimeout(() => {
    leftAtMs = performance.timeOrigin + performance.now();
    leaving.abort();
  }, leaveAfterMs ?? ANSWER_MS_MAX);
  const startMs = performance.now();
  const facts = { guest: kind.guest, isIdempotent, deadlineMs: call.deadlineMs };
  try {
    const response = await send(options, request, leaving.signal);
    const body = new Uint8Array(await response.arrayBuffer());
    const { traceId, answer, wrong } = await judge(response, body, request);
    if (wrong !== undefined) {
      options.violation(traceId, `${kind.guest} of tenant ${request.tenant}: ${wrong}`);
    }
    options.record({ ...facts, traceId, answer }, performance.now() - startMs);
  } catch (error) {
    const traceId = request.traceId ?? "unknown";
    if (leftAtMs !== undefined && leaveAfterMs !== undefined && request.traceId !== undefined) {
      options.record({ ...facts, traceId, answer: "left", leftAtMs }, performance.now() - startMs);
    } else {
      const tookMs = Math.round(performance.now() - startMs);
      const reason = error instanceof Error ? error.message : String(error);
      options.violation(traceId, `${kind.guest} of tenant ${request.tenant} after ${tookMs} ms: ${reason}`);
    }
  } finally {
    clearTimeout(timer);
  }
}

function plan({ tenants, random }: CallerOptions, id: string): Request {
  const tenant = tenants[Math.floor(random() * tenants.length)];
  if (tenant === undefined) throw new Error("There is no tenant");
  const kind = choose(random() < HOSTILE_SHARE ? tenant.hostile : tenant.honest, random);
  const leaves = random() < LEAVE_SHARE;
  return {
    kind,
    call: kind.make(random, id),
    tenant: tenant.number,
    // Who leaves never learns what the gateway's trace was.
    traceId: leaves || random() < OWN_TRACE_SHARE
      ? crypto.getRandomValues(new Uint8Array(16)).toHex()
      : undefined,
    isIdempotent: random() < IDEMPOTENT_SHARE,
    leaveAfterMs: leaves ? random() * LEAVE_AFTER_MS_MAX : undefined,
  };
}

async function send(options: CallerOptions, request: Request, signal: AbortSignal): Promise<Response> {
  const { kind, call, tenant, traceId, isIdempotent } = request;
  return await fetch(`${options.url}/functions/${kind.guest}/invoke${call.query}`, {
    method: "POST",
    client: options.client,
    signal,
    headers: {
      "content-type": call.contentType,
      "x-tensorwasm-tenant": tenant,
      "x-tensorwasm-deadline-ms": String(call.deadlineMs),
      "x-tensorwasm-idempotent": String(isIdempotent),
      ...(traceId === undefined ? {} : { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }),
    },
    body: call.body,
  });
}

interface Verdict {
  readonly traceId: string;
  /** The answer in a word. */
  readonly answer: string;
  /** Why this call must not get it. */
  readonly wrong?: string;
}

/** Judges an answer. @throws Error if it has not the form that answers have */
async function judge(
  response: Response,
  body: Uint8Array<ArrayBuffer>,
  { kind, call, traceId: asked }: Request,
): Promise<Verdict> {
  const traceId = assertTraceId(response, asked);
  const text = (): string => new TextDecoder().decode(body.subarray(0, 300));
  if (response.status === 200) {
    const isRight = call.answers.get("200")?.(body) ?? false;
    return { traceId, answer: "200", ...(isRight ? {} : { wrong: `wrong answer: ${text()}` }) };
  }
  const { status, headers } = response;
  const fault = JSON.parse(new TextDecoder().decode(body)).error?.kind;
  await assertProblem(new Response(body, { status, headers }), { status, kind: fault });
  const answer = `${status} ${fault}`;
  const isRight = call.answers.has(answer) || isBearable(answer, headers, kind);
  return { traceId, answer, ...(isRight ? {} : { wrong: `must not be answered: ${text()}` }) };
}

/** What any call may be answered because of what happens around it. */
function isBearable(answer: string, headers: Headers, { guest }: CallKind): boolean {
  if (answer === "502 cell_lost") return true;
  const saysWhen = Number(headers.get("retry-after")) >= 1;
  if (answer === "503 capacity_exhausted" || answer === "429 tenant_capacity_exhausted") return saysWhen;
  return answer === "503 module_quarantined" && saysWhen && !HONEST_GUESTS.has(guest);
}
