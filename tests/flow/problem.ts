/**
 * Problems: what every error answer of the gateway has to be, checked in one place.
 *
 * Owns the check of the envelope and of what must never be in it. Invariant: a body that passes names its trace
 * and gives nothing of the host away.
 */
import assert from "node:assert/strict";

/** An error as callers see it. */
export interface Problem {
  readonly kind: string;
  readonly message: string;
  readonly trace_id: string;
}

/** What an error answer is expected to be. */
export interface ExpectedProblem {
  readonly status: number;
  readonly kind: string;
  readonly message?: RegExp;
}

/** Paths, module specifiers, stack frames and words of the engine. */
const HOST_DETAIL =
  /\/(?:work|tmp|root|home|usr|proc)\/|file:\/\/|\.[jt]s\b|\bat \S+ \(|:\d+:\d+|node_modules|\bwasm-function|\bV8\b|Deno|Error:/;

/** Asserts that `response` is the expected error, with its trace id, in the one form that errors have. */
export async function assertProblem(response: Response, expected: ExpectedProblem): Promise<Problem> {
  const text = await response.text();
  assert.equal(response.status, expected.status, text);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json\b/, text);
  const body: { error: Problem } = JSON.parse(text);
  assert.deepEqual(Object.keys(body), ["error"]);
  assert.deepEqual(Object.keys(body.error).sort(), ["kind", "message", "trace_id"]);
  const { error } = body;
  assert.equal(error.kind, expected.kind, text);
  if (expected.message !== undefined) assert.match(error.message, expected.message);
  assertTraceId(response, error.trace_id);
  assert.doesNotMatch(text, HOST_DETAIL);
  assert.doesNotMatch(error.message, /\.$/, "a message has no full stop");
  return error;
}

/** Asserts that both headers name the same trace, and `traceId` too if it is given, and that there is a request id; returns it. */
export function assertTraceId(response: Response, traceId?: string): string {
  const header = response.headers.get("x-trace-id") ?? "";
  assert.match(header, /^(?!0{32})[0-9a-f]{32}$/);
  assert.match(response.headers.get("traceresponse") ?? "", /^00-[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/);
  assert.equal(response.headers.get("traceresponse")?.slice(3, 35), header);
  assert.match(response.headers.get("x-request-id") ?? "", /^[\w.:-]{1,128}$/);
  if (traceId !== undefined) assert.equal(traceId, header);
  return header;
}
