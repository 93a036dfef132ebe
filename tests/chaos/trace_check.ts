/**
 * Trace check: whether the trace of one call is whole, and says what its caller was told.
 *
 * Owns what a whole trace is: http.request, http.invoke_function, invoke.run, and for every attempt one spawn span
 * with its calls and one terminate. It waits for nothing (ledger.ts does). Invariant: a trace that passes has no
 * orphan, no span twice and none missing, each within its parent.
 */
import { assertNested } from "../flow/call_trace.ts";
import type { DecodedSpan } from "../support/collector.ts";
import { buildSpanTree, type SpanNode } from "../support/span_tree.ts";

const SPAWN = "tensor_wasm_exec::executor::spawn_instance";
const CALL = "tensor_wasm_exec::executor::call_export_with_args";
const TERMINATE = "tensor_wasm_exec::executor::terminate";

/** What a caller knows of a call. */
export interface CallRecord {
  readonly traceId: string;
  readonly guest: string;
  /** As in Answers; "left" if the client did not wait for it. */
  readonly answer: string;
  readonly isIdempotent: boolean;
  readonly deadlineMs: number;
  /** When the client left, in milliseconds since the epoch. */
  readonly leftAtMs?: number;
}

/** One attempt at a call. */
export interface Attempt {
  readonly spawn: DecodedSpan;
  /** The span of the export that was asked for. */
  readonly call: DecodedSpan;
  readonly outcome: string;
}

/** A trace that is whole. */
export interface WholeTrace {
  readonly root: DecodedSpan;
  readonly attempts: readonly Attempt[];
}

/** Outcomes that lead to an answer; any for the others. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  "200": ["returned", "exited"],
  "500 wasmtime": ["trapped"],
  "500 guest_exit": ["exited"],
  "500 guest_limit_exceeded": ["exhausted"],
  "502 cell_lost": ["lost"],
  "504 invoke_timeout": ["exhausted"],
};

/** The trace of a call. @throws Error that says what is wrong with it */
export function checkTrace(spans: readonly DecodedSpan[], record: CallRecord): WholeTrace {
  const tree = buildSpanTree(spans);
  assertNested(tree);
  need(tree.span.name === "http.request", `its root is ${tree.span.name}`);
  const invoke = onlyChild(tree, "http.invoke_function");
  const run = invoke.children.length === 0 ? undefined : onlyChild(invoke, "invoke.run");
  const attempts = (run?.children ?? []).map(toAttempt);
  checkAttempts(attempts, tree.span, record);
  if (attempts.length > 1) need(run?.span.attributes["attempt"] === 2, "invoke.run does not say attempt 2");
  return { root: tree.span, attempts };
}

function toAttempt(node: SpanNode): Attempt {
  need(node.span.name === SPAWN, `${node.span.name} under invoke.run`);
  const names = node.children.map((child) => child.span.name);
  const calls = node.children.filter((child) => child.span.name === CALL).map((child) => child.span);
  need(names.filter((name) => name === TERMINATE).length === 1, `not one terminate in ${names}`);
  need(calls.length + 1 === names.length, `other spans in ${names}`);
  const asked = calls.filter((span) => span.attributes["export"] !== "_initialize");
  // The export that was asked for may be _initialize itself, or come after it.
  const call = asked[0] ?? calls[0];
  need(call !== undefined && asked.length <= 1 && calls.length <= 2, `${calls.length} calls`);
  const outcome = String(call.attributes["outcome"]);
  const isMetered = outcome === "lost" || typeof call.attributes["fuel"] === "number";
  need(isMetered || isKilled(call), `a call that was ${outcome} has no usage`);
  return { spawn: node.span, call, outcome };
}

/** Its cell was killed because the call would not stop: nobody could read its usage. */
function isKilled(call: DecodedSpan): boolean {
  return ["deadline_elapsed", "overdue", "closed"].includes(String(call.attributes["reason"]));
}

function checkAttempts(attempts: readonly Attempt[], root: DecodedSpan, record: CallRecord): void {
  const { answer, isIdempotent, deadlineMs } = record;
  const countMax = isIdempotent ? 2 : 1;
  need(attempts.length <= countMax, `${attempts.length} attempts`);
  for (const attempt of attempts.slice(0, -1)) {
    need(attempt.outcome === "lost", `a second attempt after one that was ${attempt.outcome}`);
  }
  const last = attempts.at(-1);
  if (answer.startsWith("200") || answer.startsWith("500") || answer.startsWith("502")) {
    need(last !== undefined, `no attempt for ${answer}`);
  }
  if (answer.startsWith("503") || answer.startsWith("429")) {
    need(attempts.length < countMax, `${attempts.length} attempts for ${answer}`);
    return;
  }
  if (last === undefined) return;
  const outcomes = OUTCOMES[answer];
  // A second attempt that never got a cell leaves the first as the last.
  const isLate = answer === "504 invoke_timeout" && isIdempotent && last.outcome === "lost";
  need(outcomes === undefined || outcomes.includes(last.outcome) || isLate, `${last.outcome} for ${answer}`);
  if (answer === "502 cell_lost" && isIdempotent && attempts.length < 2) {
    const tookMs = Number(root.endNanos - root.startNanos) / 1e6;
    need(tookMs >= deadlineMs, `no second attempt, and ${(deadlineMs - tookMs).toFixed(1)} ms were left`);
  }
}

function onlyChild(node: SpanNode, name: string): SpanNode {
  const [child, ...others] = node.children;
  const names = node.children.map((each) => each.span.name);
  need(child?.span.name === name && others.length === 0, `${node.span.name} has [${names}], not ${name}`);
  return child;
}

function need(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
